package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
)

func runCommand() *cobra.Command {
	var f common
	var taps, bridges, gateways []string
	var monitor, force bool
	var fail, inject, socket string
	var confirm time.Duration
	c := &cobra.Command{
		Use:   "run [flags]",
		Short: "Inspect live traffic: the daemon",
		Long: `Run inspects live traffic until it is told to stop (SIGINT, SIGTERM).

As a tap it listens to mirror ports or to a router's own port. As a bridge it is
a bump in the wire between two ports, and withholds what must not pass. As a
gateway it does the same on the LAN port of a host that routes. SIGHUP does
what sluice reload does. It works with no file at all.`,
		Example: "  sluice run --bridge eth1,eth2\n  sluice run --tap eth0 --monitor --eve /var/log/sluice/eve.json",
		Args:    cobra.NoArgs,
	}
	configure := func() (*config.Config, error) {
		cfg, err := f.load()
		if err != nil {
			return nil, err
		}
		p := &cfg.Ports
		p.Taps = append(p.Taps, split(taps)...)
		p.Gateways = append(p.Gateways, split(gateways)...)
		for _, b := range bridges {
			var pair config.Bridge
			if err := pair.UnmarshalText([]byte(b)); err != nil {
				return nil, fmt.Errorf("--bridge: %w", err)
			}
			p.Bridges = append(p.Bridges, pair)
		}
		if monitor {
			p.Monitor = true
		}
		if force {
			p.Force = true
		}
		if fail != "" {
			if fail != "open" && fail != "closed" {
				return nil, fmt.Errorf("--fail %q is neither open nor closed", fail)
			}
			p.Fail = fail
		}
		if inject != "" {
			p.Inject = inject
		}
		if confirm > 0 {
			p.Confirm = config.Duration(confirm)
		}
		if socket != "" {
			cfg.ControlSocket = socket
		}
		if cfg.Outputs.NATS.URL == "" {
			cfg.Outputs.NATS.URL = app.NATSEmbedded
		}
		return cfg, finish(cfg)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := configure()
		if err != nil {
			return err
		}
		return app.Run(c.Context(), cfg, configure, logger(cfg, c.ErrOrStderr()))
	}
	f.add(c)
	f.addOutputs(c, app.NATSEmbedded)
	c.Flags().StringArrayVar(&taps, "tap", nil, "listen to interface `IF`; repeats")
	c.Flags().StringArrayVar(&bridges, "bridge", nil, "stand between the ports `INSIDE,OUTSIDE`; repeats")
	c.Flags().StringArrayVar(&gateways, "gateway", nil, "stand inline on the LAN port `IF` of a host that routes; repeats")
	c.Flags().BoolVar(&monitor, "monitor", false, "judge and report, enforce nothing")
	c.Flags().BoolVar(&force, "force", false, "take a port even if it carries the host's own traffic")
	c.Flags().StringVar(&fail, "fail", "", "what the kernel does without the daemon: open or closed (default open)")
	c.Flags().StringVar(&inject, "inject", "", "send resets through interface `IF` where taps cannot send")
	c.Flags().DurationVar(&confirm, "confirm", 0, "roll back unless 'sluice confirm' comes within this `DURATION`")
	c.Flags().StringVar(&socket, "socket", "", "control socket `PATH`")
	return c
}

// split takes lists apart that were written with commas.
func split(list []string) []string {
	var out []string
	for _, s := range list {
		for _, p := range strings.Split(s, ",") {
			if p = strings.TrimSpace(p); p != "" {
				out = append(out, p)
			}
		}
	}
	return out
}
