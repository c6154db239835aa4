// The narrow C side of package pcre: one match costs one call into C and
// allocates nothing.
#ifndef SLUICE_PCRE_SHIM_H
#define SLUICE_PCRE_SHIM_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stddef.h>
#include <stdint.h>

// One worker's scratch space.
typedef struct {
	pcre2_match_data *md;
	pcre2_match_context *mc;
	pcre2_jit_stack *stack;
	size_t *ov;
} sluice_pcre_ctx;

pcre2_code *sluice_pcre_compile(const char *expr, size_t len, uint32_t opts, int *err, size_t *off, int *jit);
int sluice_pcre_ctx_init(sluice_pcre_ctx *c, uint32_t pairs, uint32_t match_limit, uint32_t depth_limit);
void sluice_pcre_ctx_free(sluice_pcre_ctx *c);
int sluice_pcre_match(sluice_pcre_ctx *c, const pcre2_code *code, const void *subject, size_t len, size_t start, uint32_t opts);

#endif
