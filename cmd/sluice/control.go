package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/control"
)

// client adds --socket and --json to a command that talks to a daemon.
func client(c *cobra.Command, asJSON *bool) func() *control.Client {
	socket := c.Flags().String("socket", control.DefaultSocket, "control socket `PATH`")
	if asJSON != nil {
		c.Flags().BoolVar(asJSON, "json", false, "print JSON")
	}
	return func() *control.Client { return control.NewClient(*socket) }
}

// refused gives the exit code for a daemon's answer: absence is unusable input,
// a refusal is a failure.
func refused(err error) error {
	var e *control.Error
	if errors.As(err, &e) {
		return &exitError{exitFindings, err}
	}
	return err
}

func statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "status", Short: "Show how a running daemon does", Args: cobra.NoArgs}
	cl := client(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var s app.Status
		if err := cl().Do(c.Context(), "GET", "status", nil, &s); err != nil {
			return refused(err)
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(s)
		}
		printStatus(c.OutOrStdout(), s)
		return nil
	}
	return c
}

func printStatus(out io.Writer, s app.Status) {
	fmt.Fprintf(out, "%s, pid %d, sensor %s, up %s\n", s.Version, s.PID, s.Sensor, time.Duration(s.Uptime*float64(time.Second)).Round(time.Second))
	mode := "enforcing"
	if s.Monitor {
		mode = "monitor: nothing is enforced"
	}
	if s.Fail != "" {
		mode += ", fail " + s.Fail
	}
	fmt.Fprintf(out, "%s; %d rules (%d rejected), policy %s, %d block entries\n\n", mode, s.Rules, s.Rejected, s.Policy, s.Blocked)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PORT\tMODE\tXDP\tWORKERS\tFRAMES\tBYTES\tLOST\tSENT\tSEND ERRORS")
	for _, p := range s.Ports {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", p.Name, p.Mode, p.XDP, p.Workers, p.Frames, p.Bytes, p.Dropped, p.Sent, p.SendLost)
	}
	w.Flush()
	printRings(out, s.Ports)
	fmt.Fprintf(out, "\nevents: %d published, %d queued, %d lost; NATS %s, %d stored\n", s.Events.Published, s.Events.Queued, s.Events.Dropped, natsState(s), s.Events.Acked)
	printCoverage(out, s.Counters)
	printCounters(out, "\ncounters", s.Counters)
	printCounters(out, "\nXDP frames", s.XDP)
}

// printRings shows the workers' shares of the ports.
func printRings(out io.Writer, ports []app.PortStatus) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "\nRING\tCPU\tFRAMES\tLOST\tFILL\tSENT\tSEND ERRORS")
	for _, p := range ports {
		for _, r := range p.Rings {
			cpu := "any"
			if r.CPU != nil {
				cpu = strconv.Itoa(*r.CPU)
			}
			fmt.Fprintf(w, "%s:%d\t%s\t%d\t%d\t%.0f%%\t%d\t%d\n", p.Name, r.Worker, cpu, r.Frames, r.Dropped, r.Fill, r.Sent, r.SendLost)
		}
	}
}

// printCoverage tells what became of the bytes that left.
func printCoverage(out io.Writer, counters map[string]uint64) {
	var sum uint64
	kinds := []string{"inspected", "encrypted", "bypassed", "unscannable"}
	for _, k := range kinds {
		sum += counters["coverage.egress_bytes."+k]
	}
	if sum == 0 {
		return
	}
	fmt.Fprintf(out, "egress: %d bytes", sum)
	for _, k := range kinds {
		fmt.Fprintf(out, ", %.1f%% %s", float64(counters["coverage.egress_bytes."+k])*100/float64(sum), k)
	}
	fmt.Fprintln(out)
}

func natsState(s app.Status) string {
	switch {
	case s.NATS == "":
		return "off"
	case s.Events.Connected:
		return s.NATS + " connected"
	}
	return s.NATS + " not connected"
}

func printCounters(out io.Writer, title string, m map[string]uint64) {
	names := make([]string, 0, len(m))
	for n, v := range m {
		if v > 0 {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return
	}
	sort.Strings(names)
	fmt.Fprintln(out, title)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, n := range names {
		fmt.Fprintf(w, "  %s\t%d\n", n, m[n])
	}
	w.Flush()
}

func reloadCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "reload", Short: "Make a running daemon load rules, policy and block lists anew", Args: cobra.NoArgs,
		Long: "Reload loads rules, policy and block lists anew and swaps them atomically.\nWith errors in them the running ones go on, and the errors are told."}
	cl := client(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var r app.ReloadReply
		if err := cl().Do(c.Context(), "POST", "reload", nil, &r); err != nil {
			return refused(err)
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(r)
		}
		fmt.Fprintf(c.OutOrStdout(), "%d rules loaded, %d disabled, %d rejected\n", r.Loaded, r.Disabled, r.Rejected)
		return nil
	}
	return c
}

func confirmCommand() *cobra.Command {
	c := &cobra.Command{Use: "confirm", Short: "Confirm a start that was made with --confirm", Args: cobra.NoArgs}
	cl := client(c, nil)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return refused(cl().Do(c.Context(), "POST", "confirm", nil, nil))
	}
	return c
}

func blockCommand() *cobra.Command {
	block := &cobra.Command{Use: "block", Short: "Block addresses in the kernel, by hand"}
	block.AddCommand(blockAddCommand(), blockDelCommand(), blockListCommand())
	return block
}

func handoverCommand() *cobra.Command {
	c := &cobra.Command{Use: "handover", Short: "Stop a running daemon and leave its ports to the kernel until the next one", Args: cobra.NoArgs,
		Long: `Handover ends the daemon without a frame being lost: the kernel goes on forwarding
between inline ports (or drops, with fail closed), block lists stay in force, and
the next daemon takes over. So an upgrade is: install the new program, run
` + "`sluice handover`" + `, start the new daemon (systemd does, with Restart=always). What goes
by in between is told as a gap event. A stop, in contrast, gives the ports back.`}
	cl := client(c, nil)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := cl().Do(c.Context(), "POST", "handover", nil, nil); err != nil {
			return refused(err)
		}
		fmt.Fprintln(c.OutOrStdout(), "the daemon leaves its ports to the kernel and ends")
		return nil
	}
	return c
}

func blockAddCommand() *cobra.Command {
	var req app.BlockRequest
	c := &cobra.Command{Use: "add PREFIX", Short: "Block an address or prefix", Args: cobra.ExactArgs(1)}
	cl := client(c, nil)
	c.Flags().DurationVar(&req.TTL, "ttl", 0, "forget the entry after this time")
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for events")
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := app.ParsePrefix(args[0]); err != nil {
			return err
		}
		req.Prefix = args[0]
		return refused(cl().Do(c.Context(), "POST", "block", req, nil))
	}
	return c
}

func blockDelCommand() *cobra.Command {
	c := &cobra.Command{Use: "del PREFIX", Short: "Unblock what was blocked by hand", Args: cobra.ExactArgs(1)}
	cl := client(c, nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := app.ParsePrefix(args[0]); err != nil {
			return err
		}
		return refused(cl().Do(c.Context(), "POST", "unblock", app.BlockRequest{Prefix: args[0]}, nil))
	}
	return c
}

func blockListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "List what is blocked", Args: cobra.NoArgs}
	cl := client(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var list []app.BlockEntry
		if err := cl().Do(c.Context(), "GET", "block", nil, &list); err != nil {
			return refused(err)
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(list)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "PREFIX\tLIST\tEXPIRES\tREASON")
		for _, e := range list {
			expires := "never"
			if e.Expires != nil {
				expires = time.Until(*e.Expires).Round(time.Second).String()
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Prefix, e.List, expires, e.Reason)
		}
		return w.Flush()
	}
	return c
}

func eventsCommand() *cobra.Command {
	var typ string
	c := &cobra.Command{Use: "events", Short: "Follow a running daemon's events", Args: cobra.NoArgs}
	cl := client(c, nil)
	c.Flags().StringVar(&typ, "type", "", "only events of this `TYPE`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		body, err := cl().Stream(c.Context(), "events")
		if err != nil {
			return refused(err)
		}
		defer body.Close()
		sc := bufio.NewScanner(body)
		sc.Buffer(make([]byte, 64<<10), 16<<20)
		for sc.Scan() {
			if typ != "" {
				var e struct {
					Type string `json:"event_type"`
				}
				if json.Unmarshal(sc.Bytes(), &e) != nil || e.Type != typ {
					continue
				}
			}
			fmt.Fprintf(c.OutOrStdout(), "%s\n", sc.Bytes())
		}
		if errors.Is(c.Context().Err(), context.Canceled) {
			return nil
		}
		return sc.Err()
	}
	return c
}
