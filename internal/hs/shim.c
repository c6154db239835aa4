#include "shim.h"

#include <stdlib.h>

static int collect(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *p) {
	(void)from;
	(void)flags;
	sluice_ctx *c = p;
	if (c->n == c->cap) {
		if (c->cap >= c->max) {
			c->overflow++;
			return 1;
		}
		uint32_t cap = c->cap ? c->cap * 2 : 256;
		if (cap > c->max)
			cap = c->max;
		sluice_hit *h = realloc(c->hits, cap * sizeof *h);
		if (!h) {
			c->overflow++;
			return 1;
		}
		c->hits = h;
		c->cap = cap;
	}
	sluice_hit *h = &c->hits[c->n++];
	h->to = to;
	h->id = id;
	h->buf = c->buf;
	return 0;
}

int sluice_scan(sluice_ctx *c, const hs_database_t *db, const char *data, unsigned len) {
	return hs_scan(db, data, len, 0, c->scratch, collect, c);
}

int sluice_scan_jobs(sluice_ctx *c, const sluice_job *jobs, unsigned n, const char *arena) {
	int rc = HS_SUCCESS;
	for (unsigned i = 0; i < n; i++) {
		c->buf = i;
		int r = hs_scan(jobs[i].db, arena + jobs[i].off, jobs[i].len, 0, c->scratch, collect, c);
		if (r != HS_SUCCESS)
			rc = r;
	}
	c->buf = 0;
	return rc;
}

int sluice_scan_stream(sluice_ctx *c, hs_stream_t *s, const char *data, unsigned len) {
	return hs_scan_stream(s, data, len, 0, c->scratch, collect, c);
}

int sluice_reset_stream(sluice_ctx *c, hs_stream_t *s) {
	(void)c;
	return hs_reset_stream(s, 0, NULL, NULL, NULL);
}
