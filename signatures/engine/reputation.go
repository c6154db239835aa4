package engine

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/gaissmai/bart"

	"sluice/dataplane/decode"
	"sluice/signatures/rule"
)

// Reputation holds scores of addresses by category. It is immutable once
// loaded and safe for concurrent use.
type Reputation struct {
	ids    map[string]int
	tables map[int]*bart.Table[uint8]
}

// LoadReputation reads the names of categories (number,name,description a line)
// and lists of scores (address or prefix,number,score from 0 to 127 a line).
func LoadReputation(categories string, lists []string) (*Reputation, error) {
	r := &Reputation{ids: map[string]int{}, tables: map[int]*bart.Table[uint8]{}}
	err := eachLine(categories, func(f []string) error {
		id, err := strconv.ParseUint(f[0], 10, 8)
		if err != nil || len(f) < 2 {
			return fmt.Errorf("no number and name of a category")
		}
		r.ids[strings.TrimSpace(f[1])] = int(id)
		return nil
	})
	for i := 0; err == nil && i < len(lists); i++ {
		err = eachLine(lists[i], func(f []string) error {
			if len(f) < 3 {
				return fmt.Errorf("no address, category and score")
			}
			p, err := netip.ParsePrefix(f[0])
			if a, e := netip.ParseAddr(f[0]); e == nil {
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if err != nil {
				return err
			}
			id, err := strconv.ParseUint(f[1], 10, 8)
			if err != nil {
				return err
			}
			score, err := strconv.ParseUint(f[2], 10, 8)
			if err != nil || score > 127 {
				return fmt.Errorf("%q is no score from 0 to 127", f[2])
			}
			if r.tables[int(id)] == nil {
				r.tables[int(id)] = new(bart.Table[uint8])
			}
			r.tables[int(id)].Insert(p.Masked(), uint8(score))
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func eachLine(path string, take func(fields []string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open reputation: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, ",")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if err := take(fields); err != nil {
			return fmt.Errorf("read reputation %s: line %d: %w", path, n, err)
		}
	}
	return sc.Err()
}

// Category reports whether there is a category of that name.
func (r *Reputation) Category(name string) bool {
	if r == nil {
		return false
	}
	_, ok := r.ids[name]
	return ok
}

// reputed tests the addresses at hand.
func (m *Matcher) reputed(t *rule.Test) bool {
	r := m.e.opt.Reputation
	if r == nil {
		return false
	}
	table := r.tables[r.ids[t.What]]
	hold := func(a *decode.Addr) bool {
		score, ok := uint8(0), false
		if table != nil {
			score, ok = table.Lookup(a.Netip())
		}
		if t.Neg {
			return !ok
		}
		return ok && t.Int.Match(uint64(score))
	}
	switch t.Which {
	case "src":
		return hold(m.src)
	case "dst":
		return hold(m.dst)
	case "both":
		return hold(m.src) && hold(m.dst)
	}
	return hold(m.src) || hold(m.dst)
}
