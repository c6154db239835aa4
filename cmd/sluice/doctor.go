package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
)

func doctorCommand() *cobra.Command {
	var f common
	var taps, bridges []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host lacks or has set badly, and the command that mends it",
		Long: `Doctor looks at privileges, kernel, CPU, clock, folders, ports, leftovers of a
crashed run, rules, policy and broker, as the daemon would use them. It changes
nothing. It exits with 1 when something would keep the daemon from working.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			cfg.Ports.Taps = append(cfg.Ports.Taps, split(taps)...)
			for _, b := range bridges {
				var pair config.Bridge
				if err := pair.UnmarshalText([]byte(b)); err != nil {
					return fmt.Errorf("--bridge: %w", err)
				}
				cfg.Ports.Bridges = append(cfg.Ports.Bridges, pair)
			}
			found := app.Doctor(c.Context(), cfg)
			out, failed := c.OutOrStdout(), false
			for _, x := range found {
				failed = failed || x.Level == app.LevelFailure
			}
			if asJSON {
				if err := json.NewEncoder(out).Encode(found); err != nil {
					return err
				}
			} else {
				for _, x := range found {
					fmt.Fprintf(out, "%-8s %-16s %s\n", x.Level, x.Check, x.Detail)
					if x.Mend != "" {
						fmt.Fprintf(out, "%-8s %-16s   -> %s\n", "", "", x.Mend)
					}
				}
			}
			if failed {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&taps, "tap", nil, "look at interface `IF` too; repeats")
	c.Flags().StringArrayVar(&bridges, "bridge", nil, "look at the ports `INSIDE,OUTSIDE` too; repeats")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
