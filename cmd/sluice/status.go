package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/app"
)

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
	printHead(out, &s)
	printPorts(out, &s)
	printWorkers(out, &s)
	printRates(out, &s)
	printCoverage(out, s.Counters)
	printDrops(out, &s)
	if len(s.Segments) > 0 {
		fmt.Fprintln(out, "\nsegmentation")
		w := table(out)
		fmt.Fprintln(w, "  RULE\tPACKETS\tBYTES")
		for _, r := range s.Segments {
			fmt.Fprintf(w, "  %s\t%d\t%s\n", r.Rule, r.Packets, bytesOf(float64(r.Bytes)))
		}
		w.Flush()
	}
	fmt.Fprintf(out, "\nevents: %d published, %d queued, %d lost; NATS %s, %d stored, %s waiting\n", s.Events.Published, s.Events.Queued, s.Events.Dropped, natsState(s), s.Events.Acked, bytesOf(float64(s.Events.Spooled)))
	for _, sink := range slices.Sorted(maps.Keys(s.Events.Lost)) {
		fmt.Fprintf(out, "        %d not taken by %s: see the log\n", s.Events.Lost[sink], sink)
	}
	printCounters(out, "\ncounters", s.Counters)
}

func table(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 4, 2, ' ', 0) }

func printHead(out io.Writer, s *app.Status) {
	fmt.Fprintf(out, "%s, pid %d, sensor %s, up %s\n", s.Version, s.PID, s.Sensor, time.Duration(s.Uptime*float64(time.Second)).Round(time.Second))
	mode := "enforcing"
	if s.Monitor {
		mode = "monitor: nothing is enforced"
	}
	if s.Fail != "" {
		mode += ", fail " + s.Fail
	}
	fmt.Fprintf(out, "%s; %d rules (%d rejected), policy %s\n", mode, s.Rules, s.Rejected, s.Policy)
	fmt.Fprintf(out, "%d block entries, %d allow entries, %d hosts in quarantine\n", s.Blocked, s.Allowed, s.Quarantined)
	if !s.Ready {
		fmt.Fprintln(out, "the workers are not in charge yet")
	}
}

func printPorts(out io.Writer, s *app.Status) {
	fmt.Fprintln(out)
	w := table(out)
	fmt.Fprintln(w, "PORT\tMODE\tXDP\tFRAMES\tBYTES\tFRAMES/S\tBIT/S\tLOST\tSENT\tSEND ERRORS")
	for i := range s.Ports {
		p := &s.Ports[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\n", p.Name, p.Mode, xdpOf(p), p.Frames, bytesOf(float64(p.Bytes)), number(p.FrameRate), number(p.BitRate), p.Dropped, p.Sent, p.SendLost)
	}
	w.Flush()
	seen := map[string]bool{}
	for i := range s.Ports {
		if s.Ports[i].Gone {
			fmt.Fprintf(out, "%s is gone: nothing is inspected there until sluice is started again\n", s.Ports[i].Name)
		}
		if why := s.Ports[i].XDPReason; why != "" && !seen[why] {
			seen[why] = true
			fmt.Fprintf(out, "XDP is generic: %s\n", why)
		}
	}
}

// xdpOf gives a port's XDP mode in a word or two.
func xdpOf(p *app.PortStatus) string {
	switch {
	case p.XDP == "":
		return "off"
	case p.XDPIdle:
		return p.XDP + ", idle"
	}
	return p.XDP
}

// printWorkers shows each worker, with a line for each of its ports: what its own
// thread does stands in the first.
func printWorkers(out io.Writer, s *app.Status) {
	fmt.Fprintln(out)
	w := table(out)
	defer w.Flush()
	fmt.Fprintln(w, "WORKER\tCPU\tLOAD\tFRAMES/S\tFORWARDED\tWITHHELD\tINJECTED\tPORT\tFRAMES\tLOST\tFILL\tSENT\tSEND ERRORS")
	for _, l := range s.Loads {
		own := fmt.Sprintf("%s %d\t%s\t%.0f %%\t%s\t%d\t%d\t%d", l.Mode, l.Index, cpuOf(s, &l), 100*l.Load, number(l.FrameRate), l.Forwarded, l.Withheld, l.Injected)
		shares := ringsOf(s, &l)
		if len(shares) == 0 {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t\t\t\n", own, l.Ports, l.Frames, l.Dropped)
		}
		for _, r := range shares {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.0f %%\t%d\t%d\n", own, r.port, r.Frames, r.Dropped, r.Fill, r.Sent, r.SendLost)
			own = "\t\t\t\t\t\t"
		}
	}
}

// share is a worker's share of a port.
type share struct {
	port string
	*app.RingStatus
}

func ringsOf(s *app.Status, l *app.WorkerStatus) (out []share) {
	names := strings.Split(l.Ports, ",")
	for i := range s.Ports {
		p := &s.Ports[i]
		if p.Mode != l.Mode || !slices.Contains(names, p.Name) {
			continue
		}
		for j := range p.Rings {
			if p.Rings[j].Worker == l.Index {
				out = append(out, share{p.Name, &p.Rings[j]})
			}
		}
	}
	return out
}

// cpuOf names the processor that a worker is pinned to.
func cpuOf(s *app.Status, l *app.WorkerStatus) string {
	for _, r := range ringsOf(s, l) {
		if r.CPU != nil {
			return strconv.Itoa(*r.CPU)
		}
	}
	return "any"
}

// printCoverage tells what became of the bytes that left.
func printCoverage(out io.Writer, counters map[string]uint64) {
	var sum uint64
	kinds := []string{"inspected", "encrypted", "bypassed", "unscannable", "unconcerned"}
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

func printRates(out io.Writer, s *app.Status) {
	r := &s.Rates
	if r.Seconds == 0 {
		fmt.Fprintln(out, "\nno rates yet: the daemon has just begun")
		return
	}
	fmt.Fprintf(out, "\nper second: %s frames, %sbit, %s new flows (%d now), %s alerts, %s findings, %s flows blocked, %s events\n",
		number(r.Frames), number(r.Bits), number(r.Flows), s.Counters["flow.active"], number(r.Alerts), number(r.Findings), number(r.Blocked), number(r.Events))
	fmt.Fprintf(out, "            %s dropped by XDP, %s withheld by workers, %s lost for want of room\n", number(r.Dropped), number(r.Withheld), number(r.Lost))
}

// printDrops tells what XDP did with its frames, what it dropped first.
func printDrops(out io.Writer, s *app.Status) {
	type reason struct {
		name  string
		drops bool
		n     uint64
	}
	var all []reason
	for name, n := range s.XDP {
		all = append(all, reason{name, app.Drops(name), n})
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b reason) int {
		if a.drops != b.drops {
			if a.drops {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name))
	})
	fmt.Fprintln(out)
	w := table(out)
	fmt.Fprintln(w, "XDP\tREASON\tFRAMES\tFRAMES/S")
	for _, r := range all {
		verb := "pass"
		if r.drops {
			verb = "drop"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", verb, r.name, r.n, number(s.XDPRates[r.name]))
	}
	w.Flush()
}

// number gives a rate with at most four digits: 0.4, 12, 3.4k, 56M.
func number(v float64) string {
	for _, unit := range []string{"", "k", "M", "G", "T"} {
		switch {
		case v >= 999.5 && unit != "T":
			v /= 1000
		case v == 0 || v >= 9.95 || unit == "" && v == float64(int64(v)):
			return fmt.Sprintf("%.0f%s", v, unit)
		default:
			return fmt.Sprintf("%.1f%s", v, unit)
		}
	}
	return "much"
}

// bytesOf gives an amount in units of 1,024.
func bytesOf(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < 1024 {
			if unit == "B" || v >= 99.5 {
				return fmt.Sprintf("%.0f %s", v, unit)
			}
			return fmt.Sprintf("%.1f %s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.1f TiB", v)
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
	slices.Sort(names)
	fmt.Fprintln(out, title)
	w := table(out)
	for _, n := range names {
		fmt.Fprintf(w, "  %s\t%d\n", n, m[n])
	}
	w.Flush()
}
