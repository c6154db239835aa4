package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"sluice/internal/app"
	"sluice/internal/control"
)

func topCommand() *cobra.Command {
	var asJSON, once bool
	var most int
	var every time.Duration
	c := &cobra.Command{Use: "top", Short: "Watch a running daemon: top talkers, rates, drops by reason, workers' load", Args: cobra.NoArgs,
		Long: `Top shows the daemon's rates, who sends most and what becomes of it, and what is
dropped, anew each second, until Ctrl-C. With --json it writes one status object
and ends; with --json and --interval, one object a line until Ctrl-C.

Talkers are counted by the workers, only while somebody looks, in a memory that
does not grow with their number: what is told of the heaviest is what was counted
since they were noticed in the last second. In a flood a part of the packets is
counted for all of them, and top says so. Packets that XDP drops, workers never
see: those have a table of their own, by the sources that were seen.`}
	cl := client(c, &asJSON)
	c.Flags().BoolVar(&once, "once", false, "show it once")
	c.Flags().DurationVar(&every, "interval", time.Second, "time between two looks; rates are of the last second")
	c.Flags().IntVar(&most, "most", 5, "rows of talkers of a kind, at most 20")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if every < 100*time.Millisecond {
			return fmt.Errorf("--interval %v is too short", every)
		}
		out := c.OutOrStdout()
		once := once || asJSON && !c.Flags().Changed("interval")
		if most < 0 {
			return fmt.Errorf("--most %d is no number of rows", most)
		}
		show := func(s *app.Status) error { return showPlain(out, s, most) }
		if asJSON {
			enc := json.NewEncoder(out)
			show = func(s *app.Status) error { return enc.Encode(s) }
		} else if f, ok := out.(*os.File); ok && !once && isTerminal(f) {
			scr := &screen{f: f, most: most}
			if err := scr.enter(); err != nil {
				return err
			}
			defer scr.leave()
			show = scr.show
		}
		return watch(c.Context(), cl(), every, once, show)
	}
	return c
}

// watch shows the daemon's state again and again. The first look waits until
// there are rates.
func watch(ctx context.Context, cl *control.Client, every time.Duration, once bool, show func(*app.Status) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for begin := time.Now(); ; {
		var s app.Status
		if err := cl.Do(ctx, "GET", "top", nil, &s); err != nil {
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil
			}
			return refused(err)
		}
		if s.Rates.Seconds > 0 && s.Talkers != nil || time.Since(begin) > 3*time.Second || !once {
			if err := show(&s); err != nil || once {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// printTop writes one view of the state.
func printTop(out io.Writer, s *app.Status, most int) {
	printHead(out, s)
	printRates(out, s)
	printPorts(out, s)
	printWorkers(out, s)
	printTalkers(out, s.Talkers, most)
	printDrops(out, s)
	if len(s.Sources) > 0 {
		fmt.Fprintln(out)
		w := table(out)
		fmt.Fprintln(w, "DROPPED SOURCE\tREASON\tLIST\tSEEN")
		for _, d := range s.Sources {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", d.Src, d.Reason, d.List, d.Count)
		}
		w.Flush()
	}
}

func showPlain(out io.Writer, s *app.Status, most int) error {
	var b bytes.Buffer
	printTop(&b, s, most)
	_, err := out.Write(b.Bytes())
	return err
}

// screen is a terminal whose content comes back when it is left.
type screen struct {
	f *os.File
	// most is how many talkers of a kind are shown.
	most int
}

// ANSI sequences (ECMA-48, and xterm's for the alternate screen).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	goHome      = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

func (s *screen) enter() error {
	_, err := io.WriteString(s.f, enterScreen)
	return err
}

func (s *screen) leave() { _, _ = io.WriteString(s.f, leaveScreen) }

func (s *screen) show(st *app.Status) error {
	var b bytes.Buffer
	printTop(&b, st, s.most)
	width, height := 80, 24
	if ws, err := unix.IoctlGetWinsize(int(s.f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Col > 0 && ws.Row > 0 {
		width, height = int(ws.Col), int(ws.Row)
	}
	_, err := io.WriteString(s.f, fit(b.String(), width, height))
	return err
}

// fit makes a text a screenful, without a flicker: each line is written over the
// one before and cleared to its end.
func fit(text string, width, height int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > height {
		lines = lines[:height]
	}
	var b strings.Builder
	b.WriteString(goHome)
	for i, l := range lines {
		// What is shown comes from the daemon: nothing in it moves the cursor.
		r := []rune(strings.Map(printable, l))
		b.WriteString(string(r[:min(len(r), width)]))
		b.WriteString(clearLine)
		if i < len(lines)-1 {
			b.WriteString("\r\n")
		}
	}
	b.WriteString(clearBelow)
	return b.String()
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return '?'
	}
	return r
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
