package fastpath

import (
	"errors"
	"fmt"
	"net/netip"
)

// What follows sets one thing alone, where a test is about that: the daemon
// replaces all of it at once (Replace).

// SetAllowances replaces what quarantined hosts still reach. On an error it stays
// as it was.
func (f *FastPath) SetAllowances(all []Allowance) error {
	next, err := compileAllowances(all)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	before := f.reach
	if err := f.writeAllowances(next); err != nil {
		return errors.Join(err, f.writeAllowances(before))
	}
	return nil
}

// SetLimits sets the rate limits, from now on.
func (f *FastPath) SetLimits(l Limits) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	f.set.Rate = l.rates()
	return f.apply()
}

// SetMalformed selects malformed packets to drop, from now on; beside is
// Config.MalformedBeside.
func (f *FastPath) SetMalformed(m, beside Malformed) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	f.cfg.Malformed, f.cfg.MalformedBeside = m, beside
	f.set.Malformed = uint32(m | beside)
	return f.apply()
}

// SetSegmentation replaces zones and rules, in one step for the traffic. A set
// that cannot be is an error, and the one before goes on.
func (f *FastPath) SetSegmentation(s Segmentation) error {
	c, err := s.compile()
	if err != nil {
		return fmt.Errorf("segmentation: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	next, back, done, err := f.prepareSegmentation(c, len(s.Rules) > 0)
	if err != nil {
		return errors.Join(err, back())
	}
	before := f.acl
	f.acl = next
	if err := f.apply(); err != nil {
		f.acl = before
		return errors.Join(err, back(), f.apply())
	}
	return done()
}

// Allow exempts packets from and to prefix from every drop of the fast path.
func (f *FastPath) Allow(prefix netip.Prefix, e Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	it, err := f.item(prefix, e)
	if err != nil {
		return err
	}
	it.claim.flags = 0
	if err := f.allow.insert(it.prefix, it.claim); err != nil {
		return err
	}
	return f.apply()
}
