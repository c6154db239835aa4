package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"

	"sluice/internal/app"
)

func replayCommand() *cobra.Command {
	var f common
	var mode string
	var workers int
	var noChecksum, asJSON bool
	var profile string
	c := &cobra.Command{
		Use:   "replay [flags] PCAP...",
		Short: "Run capture files through the same workers as live traffic",
		Long: `Replay reads pcap and pcapng files (plain, gzip or zstd; - for standard input),
judges them as live traffic is judged, and prints a summary. It needs no
privilege and gives the same events every time.`,
		Example: "  sluice replay --eve - capture.pcap\n  sluice replay --rules my.rules --policy none --json *.pcap",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if mode != "inline" && mode != "ids" {
				return fmt.Errorf("--mode %q is neither inline nor ids", mode)
			}
			cfg, err := f.load()
			if err != nil {
				return err
			}
			if workers == 0 {
				workers = cfg.Workers
			}
			if workers == 0 {
				workers = 1
			}
			if workers < 0 || workers > 256 {
				return fmt.Errorf("--workers %d: from 1 to 256 are possible", workers)
			}
			if err := finish(cfg); err != nil {
				return err
			}
			if profile != "" {
				f, err := os.Create(profile)
				if err != nil {
					return err
				}
				defer f.Close()
				if err := pprof.StartCPUProfile(f); err != nil {
					return err
				}
				defer pprof.StopCPUProfile()
			}
			sum, err := app.Replay(c.Context(), cfg, app.ReplayOptions{Files: args, Workers: workers, Inline: mode == "inline", NoChecksum: noChecksum},
				logger(cfg, c.ErrOrStderr()))
			if err != nil && sum.Seconds == 0 {
				return &exitError{exitUsage, err}
			}
			out := c.OutOrStdout()
			if cfg.Outputs.EVE.Enabled && cfg.Outputs.EVE.Filename == "-" {
				out = c.ErrOrStderr() // the events are on standard output
			}
			printReplay(out, sum, asJSON)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return nil
		},
	}
	f.add(c)
	f.addOutputs(c, "off")
	c.Flags().StringVar(&f.evid, "evidence", "", "keep evidence in `DIR`, encrypted for outputs.evidence.recipients")
	c.Flags().StringVar(&mode, "mode", "inline", "inline judges as a box in the path does, ids as a listener does")
	c.Flags().IntVar(&workers, "workers", 0, "worker threads (default 1, or the configuration's)")
	c.Flags().BoolVar(&noChecksum, "no-checksum", false, "accept wrong checksums")
	c.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile of the run to `FILE`, for go tool pprof")
	c.Flags().BoolVar(&asJSON, "json", false, "print the summary as one JSON object")
	return c
}

// printReplay writes the summary.
func printReplay(w io.Writer, s app.ReplaySummary, asJSON bool) {
	if asJSON {
		json.NewEncoder(w).Encode(s)
		return
	}
	fmt.Fprintf(w, "packets        %d\nbytes          %d\nflows          %d\nalerts         %d\nfindings       %d\nblocked flows  %d\nevents         %d\n",
		s.Packets, s.Bytes, s.Flows, s.Alerts, s.Findings, s.BlockedFlows, s.Events)
	fmt.Fprintf(w, "rules          %d loaded, %d rejected\nseconds        %.3f (start-up %.3f)\nMbit/s         %.0f\n",
		s.RulesLoaded, s.RulesRejected, s.Seconds, s.LoadSeconds, s.Mbps)
}
