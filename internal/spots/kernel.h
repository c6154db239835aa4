// The pass itself, included once for each set of instructions, which gives
//
//   KERNEL    the function's name
//   NAME(x)   the name of its part x
//   TARGET    their attributes
//   CLASSES(p, m)  the classes of the 64 bytes at p, after which one more can be read

// NAME(tell) writes the places of the block at b[i], whose classes are m and those of
// the next block next. digit is one where the byte before it is a digit.
TARGET static inline __attribute__((always_inline)) void NAME(tell)(const uint8_t *b, size_t i, size_t len, struct classes m, struct classes next, uint64_t digit, uint64_t *out, size_t stride)
{
	out[SPOTS_DIGITS * stride] = (m.digit << 1 | digit) & (m.digit | m.dot);
	out[SPOTS_ZEROS * stride] = m.zero & (m.zero >> 2 | next.zero << 62);
	// Runs are doubled until they have the length of SPOTS_BASE64_RUN, of which no more
	// than the next block is needed.
	uint64_t lo = m.b64, hi = next.b64;
	// One that begins up to bit 24, up to bit 47 or after covers the bits of one of these.
	if ((lo >> 24 & 0xffff) == 0xffff || lo >> 47 == 0x1ffff || (hi & 0x7fffff) == 0x7fffff) {
#define RUNS(n) lo &= lo >> (n) | hi << (64 - (n)), hi &= hi >> (n)
		RUNS(1);
		RUNS(2);
		RUNS(4);
		RUNS(8);
		RUNS(16);
		RUNS(8);
#undef RUNS
	} else {
		lo = 0;
	}
	out[SPOTS_BASE64 * stride] = lo;
	out[SPOTS_AT * stride] = out[SPOTS_PERCENT * stride] = out[SPOTS_ENTITY * stride] = 0;
	out[SPOTS_QUOTED * stride] = out[SPOTS_UTF7 * stride] = out[SPOTS_TAG * stride] = 0;
	for (uint64_t rare = m.rare & (m.second >> 1 | next.second << 63); rare; rare &= rare - 1)
		look_close(b, i, i + (size_t)__builtin_ctzll(rare), len, out, stride);
	uint64_t odd = m.odd;
	for (uint64_t x = odd; x; x &= x - 1) {
		size_t k = i + (size_t)__builtin_ctzll(x);
		if (!(odd_first[b[k]] & odd_second[k + 1 < len ? b[k + 1] : 0] & odd_third[k + 2 < len ? b[k + 2] : 0]))
			odd &= ~(x & -x);
	}
	out[SPOTS_ODD * stride] = odd;
	out[SPOTS_LETTER * stride] = m.letter;
	out[SPOTS_SMALL * stride] = m.small;
	out[SPOTS_BEYOND * stride] = m.lead & (m.more >> 1 | next.more << 63);
}

TARGET static void KERNEL(const uint8_t *b, size_t from, size_t len, uint64_t *out, size_t stride)
{
	struct classes m, next;
	uint8_t last[65] = {0};
	size_t i = from & ~(size_t)63;
	uint64_t digit = i > 0 && b[i - 1] >= '0' && b[i - 1] <= '9';
	out += i / 64;
	if (len - i > 64) {
		CLASSES(b + i, &m);
		for (; len - i > 128; i += 64, out++) {
			CLASSES(b + i + 64, &next);
			NAME(tell)(b, i, len, m, next, digit, out, stride);
			digit = m.digit >> 63;
			m = next;
		}
		memcpy(last, b + i + 64, len - i - 64);
		CLASSES(last, &next);
		NAME(tell)(b, i, len, m, next, digit, out, stride);
		digit = m.digit >> 63;
		m = next;
		i += 64;
		out++;
	} else {
		memcpy(last, b + i, len - i);
		CLASSES(last, &m);
	}
	NAME(tell)(b, i, len, m, nothing, digit, out, stride);
}

#undef KERNEL
#undef NAME
#undef TARGET
#undef CLASSES
