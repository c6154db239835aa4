package main

import (
	"fmt"
	"io"
	"net/netip"

	"sluice/internal/app"
)

// printTalkers shows who sent most in the last second, and what became of it.
func printTalkers(out io.Writer, t *app.Talkers, most int) {
	if t == nil || most == 0 || len(t.Sources) == 0 {
		return
	}
	fmt.Fprintln(out)
	w := table(out)
	head := func(name string) {
		fmt.Fprintf(w, "%s\tBYTES/S\tPACKETS/S\tINSPECTED/S\tBYPASSED/S\tDROPPED/S\n", name)
	}
	row := func(name string, r *app.TalkRates) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", name, bytesOf(r.Total.Bytes), number(r.Total.Packets), rateOf(r.Inspected), rateOf(r.Bypassed), rateOf(r.Dropped))
	}
	head("SOURCE")
	for i := range t.Sources[:min(most, len(t.Sources))] {
		row(t.Sources[i].Host.String(), &t.Sources[i].TalkRates)
	}
	if len(t.Services) > 0 {
		head("SERVICE")
	}
	for i := range t.Services[:min(most, len(t.Services))] {
		s := &t.Services[i]
		row(fmt.Sprintf("%s %d", s.Proto, s.Port), &s.TalkRates)
	}
	if len(t.Flows) > 0 {
		head("FLOW")
	}
	for i := range t.Flows[:min(most, len(t.Flows))] {
		row(flowName(&t.Flows[i]), &t.Flows[i].TalkRates)
	}
	w.Flush()
	if t.Sampled {
		fmt.Fprintln(out, "so many packets that a part of them was counted for all")
	}
}

func flowName(f *app.TalkFlow) string {
	proto := f.Proto
	if f.AppProto != "" {
		proto = f.AppProto
	}
	end := func(a netip.AddrPort) string {
		if a.Port() == 0 {
			return a.Addr().String()
		}
		return a.String()
	}
	return fmt.Sprintf("%s > %s %s", end(f.Client), end(f.Server), proto)
}

// rateOf gives bytes and packets a second, a dash for none.
func rateOf(r app.Rate) string {
	if r.Packets == 0 {
		return "-"
	}
	return fmt.Sprintf("%s, %s", bytesOf(r.Bytes), number(r.Packets))
}
