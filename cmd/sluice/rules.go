package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
	"sluice/signatures"
)

func rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "Explain and profile rules on capture files",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("rules needs to be told what to do: explain or profile; see `sluice help rules`")
		},
	}
	c.AddCommand(rulesExplainCommand(), profileCommand())
	return c
}

// overPcaps are the flags of commands that judge capture files.
type overPcaps struct {
	common
	mode       string
	noChecksum bool
	asJSON     bool
}

func (f *overPcaps) add(c *cobra.Command) {
	f.common.add(c)
	c.Flags().StringVar(&f.mode, "mode", "inline", "inline judges as a box in the path does, ids as a listener does")
	c.Flags().BoolVar(&f.noChecksum, "no-checksum", false, "accept wrong checksums")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object")
}

// prepare checks the flags and gives how to replay the files, and by which
// configuration.
func (f *overPcaps) prepare(files []string) (o app.ReplayOptions, cfg *config.Config, err error) {
	if f.mode != "inline" && f.mode != "ids" {
		return o, nil, fmt.Errorf("--mode %q is neither inline nor ids", f.mode)
	}
	if cfg, err = f.load(); err != nil {
		return o, nil, err
	}
	o = app.ReplayOptions{Files: files, Workers: 1, Inline: f.mode == "inline", NoChecksum: f.noChecksum}
	return o, cfg, finish(cfg)
}

func rulesExplainCommand() *cobra.Command {
	var f overPcaps
	var gid, sid uint32
	var most int
	c := &cobra.Command{
		Use:   "explain --sid N [flags] PCAP...",
		Short: "Tell packet by packet why a rule matched or did not",
		Long: `Explain replays capture files with all rules and follows one of them: where it
was tried, which condition held or failed and on which bytes, and what became of
it in the end. Where its fast pattern was not met it was not tried at all: then
explain shows the buffer that should have had it. What it tells comes from the
engine itself as it judges. Matches come first, then the nearest misses.`,
		Example: "  sluice rules explain --sid 2013028 --rules et.rules capture.pcap",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if sid == 0 {
				return fmt.Errorf("--sid says which rule to follow")
			}
			if most < 1 || most > 100000 {
				return fmt.Errorf("--max %d: from 1 to 100000 are possible", most)
			}
			o, cfg, err := f.prepare(args)
			if err != nil {
				return err
			}
			t, err := app.Explain(c.Context(), cfg, gid, sid, most, o, logger(cfg, c.ErrOrStderr()))
			if t != nil && (err == nil || t.Packets > 0) {
				if perr := printTrace(c.OutOrStdout(), t, f.asJSON); perr != nil {
					return perr
				}
			}
			return err
		},
	}
	f.add(c)
	c.Flags().Uint32Var(&sid, "sid", 0, "the rule's `NUMBER`")
	c.Flags().Uint32Var(&gid, "gid", 1, "the rule's group `NUMBER`")
	c.Flags().IntVar(&most, "max", 10, "show at most `N` attempts, nearest misses first")
	return c
}

// explanation is the object of `rules explain --json`.
type explanation struct {
	GID         uint32               `json:"gid"`
	SID         uint32               `json:"sid"`
	File        string               `json:"file"`
	Line        int                  `json:"line"`
	Rule        string               `json:"rule"`
	Looks       string               `json:"looks_at"`
	FastPattern string               `json:"fast_pattern,omitempty"`
	FastBuffer  string               `json:"fast_pattern_buffer,omitempty"`
	Packets     int                  `json:"packets"`
	Tries       int                  `json:"tries"`
	Matches     int                  `json:"matches"`
	Silenced    int                  `json:"silenced,omitempty"`
	Outcomes    map[string]int       `json:"outcomes"`
	Flows       map[string]int       `json:"flows_that_fit_the_header"`
	Attempts    []signatures.Attempt `json:"attempts"`
}

func explain(t *signatures.Trace) explanation {
	r := t.Rule()
	e := explanation{GID: r.GID, SID: r.SID, File: r.File, Line: r.Line, Rule: r.Text, Looks: t.Looks(), Packets: t.Packets, Tries: t.Tries,
		Silenced: t.Silenced, Outcomes: map[string]int{}, Flows: map[string]int{}, Attempts: t.Nearest()}
	e.FastPattern, e.FastBuffer = t.FastPattern()
	for o, n := range t.Outcomes {
		if o.Holds() {
			e.Matches += n
		}
		if n > 0 {
			e.Outcomes[o.String()] += n
		}
	}
	for app, n := range t.Fitting {
		if n > 0 {
			e.Flows[app] = n
		}
	}
	if e.Attempts == nil {
		e.Attempts = []signatures.Attempt{}
	}
	return e
}

func printTrace(w io.Writer, t *signatures.Trace, asJSON bool) error {
	e := explain(t)
	if asJSON {
		return json.NewEncoder(w).Encode(e)
	}
	fmt.Fprintf(w, "%s:%d: %s\n\n", e.File, e.Line, clip(e.Rule, 400))
	fmt.Fprintf(w, "looks at      %s\n", e.Looks)
	if e.FastPattern != "" {
		fmt.Fprintf(w, "fast pattern  %s, in %s\n", e.FastPattern, e.FastBuffer)
	} else {
		fmt.Fprintf(w, "fast pattern  none: it is tried wherever its header may fit\n")
	}
	fmt.Fprintf(w, "packets       %d; flows that fit the header: %s\n", e.Packets, counts(e.Flows))
	fmt.Fprintf(w, "tries         %d; matches: %d\n", e.Tries, e.Matches)
	if e.Silenced > 0 {
		fmt.Fprintf(w, "silenced      %d times, since a pass rule took the flow out\n", e.Silenced)
	}
	for _, o := range slices.Sorted(maps.Keys(e.Outcomes)) {
		fmt.Fprintf(w, "  %6d ×  %s\n", e.Outcomes[o], o)
	}
	if len(e.Attempts) == 0 {
		fmt.Fprintf(w, "\nNothing in the captures is where the rule looks.\n")
	}
	for i := range e.Attempts {
		printAttempt(w, &e.Attempts[i])
	}
	total := 0
	for _, n := range e.Outcomes {
		total += n
	}
	shown := 0
	for i := range e.Attempts {
		shown += e.Attempts[i].Times
	}
	if total > shown {
		fmt.Fprintf(w, "\n%d further attempts came less near; --max shows more\n", total-shown)
	}
	return nil
}

func printAttempt(w io.Writer, a *signatures.Attempt) {
	at := "end of flow"
	if a.Packet > 0 {
		at = fmt.Sprintf("packet %d", a.Packet)
	}
	fmt.Fprintf(w, "\n%s, %s %s, %s → %s", at, a.On, strings.ReplaceAll(a.Direction, "_", " "), a.Src, a.Dst)
	if a.App != "" {
		fmt.Fprintf(w, ", %s", a.App)
	}
	if a.Tx != nil {
		fmt.Fprintf(w, ", transaction %d", *a.Tx)
	}
	if a.Object != "" {
		fmt.Fprintf(w, ", %s", a.Object)
	}
	if a.Times > 1 {
		fmt.Fprintf(w, " (the nearest of %d)", a.Times)
	}
	fmt.Fprintf(w, "\n  = %s\n", a.Result)
	buffer := ""
	for i := range a.Conditions {
		c := &a.Conditions[i]
		if c.Buffer != buffer {
			buffer = c.Buffer
			fmt.Fprintf(w, "    %s\n", buffer)
		}
		mark := "+"
		switch c.Result {
		case signatures.Failed:
			mark = "-"
		case signatures.Skipped:
			mark = " "
		}
		text := c.Text
		if !strings.HasPrefix(text, c.Keyword) {
			text = c.Keyword + " " + text
		}
		indent := "  "
		if buffer != "" {
			indent = "    "
		}
		fmt.Fprintf(w, "%s%s %s", indent, mark, text)
		if c.Detail != "" {
			fmt.Fprintf(w, "  (%s)", c.Detail)
		}
		fmt.Fprintln(w)
	}
}

func profileCommand() *cobra.Command {
	var f overPcaps
	var top int
	var sort string
	c := &cobra.Command{
		Use:   "profile [flags] PCAP...",
		Short: "Tell what each rule costs",
		Long: `Profile replays capture files on one worker and counts for each rule how often
it was a candidate (its fast pattern or header nominated it), how often that led
to tests of a buffer, how often it matched, and how long it took; and for each
Hyperscan database how much was scanned in which time. The clock is read twice
a candidate and twice a scan: what that costs is measured and taken off the
rules, and makes the replay as a whole slower than it is without. Times are of
the wall clock: on a busy machine, look at shares and counts.`,
		Example: "  sluice rules profile --rules et.rules --top 20 capture.pcap\n  sluice rules profile --json --sort candidates *.pcap",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if top < 0 {
				return fmt.Errorf("--top %d is below 0", top)
			}
			o, cfg, err := f.prepare(args)
			if err != nil {
				return err
			}
			p, err := app.ProfileRules(c.Context(), cfg, sort, o, logger(cfg, c.ErrOrStderr()))
			if p != nil {
				if top > 0 && len(p.Rules) > top {
					p.Rules = p.Rules[:top]
				}
				if perr := printProfile(c.OutOrStdout(), p, f.asJSON); perr != nil {
					return perr
				}
			}
			return err
		},
	}
	f.add(c)
	c.Flags().IntVar(&top, "top", 20, "show the first `N` rules, 0 for all")
	c.Flags().StringVar(&sort, "sort", "time", "sort by `COLUMN`: "+strings.Join(app.ProfileSorts, ", "))
	return c
}

func printProfile(w io.Writer, p *app.Profile, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(p)
	}
	ms := func(ns int64) string {
		if ns < 1e6 {
			return fmt.Sprintf("%.1f µs", float64(ns)/1e3)
		}
		return fmt.Sprintf("%.1f ms", float64(ns)/1e6)
	}
	share := func(ns int64) float64 { return 100 * float64(ns) / float64(max(p.Nanoseconds, 1)) }
	fmt.Fprintf(w, "%d packets, %d bytes, %d rules in %s\n", p.Packets, p.Bytes, p.Compiled.Rules, time.Duration(p.Nanoseconds).Round(time.Microsecond))
	fmt.Fprintf(w, "Hyperscan %s (%.1f %%), rules %s (%.1f %%); reading the clock costs %d ns a candidate, taken off\n\n",
		ms(p.Scan), share(p.Scan), ms(p.Confirm), share(p.Confirm), p.Clock)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "SID\tCANDIDATES\tCONFIRMS\tMATCHES\tTIME\tNS/CAND\tSHARE\t  MSG")
	for i := range p.Rules {
		r := &p.Rules[i]
		id := fmt.Sprint(r.SID)
		if r.GID != 1 {
			id = fmt.Sprintf("%d:%d", r.GID, r.SID)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%.0f\t%.1f %%\t  %s\n", id, r.Candidates, r.Confirms, r.Matches, ms(r.Nanoseconds), r.PerTry, r.Share, clip(r.Msg, 36))
	}
	fmt.Fprintf(t, "all\t%d\t%d\t%d\t%s\t\t\t\n", p.Candidates, p.Confirms, p.Matches, ms(p.Confirm))
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "SCANS\tBYTES\tHITS\tTIME\tMEMORY\t  DATABASE")
	const most = 12
	for i := range p.Databases {
		d := &p.Databases[i]
		if i == most {
			fmt.Fprintf(t, "\t\t\t\t\t  and %d more\n", len(p.Databases)-most)
			break
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%s\t%d KiB\t  %s\n", d.Scans, d.Bytes, d.Hits, ms(d.Nanoseconds), d.Memory>>10, d.Name)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	c := &p.Compiled
	fmt.Fprintf(w, "\nloaded in %.2f s (warm: %v): %d databases of %.1f MiB, Go heap %.1f MiB\n", c.Seconds, c.Warm, c.Databases, float64(c.DatabaseBytes)/(1<<20), float64(c.HeapBytes)/(1<<20))
	return nil
}

// clip shortens a text for a line of a terminal.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func counts(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%d %s", m[k], k))
	}
	return strings.Join(out, ", ")
}
