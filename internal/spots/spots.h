#ifndef SLUICE_SPOTS_H
#define SLUICE_SPOTS_H

#include <stddef.h>
#include <stdint.h>

// The order is that of the kinds in spots.go.
enum {
	SPOTS_DIGITS,
	SPOTS_AT,
	SPOTS_PERCENT,
	SPOTS_ENTITY,
	SPOTS_QUOTED,
	SPOTS_UTF7,
	SPOTS_ODD,
	SPOTS_ZEROS,
	SPOTS_BASE64,
	SPOTS_TAG,
	SPOTS_LETTER,
	SPOTS_SMALL,
	SPOTS_BEYOND,
	SPOTS_KINDS
};

#define SPOTS_BASE64_RUN 40

// The sets of instructions. A processor that has one has those before it, too.
enum { SPOTS_ANY, SPOTS_AVX2, SPOTS_AVX512 };

// sluice_spots_best gives the last set that the processor has.
int sluice_spots_best(void);

// sluice_spots sets out[kind * stride + i / 64], bit i % 64, where b[i] is a place of
// the kind, for all i from the multiple of 64 at or before from up to the end of the
// last word. b is len bytes long and from is less than that.
void sluice_spots(int set, const uint8_t *b, size_t from, size_t len, uint64_t *out, size_t stride);

#endif
