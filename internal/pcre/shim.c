#include "shim.h"

#include <string.h>

pcre2_code *sluice_pcre_compile(const char *expr, size_t len, uint32_t opts, int *err, size_t *off, int *jit) {
	// \C and friends stay allowed; callouts cannot occur since none is set.
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)expr, len, opts, err, off, NULL);
	if (code)
		*jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
	return code;
}

int sluice_pcre_ctx_init(sluice_pcre_ctx *c, uint32_t pairs, uint32_t match_limit, uint32_t depth_limit) {
	memset(c, 0, sizeof *c);
	c->md = pcre2_match_data_create(pairs, NULL);
	c->mc = pcre2_match_context_create(NULL);
	c->stack = pcre2_jit_stack_create(32 * 1024, 1024 * 1024, NULL);
	if (!c->md || !c->mc || !c->stack) {
		sluice_pcre_ctx_free(c);
		return -1;
	}
	pcre2_set_match_limit(c->mc, match_limit);
	pcre2_set_depth_limit(c->mc, depth_limit);
	pcre2_set_heap_limit(c->mc, 4096);
	pcre2_jit_stack_assign(c->mc, NULL, c->stack);
	c->ov = pcre2_get_ovector_pointer(c->md);
	return 0;
}

void sluice_pcre_ctx_free(sluice_pcre_ctx *c) {
	pcre2_match_data_free(c->md);
	pcre2_match_context_free(c->mc);
	if (c->stack)
		pcre2_jit_stack_free(c->stack);
	memset(c, 0, sizeof *c);
}

int sluice_pcre_match(sluice_pcre_ctx *c, const pcre2_code *code, const void *subject, size_t len, size_t start, uint32_t opts) {
	return pcre2_match(code, len ? (PCRE2_SPTR)subject : (PCRE2_SPTR) "", len, start, opts, c->md, c->mc);
}
