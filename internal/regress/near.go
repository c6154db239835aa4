package regress

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// maxShown bounds what is shown of a value, in bytes.
const maxShown = 160

// nearest shows the event that passes most lines of a filter, and the lines
// that it does not pass.
func nearest(match map[string]any, evs []map[string]any) string {
	best, most := -1, -1
	for i, e := range evs {
		n := 0
		for k, want := range match {
			if ok, err := holds(k, want, e); ok && err == nil {
				n++
				if k == "event_type" {
					n += len(match) // an event of another type is never near
				}
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return "there are no events"
	}
	e := evs[best]
	var b strings.Builder
	b.WriteString("nearest: " + describe(evs, best))
	for _, k := range sortedNames(match) {
		ok, err := holds(k, match[k], e)
		if ok && err == nil {
			continue
		}
		path, _ := split(k)
		got := "(absent)"
		if k == "has-key" || k == "not-has-key" {
			got = "(otherwise)"
		} else if v := lookup(path, e); v != nil {
			got = show(v)
		}
		fmt.Fprintf(&b, "\n  - %s: %s\n  + %s: %s", k, show(match[k]), path, got)
	}
	return b.String()
}

// describe names an event by what readers know it by.
func describe(evs []map[string]any, i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "event %d of %d", i+1, len(evs))
	for _, k := range []string{"event_type", "pcap_cnt", "src_ip", "dest_ip", "tx_id", "alert.signature_id", "alert.signature"} {
		if v := lookup(k, evs[i]); v != nil {
			fmt.Fprintf(&b, ", %s %s", k, strings.Trim(show(v), `"`))
		}
	}
	return b.String()
}

// show gives a value as JSON, cut short, with < > & as they are.
func show(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	s := strings.TrimSuffix(b.String(), "\n")
	if err != nil {
		s = fmt.Sprint(v)
	}
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return s
}
