package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/app"
	"sluice/internal/netlab"
)

// printer writes the account and counts.
type printer struct {
	w              io.Writer
	colour         bool
	passed, failed int
}

func newPrinter(w io.Writer) *printer {
	p := &printer{w: w}
	if f, ok := w.(*os.File); ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		st, err := f.Stat()
		p.colour = err == nil && st.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// ANSI colours.
const (
	bold  = "1"
	red   = "31"
	green = "32"
	dim   = "2"
)

func (p *printer) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// width is that of the left column.
const width = 8

// say writes one aspect of a case; further lines of text are indented alike.
func (p *printer) say(who, format string, args ...any) {
	text := strings.ReplaceAll(strings.TrimRight(fmt.Sprintf(format, args...), "\n"), "\n", "\n   "+strings.Repeat(" ", width))
	fmt.Fprintf(p.w, "   %s%s\n", p.paint(dim, fmt.Sprintf("%-*s", width, who)), text)
}

// one is a case of the demonstration: it tells what happens and gives the first
// thing that is not as it should be.
type one struct {
	title string
	play  func(context.Context, *demo) error
}

// caseTimeout bounds one case.
const caseTimeout = 20 * time.Second

func (d *demo) play(ctx context.Context, c one) {
	fmt.Fprintf(d.w, "\n%s\n", d.paint(bold, fmt.Sprintf("%d. %s", d.passed+d.failed+1, c.title)))
	limited, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	begin := time.Now()
	err := c.play(limited, d)
	took := d.paint(dim, fmt.Sprintf("(%v)", time.Since(begin).Round(time.Millisecond)))
	switch {
	case ctx.Err() != nil: // the case was interrupted, not refuted
	case err != nil:
		d.failed++
		d.say("", "%s %s", d.paint(red, "FAILED: "+err.Error()), took)
	default:
		d.passed++
		d.say("", "%s %s", d.paint(green, "passed"), took)
	}
}

func (d *demo) intro() {
	fmt.Fprintf(d.w, "%s\n", d.paint(bold, "Sluice between a client and a server, as a bridge"))
	fmt.Fprintf(d.w, "   client %s ── %s [ sluice ] %s ── server %s\n", netlab.Client4, netlab.InsideIf, netlab.OutsideIf, netlab.Server4)
	fmt.Fprintf(d.w, "   network namespaces %s, %s, %s\n", d.lab.Client.Name(), d.lab.Gateway.Name(), d.lab.Server.Name())
}

func (d *demo) started(st app.Status) {
	xdp := make([]string, len(st.Ports))
	for i, p := range st.Ports {
		xdp[i] = p.XDP + " XDP on " + p.Name
	}
	fmt.Fprintf(d.w, "   %s, pid %d: %d rules, policy %s, %d workers, %s, NATS on %s\n",
		st.Version, st.PID, st.Rules, st.Policy, st.Ports[0].Workers, strings.Join(xdp, ", "), st.NATS)
}

func (d *demo) total(took time.Duration) {
	fmt.Fprintf(d.w, "\n%s\n", d.paint(dim, fmt.Sprintf("took %v", took.Round(100*time.Millisecond))))
	line := fmt.Sprintf("demo: %d passed, %d failed", d.passed, d.failed)
	colour := green
	if d.failed > 0 {
		colour = red
	}
	fmt.Fprintln(d.w, d.paint(colour, line))
}

// tell prints an event as the SOC got it, without the envelope.
func (d *demo) tell(e stage.Event) {
	var what string
	switch {
	case e.DLP != nil:
		what = fmt.Sprintf("%s by rule %s, enforced %v, level %s, %s %s\nobject %q (%s)", e.DLP.Action, e.DLP.Rule, e.DLP.Enforced, e.DLP.Level,
			e.DLP.Direction, e.DLP.Channel, e.DLP.Object.Name, e.DLP.Object.Type)
		for i, f := range e.DLP.Findings {
			if i == 3 {
				what += fmt.Sprintf("\nand %d more", len(e.DLP.Findings)-i)
				break
			}
			what += fmt.Sprintf("\n%d × %s: %s", f.Count, f.Detector, strings.Join(f.Masked, ", "))
		}
	case e.Alert != nil:
		what = fmt.Sprintf("%s [%d] %q, %s, severity %d", e.Alert.Action, e.Alert.ID, e.Alert.Signature, e.Alert.Category, e.Alert.Severity)
	case e.Drop != nil:
		what = fmt.Sprintf("%s → %s %s, reason %q, list %q, by %s, count %d", e.Src, e.Dst, e.Proto, e.Drop.Reason, e.Drop.List, e.Drop.Source, e.Drop.Count)
	case e.HTTP != nil:
		what = fmt.Sprintf("%s %s%s → %d", e.HTTP.Method, e.HTTP.Host, e.HTTP.URL, e.HTTP.Status)
	case e.TLS != nil:
		what = fmt.Sprintf("%s → %s, SNI %s, %s", e.Src, e.Dst, e.TLS.SNI, e.TLS.Version)
	case e.DNS != nil && len(e.DNS.Queries) > 0:
		what = fmt.Sprintf("%s → %s, %s %s", e.Src, e.Dst, e.DNS.Queries[0].Type, e.DNS.Queries[0].Name)
	default:
		what = string(e.Raw)
	}
	d.say("SOC", "%s: %s", e.Subject, what)
}

// await waits for an event and tells it.
func (d *demo) await(ctx context.Context, mark int, what string, ok func(*stage.Event) bool) (stage.Event, error) {
	e, err := d.soc.Await(ctx, mark, ok)
	if err != nil {
		return e, fmt.Errorf("%s: %w", what, err)
	}
	d.tell(e)
	return e, nil
}

// all joins what is not as it should be.
func all(wrong ...error) error { return errors.Join(wrong...) }

// must gives an error unless the claim holds.
func must(holds bool, format string, args ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, args...)
}
