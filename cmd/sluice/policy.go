package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/classifiers"
	"sluice/classifiers/scan"
	"sluice/dataplane/policy"
	"sluice/internal/app"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Understand what the policy does", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(explainPolicyCommand())
	return c
}

func explainPolicyCommand() *cobra.Command {
	var f common
	var asJSON, all bool
	var channel, direction, source, destination, user, when, confidence string
	var port uint16
	c := &cobra.Command{
		Use:   "explain [flags] FILE|PCAP...",
		Short: "Tell which rule decided about an object, and why the others did not",
		Long: `Explain asks the policy about files, and about every object in the traffic of
capture files, as live traffic is judged. For each it says what was decided, and
of every exception and rule in order how it stood: the first condition that does
not hold, with what it asks for and what there was.

A file is thought to be uploaded to somewhere outside, now; --channel and the
like pretend something else. Captures are told by content.`,
		Example: "  sluice policy explain --policy my.yaml report.xlsx\n  sluice policy explain --channel smtp --destination bob@example.com offer.pdf\n  sluice policy explain --json capture.pcap",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			if err := finish(cfg); err != nil {
				return err
			}
			p, err := app.LoadPolicy(cfg)
			if err != nil {
				return err
			}
			o := app.ExplainOptions{Paths: args, ChildArgs: []string{extractArg}}
			if o.MinConfidence, err = classifiers.ParseConfidence(confidence); err != nil {
				return fmt.Errorf("--min-confidence: %w", err)
			}
			if p != nil {
				if o.Pretend, err = app.Pretend(p, channel, direction, source, destination, user, when, port, time.Now()); err != nil {
					return err
				}
			}
			for _, n := range []string{"channel", "direction", "source", "destination", "port", "user", "time"} {
				o.Pretended = o.Pretended || c.Flags().Changed(n)
			}
			out := &explainer{w: c.OutOrStdout(), json: asJSON, all: all}
			if f, ok := out.w.(*os.File); ok {
				out.colour = scan.Colour(f)
			}
			err = app.ExplainPolicy(c.Context(), cfg, o, logger(cfg, c.ErrOrStderr()), out.print)
			out.end()
			return err
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each object")
	c.Flags().BoolVar(&all, "all", false, "of captures, show objects too in which nothing was found")
	c.Flags().StringVar(&channel, "channel", "", "pretend that files leave by `CHANNEL` (default http-request)")
	c.Flags().StringVar(&direction, "direction", "", "pretend a direction: egress, ingress, internal, external (default egress)")
	c.Flags().StringVar(&source, "source", "", "pretend a sender: an `ADDRESS` or a mail address")
	c.Flags().StringVar(&destination, "destination", "", "pretend a `RECEIVER`: an address, a domain, or mail addresses with commas")
	c.Flags().Uint16Var(&port, "port", 443, "pretend the receiver's port")
	c.Flags().StringVar(&user, "user", "", "pretend the login of the sender")
	c.Flags().StringVar(&when, "time", "", "pretend a `TIME` such as 2026-11-23T22:30:00Z (default now)")
	c.Flags().StringVar(&confidence, "min-confidence", "medium", "leave out findings of files below: low, medium or high")
	return c
}

// explainer prints explanations.
type explainer struct {
	w                 io.Writer
	json, all, colour bool
	// quiet counts the objects that were not worth showing.
	quiet int
}

func (x *explainer) print(e *app.Explained) error {
	if x.json {
		enc := json.NewEncoder(x.w)
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	}
	o := &e.Object
	if e.Context.Packet > 0 && !x.all && e.Decision.Rule == "" && len(o.Findings) == 0 && o.Unscannable == "" {
		x.quiet++
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", scan.Clean(e.Path), x.decision(&e.Decision))
	if e.Error != "" {
		fmt.Fprintf(&b, "  cannot be read: %s\n", e.Error)
	}
	fmt.Fprintf(&b, "  what   %s\n", describeObject(e))
	fmt.Fprintf(&b, "  how    %s\n", describeContext(&e.Context))
	if len(o.Findings) == 0 {
		b.WriteString("  found  nothing\n")
	}
	for i, n := range o.Findings {
		head := "         "
		if i == 0 {
			head = "  found  "
		}
		fmt.Fprintf(&b, "%s%s %s, %s confidence: %d, %d different %s\n", head, n.Detector, n.Level, n.Confidence, n.Count, n.Unique, strings.Join(n.Masked, " "))
	}
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for i := range e.Rules {
		s := &e.Rules[i]
		mark, kind := "-", ""
		switch {
		case s.Decided:
			mark = ">"
		case s.Matched:
			mark = "+"
		}
		if s.Exception {
			kind = " (exception)"
		}
		if s.Shadow {
			kind += " (shadow)"
		}
		fmt.Fprintf(tw, "  %s %d\t%s%s\t%s\t%s\n", mark, i+1, s.Rule, kind, s.Action, s.Why)
		if s.Decided {
			for _, h := range s.Held {
				fmt.Fprintf(tw, "   \t\t\t  %s: wanted %s, is %s\n", h.Condition, h.Wanted, h.Actual)
			}
		}
	}
	tw.Flush()
	b.WriteByte('\n')
	_, err := io.WriteString(x.w, b.String())
	return err
}

func (x *explainer) end() {
	if x.quiet > 0 {
		fmt.Fprintf(x.w, "%d more objects in which nothing was found passed; --all shows them\n", x.quiet)
	}
}

// decision says what was decided, in colour on a terminal.
func (x *explainer) decision(d *app.ExplainedDecision) string {
	action := d.Action
	if x.colour {
		switch d.Action {
		case policy.ActionName(0):
			action = "\x1b[32m" + action + "\x1b[0m"
		case "alert":
			action = "\x1b[33m" + action + "\x1b[0m"
		default:
			action = "\x1b[31;1m" + action + "\x1b[0m"
		}
	}
	if d.Rule == "" {
		return action + ", as no rule matches"
	}
	kind := "rule"
	if d.Exception {
		kind = "exception"
	}
	s := fmt.Sprintf("%s, by %s %s", action, kind, d.Rule)
	if d.Owner != "" {
		s += " of " + d.Owner
	}
	if d.Reason != "" {
		s += " (" + d.Reason + ")"
	}
	return s
}

func describeObject(e *app.Explained) string {
	o := &e.Object
	var parts []string
	if o.Name != "" && o.Name != e.Path {
		parts = append(parts, scan.Clean(o.Name))
	}
	if o.Type != "" {
		parts = append(parts, o.Type)
	}
	parts = append(parts, fmt.Sprintf("%d bytes", o.Size))
	if !o.Complete {
		parts = append(parts, "not yet complete")
	}
	if o.Unscannable != "" {
		parts = append(parts, "unscannable: "+o.Unscannable)
	}
	if o.Gaps {
		parts = append(parts, "with gaps")
	}
	return strings.Join(parts, ", ")
}

func describeContext(c *app.ExplainedContext) string {
	s := c.Direction + " by " + c.Channel
	if from := join(c.Source, c.Sender, c.User); from != "" {
		s += ", from " + from
	}
	if to := join(append([]string{c.Destination, c.Domain}, c.Recipients...)...); to != "" {
		s += ", to " + to
	}
	if c.Port > 0 {
		s += fmt.Sprintf(", port %d", c.Port)
	}
	s += ", at " + c.Time
	if c.Packet > 0 {
		s += fmt.Sprintf(", packet %d", c.Packet)
	}
	return s
}

func join(names ...string) string {
	var parts []string
	for _, n := range names {
		if n != "" {
			parts = append(parts, scan.Clean(n))
		}
	}
	return strings.Join(parts, " ")
}
