package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/control"
)

func blockCommand() *cobra.Command {
	block := &cobra.Command{Use: "block", Short: "Block addresses in the kernel, by hand"}
	block.AddCommand(blockAddCommand(), blockDelCommand(), blockListCommand())
	return block
}

const blockFileHelp = `A file holds an address or prefix a line, then optionally the reason; text after
# or ; is a comment. A file with a bad line changes nothing. - is standard input.`

// blockTarget checks that a command names a prefix or a file, and not both.
func blockTarget(args []string, file string) error {
	switch {
	case file == "" && len(args) == 0:
		return errors.New("name a PREFIX, or a file with --file")
	case file != "" && len(args) > 0:
		return errors.New("name a PREFIX or a file, not both")
	case file == "":
		_, err := app.ParsePrefix(args[0])
		return err
	}
	return nil
}

// sendBlockFile has the daemon read a block list file.
func sendBlockFile(c *cobra.Command, cl *control.Client, file string, q url.Values) error {
	r, name := c.InOrStdin(), "standard input"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		r, name = f, file
	}
	q.Set("file", name)
	var reply app.BlockReply
	if err := cl.Upload(c.Context(), "block-file?"+q.Encode(), r, &reply); err != nil {
		return refused(err)
	}
	fmt.Fprintf(c.OutOrStdout(), "%d of %d entries\n", reply.Changed, reply.Entries)
	return nil
}

func blockAddCommand() *cobra.Command {
	var req app.BlockRequest
	var file string
	c := &cobra.Command{Use: "add {PREFIX | --file FILE}", Short: "Block an address or prefix, or a file of them", Args: cobra.MaximumNArgs(1),
		Long:    "Add blocks an address or prefix from now on, over restarts, until the time to\nlive ends or it is taken back.\n\n" + blockFileHelp,
		Example: "  sluice block add 203.0.113.66 --ttl 24h --reason 'scans us'\n  sluice block add --file feed.txt --as src"}
	cl := client(c, nil)
	c.Flags().DurationVar(&req.TTL, "ttl", 0, "forget the entry after this time")
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for events")
	c.Flags().StringVar(&req.As, "as", "both", "which end of a packet is compared: `src, dst or both`")
	c.Flags().StringVar(&file, "file", "", "read the entries from `FILE`")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := blockTarget(args, file); err != nil {
			return err
		}
		if req.As != "src" && req.As != "dst" && req.As != "both" {
			return fmt.Errorf("--as %q is none of src, dst and both", req.As)
		}
		if req.TTL < 0 {
			return fmt.Errorf("--ttl %v is no time to live", req.TTL)
		}
		if file != "" {
			return sendBlockFile(c, cl(), file, url.Values{"as": {req.As}, "reason": {req.Reason}, "ttl": {strconv.FormatInt(int64(req.TTL), 10)}})
		}
		req.Prefix = args[0]
		return refused(cl().Do(c.Context(), "POST", "block", req, nil))
	}
	return c
}

func blockDelCommand() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "del {PREFIX | --file FILE}", Short: "Unblock what was blocked by hand", Args: cobra.MaximumNArgs(1),
		Long: "Del takes back what add has done. Entries of lists in the configuration stay.\n\n" + blockFileHelp}
	cl := client(c, nil)
	c.Flags().StringVar(&file, "file", "", "read the entries from `FILE`")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := blockTarget(args, file); err != nil {
			return err
		}
		if file != "" {
			return sendBlockFile(c, cl(), file, url.Values{"remove": {"yes"}})
		}
		return refused(cl().Do(c.Context(), "POST", "unblock", app.BlockRequest{Prefix: args[0]}, nil))
	}
	return c
}

func blockListCommand() *cobra.Command {
	var asJSON bool
	var list string
	c := &cobra.Command{Use: "list", Short: "List what is blocked, by hand and by lists", Args: cobra.NoArgs}
	cl := client(c, &asJSON)
	c.Flags().StringVar(&list, "list", "", "only the list `NAME`; operator is what was blocked by hand")
	c.RunE = func(c *cobra.Command, _ []string) error {
		body, err := cl().Stream(c.Context(), "block?"+url.Values{"list": {list}}.Encode())
		if err != nil {
			return refused(err)
		}
		defer body.Close()
		out := c.OutOrStdout()
		if asJSON {
			sep := "["
			if err := app.ReadBlocks(body, func(e *app.BlockEntry) error {
				b, err := json.Marshal(e)
				if err == nil {
					_, err = fmt.Fprintf(out, "%s%s", sep, b)
				}
				sep = ",\n"
				return err
			}); err != nil {
				return err
			}
			if sep == "[" {
				fmt.Fprint(out, sep)
			}
			_, err := fmt.Fprintln(out, "]")
			return err
		}
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "PREFIX\tLIST\tAS\tEXPIRES\tREASON")
		if err := app.ReadBlocks(body, func(e *app.BlockEntry) error {
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Prefix, e.List, e.As, inTime(e.Expires), e.Reason)
			return err
		}); err != nil {
			return err
		}
		return w.Flush()
	}
	return c
}

// inTime tells when something ends, from now.
func inTime(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return time.Until(*at).Round(time.Second).String()
}
