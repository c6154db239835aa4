package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"

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

func reloadCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "reload", Short: "Make a running daemon load rules, policy and block lists anew", Args: cobra.NoArgs,
		Long: `Reload reads the configuration again and loads rules, policy, block lists and what
else the kernel drops anew, swapping them atomically. With errors in them the
running ones go on, and the errors are told. Settings that take a restart and have
changed are named in the daemon's log.`}
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
