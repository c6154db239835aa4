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
	var taps, bridges, gateways []string
	var asJSON bool
	var socket string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host lacks or has set badly, and the command that mends it",
		Long: `Doctor looks at privileges, kernel, CPU, memory, clock, folders, ports (driver,
XDP, offloads, rings, queues, interrupts, MTU), leftovers of a crashed run, rules,
policy and broker, as the daemon would use them. It changes nothing. It exits with 1 when something would keep the daemon from working.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			cfg.Ports.Taps = append(cfg.Ports.Taps, split(taps)...)
			cfg.Ports.Gateways = append(cfg.Ports.Gateways, split(gateways)...)
			for _, b := range bridges {
				var pair config.Bridge
				if err := pair.UnmarshalText([]byte(b)); err != nil {
					return fmt.Errorf("--bridge: %w", err)
				}
				cfg.Ports.Bridges = append(cfg.Ports.Bridges, pair)
			}
			if socket != "" {
				cfg.ControlSocket = socket
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
	c.Flags().StringArrayVar(&gateways, "gateway", nil, "look at the LAN port `IF` too; repeats")
	c.Flags().StringVar(&socket, "socket", "", "control socket `PATH` of the daemon that may run")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
