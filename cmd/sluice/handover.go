package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

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
