package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/app"
)

func quarantineCommand() *cobra.Command {
	q := &cobra.Command{Use: "quarantine", Short: "Stop all that a host sends, or let it send again",
		Long: `A host in quarantine sends to nobody but the destinations of quarantine.allow in
the configuration. Rules of the policy put hosts in quarantine too, with the
action quarantine, and may say for how long and what their hosts still reach. A
quarantine outlives the daemon, and ends by its time to live or by hand.`}
	q.AddCommand(quarantineAddCommand(), quarantineDelCommand(), quarantineListCommand())
	return q
}

func quarantineAddCommand() *cobra.Command {
	var req app.QuarantineRequest
	var ttl time.Duration
	c := &cobra.Command{Use: "add HOST", Short: "Put a host in quarantine", Args: cobra.ExactArgs(1),
		Example: "  sluice quarantine add 10.1.2.3 --ttl 8h --reason 'ticket 4711'"}
	cl := client(c, nil)
	c.Flags().DurationVar(&ttl, "ttl", 0, "end it after this time; 0 is never (default quarantine.ttl of the configuration)")
	c.Flags().StringVar(&req.Link, "link", "", "hold it by its link-layer `ADDRESS` too, and so by all its IP addresses")
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for events")
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := app.ParseHost(args[0]); err != nil {
			return err
		}
		if c.Flags().Changed("ttl") {
			if ttl < 0 {
				return fmt.Errorf("--ttl %v is no time to live", ttl)
			}
			req.TTL = &ttl
		}
		if _, err := app.ParseLink(req.Link); err != nil {
			return err
		}
		req.Host = args[0]
		return refused(cl().Do(c.Context(), "POST", "quarantine", req, nil))
	}
	return c
}

func quarantineDelCommand() *cobra.Command {
	c := &cobra.Command{Use: "del HOST", Short: "End a host's quarantine", Args: cobra.ExactArgs(1)}
	cl := client(c, nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := app.ParseHost(args[0]); err != nil {
			return err
		}
		return refused(cl().Do(c.Context(), "POST", "release", app.QuarantineRequest{Host: args[0]}, nil))
	}
	return c
}

func quarantineListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "List the hosts in quarantine", Args: cobra.NoArgs}
	cl := client(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var list []app.QuarantineEntry
		if err := cl().Do(c.Context(), "GET", "quarantine", nil, &list); err != nil {
			return refused(err)
		}
		if asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(list)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "HOST\tLINK\tSINCE\tEXPIRES\tBY\tREACHES\tREASON")
		for _, e := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Host, e.Link, e.Since.Local().Format(time.DateTime), inTime(e.Expires), e.By, e.Reaches(), e.Reason)
		}
		return w.Flush()
	}
	return c
}
