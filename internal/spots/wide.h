// The classes of 64 bytes by wide instructions, included once for each set, which gives
//
//   WIDE        the function's name
//   TARGET      its attributes
//   VEC         64 bytes
//   LOAD(p)     the 64 bytes at p
//   AND(v, w)   the bits that are in both
//   BELOW16(v)  the bytes' lower halves
//   LOW(t, v)   the entry of t for each byte's lower half, zero beyond ASCII
//   UPPER(t, v) the entry of t for each byte's upper half
//   EQ(v, c)    the bytes equal to c, as 64 bits
//   HAS(v, c)   the bytes that have a bit in common with c, as 64 bits
//   HIGH(v)     the bytes of 0x80 and above, as 64 bits
//
// The byte after the 64 is read, too.

TARGET static inline __attribute__((always_inline)) void WIDE(const uint8_t *p, struct classes *m)
{
	static const halves low = LOW_HALF, high = HIGH_HALF;
	VEC v = LOAD(p), c = AND(LOW(low, v), UPPER(high, v));
	m->digit = HAS(c, W_DIGIT);
	m->dot = EQ(v, '.');
	m->zero = EQ(v, 0);
	m->b64 = HAS(c, W_DIGIT | W_EVEN | W_ODD | W_B64) | EQ(v, '_');
	m->rare = HAS(c, W_RARE2 | W_RARE3 | W_AT);
	m->second = HAS(c, W_DIGIT | W_EVEN | W_ODD | W_SECOND) | EQ(v, '?');
	m->letter = HAS(c, W_EVEN | W_ODD);
	m->small = m->letter & HAS(v, 0x20);
	m->odd = m->lead = m->more = 0;
	uint64_t beyond = HIGH(v);
	if (beyond) {
		m->lead = beyond & HAS(v, 0x40);
		m->more = beyond & ~m->lead;
		static const halves low1 = FIRST_LOW, high1 = FIRST_HIGH, low2 = SECOND_LOW, high2 = SECOND_HIGH;
		VEC w = LOAD(p + 1);
		m->odd = HAS(AND(AND(LOW(low1, BELOW16(v)), UPPER(high1, v)), AND(LOW(low2, BELOW16(w)), UPPER(high2, w))), 255);
	}
}

#undef WIDE
#undef VEC
#undef LOAD
#undef AND
#undef BELOW16
#undef LOW
#undef UPPER
#undef EQ
#undef HAS
#undef HIGH
