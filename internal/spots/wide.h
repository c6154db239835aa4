// The classes of 64 bytes by wide instructions, included once for each set, which gives
//
//   WIDE             the function's name
//   TARGET           its attributes
//   VEC              64 bytes
//   LOAD(p)          the 64 bytes at p
//   SMALL(v)         the bytes with capital letters made small ones
//   EQ(v, c)         the bytes equal to c, as 64 bits
//   RANGE(v, lo, hi) the bytes from lo to hi, as 64 bits
//   HIGH(v)          the bytes of 0x80 and above, as 64 bits

TARGET static inline __attribute__((always_inline)) void WIDE(const uint8_t *p, struct classes *m)
{
	VEC v = LOAD(p);
	uint64_t digit = RANGE(v, '0', '9'), letter = RANGE(SMALL(v), 'a', 'z'), plus = EQ(v, '+'), slash = EQ(v, '/');
	m->digit = digit;
	m->dot = EQ(v, '.');
	m->zero = EQ(v, 0);
	m->b64 = digit | letter | plus | slash | EQ(v, '-') | EQ(v, '_');
	m->rare = plus | EQ(v, '%') | EQ(v, '&') | EQ(v, '=') | EQ(v, '<') | EQ(v, '@');
	m->second = digit | letter | slash | RANGE(v, '\n', '\r') | RANGE(v, '!', '#') | EQ(v, '?');
	m->lead = m->more = 0;
	if (HIGH(v)) {
		m->lead = EQ(v, 0xc2) | RANGE(v, 0xd9, 0xe2) | RANGE(v, 0xef, 0xf0);
		m->more = RANGE(v, 0x80, 0xbf);
	}
}

#undef WIDE
#undef VEC
#undef LOAD
#undef SMALL
#undef EQ
#undef RANGE
#undef HIGH
