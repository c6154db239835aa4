// Command sluice inspects network traffic for threats and for data that must
// not leave. It parses flags and wires; what it runs lives in internal/app.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice/classifiers/extract"
	"sluice/internal/app"
	"sluice/internal/config"
	"sluice/internal/version"
)

// Exit codes: 0 fine, 1 findings or failures where the command is a check, 2
// wrong usage or unusable input; 130, as shells have it, where a signal ended what
// was under way.
const (
	exitFindings    = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// exitError carries an exit code; with a nil err nothing is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() {
	if len(os.Args) == 2 && os.Args[1] == extractArg {
		// A child that reads documents: it confines itself before anything else.
		if err := extract.ChildMain(os.Stdin, os.Stdout, extractMemory); err != nil {
			fmt.Fprintln(os.Stderr, "sluice:", err)
			os.Exit(exitUsage)
		}
		return
	}
	app.Extractor = extractArg
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// extractArg makes the program a child of extract.Pool; extractMemory bounds
// such a child, in bytes.
const (
	extractArg    = "__extract"
	extractMemory = 1 << 30
)

// run is main without the process: it gives the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := execute(ctx, root, args)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &exitError{exitInterrupted, errors.New("interrupted")}
	}
	var e *exitError
	if errors.As(err, &e) {
		if e.err != nil {
			fmt.Fprintln(stderr, "sluice:", e.err)
		}
		return e.code
	}
	fmt.Fprintln(stderr, "sluice:", err)
	return exitUsage
}

// interruptGrace is how long a command may take to end after a signal.
const interruptGrace = 2 * time.Second

// execute runs the command. What a signal has not ended after a while is left
// behind: a read from a terminal or a pipe cannot be called off. The daemon is
// waited for, since it gives the ports back.
func execute(ctx context.Context, root *cobra.Command, args []string) error {
	if c, _, err := root.Find(args); err != nil || c.Name() == "run" {
		return root.ExecuteContext(ctx)
	}
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(interruptGrace):
		return ctx.Err()
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Inspect network traffic for threats and for data that must not leave",
		Long: `Sluice is a network data-loss-prevention and traffic-inspection appliance.

It replays captures, scans files and checks rules without privilege, and runs
as a daemon beside the wire (tap), in it (bridge) or on a host that routes
(gateway). It exits with 1 where a check has findings, with 2 for wrong usage or
unusable input, and with 130 where a signal ended what was under way.`,
		SilenceErrors: true, SilenceUsage: true,
		Version: version.String(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see `sluice help %s`", err, strings.TrimPrefix(c.CommandPath(), "sluice "))
	})
	root.AddCommand(replayCommand(), scanCommand(), checkCommand(), testCommand(), rulesCommand(), policyCommand(), runCommand(), statusCommand(), topCommand(), reloadCommand(), confirmCommand(), handoverCommand(), blockCommand(), quarantineCommand(), remoteCommand(), eventsCommand(), doctorCommand(), versionCommand())
	return root
}

// common are the flags of commands that take a configuration.
type common struct {
	config string
	set    []string
	rules  []string
	policy string
	eve    string
	nats   string
	evid   string
}

func (f *common) add(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` (YAML)")
	c.Flags().StringArrayVar(&f.set, "set", nil, "set one configuration `KEY=VALUE`; repeats")
	c.Flags().StringArrayVar(&f.rules, "rules", nil, "rule `PATH`: a file, a folder or a glob; repeats, replaces the bundled rules")
	c.Flags().StringVar(&f.policy, "policy", "", "policy `FILE`, or none to switch classification off")
}

func (f *common) addOutputs(c *cobra.Command, natsDefault string) {
	c.Flags().StringVar(&f.eve, "eve", "", "write events as EVE JSON to `FILE`, - for standard output")
	c.Flags().StringVar(&f.nats, "nats", "", "NATS `URL`, embedded, or off (default "+natsDefault+")")
}

// load gives the configuration: the file's, then --set, then the other flags.
func (f *common) load() (*config.Config, error) {
	cfg := config.Default()
	if f.config != "" {
		var err error
		if cfg, err = config.Load(f.config); err != nil {
			return nil, err
		}
	}
	for _, s := range f.set {
		if err := cfg.Set(s); err != nil {
			return nil, fmt.Errorf("--set %w", err)
		}
	}
	if len(f.rules) > 0 {
		// What the command line names lies where it says.
		cfg.Rules.Paths, cfg.DefaultRulePath = f.rules, ""
	}
	if f.policy != "" {
		cfg.Policy.File = f.policy
	}
	if f.eve != "" {
		cfg.Outputs.EVE.Enabled, cfg.Outputs.EVE.Filetype, cfg.Outputs.EVE.Filename = true, "regular", f.eve
	}
	if f.nats != "" {
		cfg.Outputs.NATS.URL = f.nats
	}
	if f.evid != "" {
		cfg.Outputs.Evidence.Dir = f.evid
	}
	return cfg, nil
}

// finish checks the configuration as a whole.
func finish(cfg *config.Config) error { return cfg.Validate() }

// logger writes to standard error as log.level asks.
func logger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	switch cfg.Log.Level {
	case "debug":
		level = slog.LevelDebug
	case "info":
		level = slog.LevelInfo
	case "warning":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	default:
		level = slog.LevelInfo
	}
	opt := &slog.HandlerOptions{Level: level}
	if cfg.Log.JSON {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(c.OutOrStdout(), version.String())
			return nil
		},
	}
}
