#include "spots.h"

#include <string.h>

// classes are a block's bytes of each class, a bit each: what begins a place and what
// may follow it.
struct classes {
	uint64_t digit, dot, zero;
	// b64 are the characters of base64.
	uint64_t b64;
	// rare are % & = + < @, second what may follow one of them, and some others.
	uint64_t rare, second;
	// odd are the first bytes of characters that may be odd, and some others.
	uint64_t odd;
	// letter and small are the letters of ASCII and the small ones; lead are the bytes
	// that begin a character beyond ASCII, more those that go on with it.
	uint64_t letter, small, lead, more;
};

// nothing are the classes of what lies beyond the end.
static const struct classes nothing = {.zero = ~(uint64_t)0};

// A place of a kind has a bit in the tables of its first three bytes.
enum {
	IS_PERCENT = 1,
	IS_ENTITY = 2,
	IS_HEX = 4,
	IS_LINE = 8,
	IS_UTF7 = 16,
	IS_AT = 32,
	IS_TAG = 64,
};

#define ANY (IS_ENTITY | IS_LINE | IS_AT | IS_TAG)

static const uint8_t rare_first[256] = {
	['%'] = IS_PERCENT, ['&'] = IS_ENTITY, ['='] = IS_HEX | IS_LINE, ['+'] = IS_UTF7, ['@'] = IS_AT, ['<'] = IS_TAG,
};

static const uint8_t rare_second[256] = {
	['0' ... '1'] = IS_PERCENT | IS_AT,
	['2' ... '3'] = IS_PERCENT | IS_AT | IS_HEX,
	['4' ... '7'] = IS_PERCENT | IS_AT,
	['8' ... '9'] = IS_PERCENT | IS_AT | IS_HEX,
	['A'] = IS_PERCENT | IS_ENTITY | IS_AT | IS_TAG | IS_HEX | IS_UTF7,
	['B' ... 'F'] = IS_PERCENT | IS_ENTITY | IS_AT | IS_TAG | IS_HEX,
	['G' ... 'Z'] = IS_ENTITY | IS_AT | IS_TAG,
	['a' ... 'f'] = IS_PERCENT | IS_ENTITY | IS_AT | IS_TAG,
	['g' ... 'z'] = IS_ENTITY | IS_AT | IS_TAG,
	['#'] = IS_ENTITY,
	['\r'] = IS_LINE, ['\n'] = IS_LINE,
	['/'] = IS_TAG, ['!'] = IS_TAG, ['?'] = IS_TAG, ['\\'] = IS_TAG,
};

static const uint8_t rare_third[256] = {
	[0 ... '0' - 1] = ANY,
	['0' ... '9'] = ANY | IS_PERCENT | IS_HEX,
	['9' + 1 ... '@'] = ANY,
	['A' ... 'B'] = ANY | IS_PERCENT | IS_HEX,
	['C' ... 'F'] = ANY | IS_PERCENT | IS_HEX | IS_UTF7,
	['G' ... 'H'] = ANY | IS_UTF7,
	['I' ... 'a' - 1] = ANY,
	['a' ... 'f'] = ANY | IS_PERCENT,
	['g' ... 255] = ANY,
};

// A character of UTF-8 that may be odd has a bit in the tables of its first three bytes.
static const uint8_t odd_first[256] = {
	[0xc2] = 1, [0xd9] = 2, [0xdb] = 4, [0xdf] = 8, [0xe0] = 16, [0xe1] = 32, [0xe2] = 64, [0xef] = 128, [0xf0] = 128,
};

static const uint8_t odd_second[256] = {
	[0x80] = 8 | 64, [0x81] = 8 | 32 | 64, [0x82 ... 0x89] = 8, [0x9d] = 128, [0x9f] = 32,
	[0xa0] = 2 | 32, [0xa1 ... 0xa4] = 2, [0xa5] = 2 | 16, [0xa6] = 2, [0xa7] = 2 | 16, [0xa8] = 2, [0xa9] = 2 | 16,
	[0xab] = 16, [0xad] = 1 | 16, [0xaf] = 16, [0xb0] = 4, [0xb1] = 4 | 16, [0xb2] = 4, [0xb3] = 4 | 16, [0xb4] = 4, [0xb5] = 4 | 16,
	[0xb6 ... 0xb7] = 4, [0xb8] = 4 | 128, [0xb9] = 4 | 16 | 128, [0xba] = 128, [0xbb ... 0xbc] = 16 | 128,
};

#define TWO (1 | 2 | 4 | 8)

static const uint8_t odd_third[256] = {
	[0 ... 0x7f] = TWO,
	[0x80 ... 0x89] = TWO | 32 | 128, [0x8a] = TWO | 128, [0x8b ... 0x8d] = TWO | 64 | 128, [0x8e] = TWO | 32 | 64 | 128, [0x8f] = TWO | 64 | 128,
	[0x90 ... 0x99] = TWO | 16 | 128, [0x9a ... 0x9e] = TWO, [0x9f] = TWO | 128,
	[0xa0 ... 0xa9] = TWO | 16 | 32 | 64, [0xaa ... 0xae] = TWO | 16 | 64, [0xaf] = TWO | 16,
	[0xb0 ... 0xbe] = TWO, [0xbf] = TWO | 128,
	[0xc0 ... 0xff] = TWO,
};

#undef TWO

static inline int alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// look_close tells what stands at b[k], in the block at b[i].
static inline void look_close(const uint8_t *b, size_t i, size_t k, size_t len, uint64_t *out, size_t stride)
{
	uint8_t is = rare_first[b[k]] & rare_second[k + 1 < len ? b[k + 1] : 0] & rare_third[k + 2 < len ? b[k + 2] : 0];
	uint64_t bit = (uint64_t)1 << (k - i);
	if (!is)
		return;
	if (is & (IS_HEX | IS_LINE)) {
		out[SPOTS_QUOTED * stride] |= bit;
	} else if (is & IS_AT) {
		uint8_t c = k ? b[k - 1] : 0;
		if (alnum(c) || c == '_' || c == '+' || c == '-')
			out[SPOTS_AT * stride] |= bit;
	} else {
		size_t kind = is & IS_PERCENT ? SPOTS_PERCENT : is & IS_ENTITY ? SPOTS_ENTITY : is & IS_UTF7 ? SPOTS_UTF7 : SPOTS_TAG;
		out[kind * stride] |= bit;
	}
}

#if defined(__x86_64__)
#include <immintrin.h>

// The wide sets look up a byte's classes by its halves: those that both have.
enum {
	W_DIGIT = 1,
	W_EVEN = 2, // letters of 0x40 to 0x4f and 0x60 to 0x6f
	W_ODD = 4,  // and of the rows after them
	W_B64 = 8,
	W_RARE2 = 16,
	W_RARE3 = 32,
	W_SECOND = 64,
	W_AT = 128,
};

#define LOW_HALF \
	{W_DIGIT | W_ODD | W_AT, W_DIGIT | W_EVEN | W_ODD | W_SECOND, W_DIGIT | W_EVEN | W_ODD, W_DIGIT | W_EVEN | W_ODD | W_SECOND, \
	 W_DIGIT | W_EVEN | W_ODD, W_DIGIT | W_EVEN | W_ODD | W_RARE2, W_DIGIT | W_EVEN | W_ODD | W_RARE2, W_DIGIT | W_EVEN | W_ODD, \
	 W_DIGIT | W_EVEN | W_ODD, W_DIGIT | W_EVEN | W_ODD, W_EVEN | W_ODD | W_SECOND, W_EVEN | W_B64 | W_RARE2, \
	 W_EVEN | W_RARE3 | W_SECOND, W_EVEN | W_B64 | W_RARE3 | W_SECOND, W_EVEN, W_EVEN | W_B64 | W_SECOND}
#define HIGH_HALF \
	{W_SECOND, 0, W_B64 | W_RARE2 | W_SECOND, W_DIGIT | W_RARE3, W_EVEN | W_AT, W_ODD | W_SECOND, W_EVEN, W_ODD}

// Likewise the first and the second byte of odd characters, with the bits of odd_first
// and odd_second; more pairs have one in common than have there.
#define FIRST_LOW {16 | 128, 32, 1 | 64, 0, 0, 0, 0, 0, 0, 2, 0, 4, 0, 0, 0, 8 | 128}
#define FIRST_HIGH {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2 | 4 | 8, 16 | 32 | 64 | 128, 128}
#define SECOND_LOW \
	{2 | 4 | 8 | 16 | 32 | 64, 2 | 4 | 8 | 16 | 32 | 64, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, \
	 2 | 4 | 8 | 16 | 128, 2 | 4 | 8 | 16 | 128, 16 | 128, 16 | 128, 16 | 128, 1 | 16 | 128, 16, 16 | 32}
#define SECOND_HIGH {0, 0, 0, 0, 0, 0, 0, 0, 8 | 32 | 64, 32 | 128, 1 | 2 | 16 | 32, 4 | 16 | 128}

#define INLINE static inline __attribute__((always_inline))
#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define AVX2 __attribute__((target("avx2")))

typedef uint8_t halves[16];

AVX512 INLINE __m512i avx512_low(const halves t, __m512i v)
{
	return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)t)), v);
}

AVX512 INLINE __m512i avx512_high(const halves t, __m512i v)
{
	return avx512_low(t, _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15)));
}

#define WIDE avx512_classes
#define TARGET AVX512
#define VEC __m512i
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define AND(v, w) _mm512_and_si512(v, w)
#define BELOW16(v) _mm512_and_si512(v, _mm512_set1_epi8(15))
#define LOW(t, v) avx512_low(t, v)
#define UPPER(t, v) avx512_high(t, v)
#define EQ(v, c) _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8((char)(c)))
#define HAS(v, c) _mm512_test_epi8_mask(v, _mm512_set1_epi8((char)(c)))
#define HIGH(v) _mm512_movepi8_mask(v)
#include "wide.h"
#define KERNEL avx512
#define NAME(x) avx512_##x
#define CLASSES avx512_classes
#include "kernel.h"

struct avx2_bytes {
	__m256i v[2];
};

AVX2 INLINE uint64_t avx2_mask(__m256i a, __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
}

AVX2 INLINE struct avx2_bytes avx2_load(const uint8_t *p)
{
	return (struct avx2_bytes){{_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 32))}};
}

AVX2 INLINE struct avx2_bytes avx2_and(struct avx2_bytes x, struct avx2_bytes y)
{
	return (struct avx2_bytes){{_mm256_and_si256(x.v[0], y.v[0]), _mm256_and_si256(x.v[1], y.v[1])}};
}

AVX2 INLINE struct avx2_bytes avx2_all(uint8_t c)
{
	__m256i y = _mm256_set1_epi8((char)c);
	return (struct avx2_bytes){{y, y}};
}

AVX2 INLINE struct avx2_bytes avx2_low(const halves t, struct avx2_bytes x)
{
	__m256i y = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t));
	return (struct avx2_bytes){{_mm256_shuffle_epi8(y, x.v[0]), _mm256_shuffle_epi8(y, x.v[1])}};
}

AVX2 INLINE struct avx2_bytes avx2_high(const halves t, struct avx2_bytes x)
{
	struct avx2_bytes y = {{_mm256_srli_epi16(x.v[0], 4), _mm256_srli_epi16(x.v[1], 4)}};
	return avx2_low(t, avx2_and(y, avx2_all(15)));
}

AVX2 INLINE uint64_t avx2_eq(struct avx2_bytes x, uint8_t c)
{
	__m256i y = _mm256_set1_epi8((char)c);
	return avx2_mask(_mm256_cmpeq_epi8(x.v[0], y), _mm256_cmpeq_epi8(x.v[1], y));
}

#define WIDE avx2_classes
#define TARGET AVX2
#define VEC struct avx2_bytes
#define LOAD(p) avx2_load(p)
#define AND(v, w) avx2_and(v, w)
#define BELOW16(v) avx2_and(v, avx2_all(15))
#define LOW(t, v) avx2_low(t, v)
#define UPPER(t, v) avx2_high(t, v)
#define EQ(v, c) avx2_eq(v, c)
#define HAS(v, c) ~avx2_eq(avx2_and(v, avx2_all(c)), 0)
#define HIGH(v) avx2_mask(v.v[0], v.v[1])
#include "wide.h"
#define KERNEL avx2
#define NAME(x) avx2_##x
#define CLASSES avx2_classes
#include "kernel.h"
#endif

// The last set is for any processor: a table that gives each byte's classes a byte each,
// of which eight bytes' are put together.
enum { C_DIGIT, C_DOT, C_ZERO, C_B64, C_RARE, C_SECOND, C_LEAD, C_MORE };
#define IN(c) (uint64_t)1 << 8 * (c)

static const uint64_t class_of[256] = {
	[0] = IN(C_ZERO),
	['\n' ... '\r'] = IN(C_SECOND),
	['!' ... '#'] = IN(C_SECOND),
	['%'] = IN(C_RARE), ['&'] = IN(C_RARE), ['='] = IN(C_RARE), ['<'] = IN(C_RARE), ['@'] = IN(C_RARE),
	['+'] = IN(C_RARE) | IN(C_B64), ['-'] = IN(C_B64), ['_'] = IN(C_B64),
	['.'] = IN(C_DOT),
	['/'] = IN(C_B64) | IN(C_SECOND),
	['?'] = IN(C_SECOND), ['\\'] = IN(C_SECOND),
	['0' ... '9'] = IN(C_DIGIT) | IN(C_B64) | IN(C_SECOND),
	['A' ... 'Z'] = IN(C_B64) | IN(C_SECOND),
	['a' ... 'z'] = IN(C_B64) | IN(C_SECOND),
	[0x80 ... 0xbf] = IN(C_MORE),
	[0xc2] = IN(C_LEAD), [0xd9 ... 0xe2] = IN(C_LEAD), [0xef ... 0xf0] = IN(C_LEAD),
};

static inline void any_classes(const uint8_t *p, struct classes *m)
{
	uint64_t x[8], y[8];
	for (int i = 0; i < 8; i++, p += 8) {
		x[i] = class_of[p[0]] | class_of[p[1]] << 1 | class_of[p[2]] << 2 | class_of[p[3]] << 3 |
			class_of[p[4]] << 4 | class_of[p[5]] << 5 | class_of[p[6]] << 6 | class_of[p[7]] << 7;
		uint64_t w = 0;
		for (int k = 0; k < 8; k++)
			w |= (uint64_t)p[k] << 8 * k;
		y[i] = w;
	}
	// The letters are told by arithmetic, eight at once: the high bit of each byte.
	m->letter = m->small = m->lead = 0;
	for (int i = 0; i < 8; i++) {
		const uint64_t each = 0x0101010101010101, high = 0x80 * each;
		uint64_t w = y[i], low = (w | 0x20 * each) & ~high;
		uint64_t letter = (low + (0x80 - 'a') * each) & ~(low + (0x7f - 'z') * each) & high & ~w;
#define BITS(v) (((v) >> 7) * 0x0102040810204080 >> 56) << 8 * i
		m->letter |= BITS(letter);
		m->small |= BITS(letter & w << 2);
		m->lead |= BITS(w & w << 1 & high);
#undef BITS
	}
#define GATHER(c) ((x[0] >> 8 * (c) & 255) | (x[1] >> 8 * (c) & 255) << 8 | (x[2] >> 8 * (c) & 255) << 16 | (x[3] >> 8 * (c) & 255) << 24 | \
	(x[4] >> 8 * (c) & 255) << 32 | (x[5] >> 8 * (c) & 255) << 40 | (x[6] >> 8 * (c) & 255) << 48 | (x[7] >> 8 * (c) & 255) << 56)
	m->digit = GATHER(C_DIGIT);
	m->dot = GATHER(C_DOT);
	m->zero = GATHER(C_ZERO);
	m->b64 = GATHER(C_B64);
	m->rare = GATHER(C_RARE);
	m->second = GATHER(C_SECOND);
	m->more = GATHER(C_MORE);
	m->odd = GATHER(C_LEAD) & (m->more >> 1 | (uint64_t)(*p >> 6 == 2) << 63);
}

#define KERNEL any
#define NAME(x) any_##x
#define TARGET
#define CLASSES any_classes
#include "kernel.h"

int sluice_spots_best(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512bw"))
		return SPOTS_AVX512;
	if (__builtin_cpu_supports("avx2"))
		return SPOTS_AVX2;
#endif
	return SPOTS_ANY;
}

void sluice_spots(int set, const uint8_t *b, size_t from, size_t len, uint64_t *out, size_t stride)
{
	switch (set) {
#if defined(__x86_64__)
	case SPOTS_AVX512:
		avx512(b, from, len, out, stride);
		return;
	case SPOTS_AVX2:
		avx2(b, from, len, out, stride);
		return;
#endif
	default:
		any(b, from, len, out, stride);
	}
}
