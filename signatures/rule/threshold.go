package rule

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Adjustments are what a threshold.config says: thresholds, rate filters and
// suppressions by rule.
type Adjustments struct {
	list []adjustment
}

type adjustment struct {
	gid, sid  uint32
	threshold *Threshold
	rate      *RateFilter
	suppress  *Suppress
}

// Apply adjusts a rule. Numbers 0 in the file mean every rule, and those of a
// single rule win.
func (a *Adjustments) Apply(r *Rule) {
	if a == nil {
		return
	}
	for _, x := range a.list {
		if x.gid != 0 && x.gid != r.GID || x.sid != 0 && x.sid != r.SID {
			continue
		}
		switch {
		case x.threshold != nil:
			// For all rules: only where the rule has none of its own.
			if x.sid == 0 && (r.Threshold != nil || r.DetectionFilter != nil) {
				continue
			}
			r.Threshold, r.DetectionFilter = x.threshold, nil
		case x.rate != nil:
			r.Rate = x.rate
		default:
			r.Suppress = append(r.Suppress, *x.suppress)
		}
	}
}

// ThresholdFile reads a threshold.config. Lines that are not understood come
// back as errors; the others count.
func (p *Parser) ThresholdFile(file, data string) (*Adjustments, []Error) {
	out := &Adjustments{}
	var errs []Error
	lines := strings.Split(strings.ReplaceAll(data, "\r", ""), "\n")
	for i := 0; i < len(lines); i++ {
		n := i + 1
		line := strings.TrimSpace(lines[i])
		for strings.HasSuffix(line, "\\") && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(line, "\\") + " " + strings.TrimSpace(lines[i])
		}
		if line == "" || line[0] == '#' {
			continue
		}
		a, err := p.adjustment(line)
		if err != nil {
			word, _, _ := strings.Cut(line, " ")
			errs = append(errs, Error{File: file, Line: n, SID: a.sid, Keyword: clip(word), Message: err.Error()})
			continue
		}
		out.list = append(out.list, a)
	}
	// Wide ones first, so that narrow ones win.
	ordered := make([]adjustment, 0, len(out.list))
	for _, narrow := range []bool{false, true} {
		for _, a := range out.list {
			if (a.sid != 0) == narrow {
				ordered = append(ordered, a)
			}
		}
	}
	out.list = ordered
	return out, errs
}

func (p *Parser) adjustment(line string) (a adjustment, err error) {
	word, rest, _ := strings.Cut(line, " ")
	names, known := adjustmentParts[word]
	if !known {
		return a, faultf("no line begins like this%s", cmp.Or(didYouMean(word, slices.Sorted(maps.Keys(adjustmentParts))), ": threshold, event_filter, rate_filter or suppress"))
	}
	fields := map[string]string{}
	parts, err := splitGroup("[" + rest + "]")
	if err != nil {
		return a, err
	}
	for _, f := range parts {
		k, v, _ := strings.Cut(f, " ")
		fields[k] = strings.TrimSpace(v)
		if !slices.Contains(names, k) {
			return a, faultf("has no part %q%s", clip(k), cmp.Or(didYouMean(k, names), ": "+strings.Join(names, ", ")))
		}
	}
	num := func(k string) uint32 {
		n, e := parseUint(fields[k], 1<<32-1)
		if e != nil && err == nil {
			err = faultf("%s: %v", k, e)
		}
		return uint32(n)
	}
	a.gid, a.sid = num("gen_id"), num("sig_id")
	if err != nil {
		return a, err
	}
	track := fields["track"]
	switch track {
	case "by_src", "by_dst", "by_both", "by_rule", "by_flow":
	case "by_either", "":
		if word != "suppress" {
			return a, faultf("lacks track: %s", strings.Join(tracks, ", "))
		}
	default:
		return a, faultf("unknown track %q%s", clip(track), cmp.Or(didYouMean(track, tracks), ": "+strings.Join(tracks, ", ")))
	}
	switch word {
	case "threshold", "event_filter":
		t := &Threshold{Type: fields["type"], Track: track, Count: num("count")}
		switch t.Type {
		case "limit", "threshold", "both":
			t.Seconds = num("seconds")
		case "backoff":
			t.Multiplier = num("multiplier")
		default:
			return a, faultf("unknown type %q%s", clip(t.Type), cmp.Or(didYouMean(t.Type, thresholdTypes), ": "+strings.Join(thresholdTypes, ", ")))
		}
		a.threshold = t
	case "rate_filter":
		a.rate, err = rateFilter(fields)
	case "suppress":
		a.suppress = &Suppress{Track: track}
		if track != "" {
			if a.suppress.Addrs, err = p.g.addr(fields["ip"]); err != nil {
				return a, err
			}
		}
	}
	return a, err
}

// adjustmentParts are the parts of each kind of line.
var adjustmentParts = map[string][]string{
	"threshold":    thresholdParts,
	"event_filter": thresholdParts,
	"rate_filter":  rateFields,
	"suppress":     {"gen_id", "sig_id", "track", "ip"},
}

var (
	thresholdParts = []string{"gen_id", "sig_id", "type", "track", "count", "seconds", "multiplier"}
	thresholdTypes = []string{"limit", "threshold", "both", "backoff"}
	tracks         = []string{"by_src", "by_dst", "by_both", "by_rule", "by_flow"}
)

// rateFields are the parts of a rate_filter line.
var rateFields = []string{"gen_id", "sig_id", "track", "count", "seconds", "new_action", "timeout"}

// rateFilter reads a rate_filter line, whose track has been looked at. Nothing in
// it has a default: a misspelt part must not leave the filter without effect.
func rateFilter(fields map[string]string) (*RateFilter, error) {
	for _, k := range rateFields {
		if _, ok := fields[k]; !ok {
			return nil, faultf("lacks %s: write rate_filter gen_id G, sig_id S, track by_src, count C, seconds T, new_action drop, timeout D", k)
		}
	}
	r := &RateFilter{Track: fields["track"]}
	for _, n := range []struct {
		name string
		to   *uint32
		min  uint64
	}{{"count", &r.Count, 1}, {"seconds", &r.Seconds, 1}, {"timeout", &r.Timeout, 0}} {
		v, err := parseUint(fields[n.name], 1<<32-1)
		if err != nil {
			return nil, faultf("%s: %v", n.name, err)
		}
		if v < n.min {
			return nil, faultf("%s: 0 would change the action of nothing or of everything; give at least %d", n.name, n.min)
		}
		*n.to = uint32(v)
	}
	// config is no action for traffic.
	actions := actionNames[:Config]
	i := slices.Index(actions, fields["new_action"])
	if i < 0 {
		return nil, faultf("new_action: unknown action %q%s", clip(fields["new_action"]), cmp.Or(didYouMean(fields["new_action"], actions), ": use drop, alert, pass or reject"))
	}
	r.NewAction = Action(i)
	return r, nil
}
