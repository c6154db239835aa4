// The narrow C side of package hs: scans that collect matches in C memory, so
// that a scan costs one call into C however much it finds.
#ifndef SLUICE_HS_SHIM_H
#define SLUICE_HS_SHIM_H

#include <hs/hs_runtime.h>
#include <stddef.h>
#include <stdint.h>

// Twin of Hit in scanner.go.
typedef struct {
	uint64_t to;
	uint32_t id;
	uint32_t buf;
} sluice_hit;

// Twin of job in scanner.go: data is an offset into the arena.
typedef struct {
	const hs_database_t *db;
	uint32_t off;
	uint32_t len;
} sluice_job;

typedef struct {
	sluice_hit *hits;
	uint32_t n;
	uint32_t cap;
	uint32_t max;
	uint32_t buf;
	// overflow counts the scans that were cut at max hits.
	uint32_t overflow;
	hs_scratch_t *scratch;
} sluice_ctx;

int sluice_scan(sluice_ctx *c, const hs_database_t *db, const char *data, unsigned len);
int sluice_scan_jobs(sluice_ctx *c, const sluice_job *jobs, unsigned n, const char *arena);
int sluice_scan_stream(sluice_ctx *c, hs_stream_t *s, const char *data, unsigned len);
int sluice_reset_stream(sluice_ctx *c, hs_stream_t *s);

#endif
