package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"sluice/events"
	"sluice/events/sink/evefile"
	"sluice/events/sink/evesocket"
	"sluice/events/sink/natsserver"
	"sluice/events/sink/natssink"
	"sluice/internal/config"
)

// Output is the publisher with all it was built from.
type Output struct {
	*events.Publisher
	// files are the EVE and OCSF files; NATS is nil where it is off.
	files  []*evefile.Sink
	NATS   *natssink.Sink
	server *natsserver.Server
	// told is how much of each sink's losses was told.
	told map[string]loss
	// natsConfig is what NATS was made with.
	natsConfig *natssink.Config
	temp       string
}

// NATS addresses with a meaning of their own.
const (
	NATSOff      = "off"
	NATSEmbedded = "embedded"
)

// OpenOutput opens the configured sinks. Lossless is for replay: what cannot be
// written yet is waited for. extra sinks are added.
func OpenOutput(cfg *config.Config, lossless bool, log *slog.Logger, extra ...events.Sink) (_ *Output, err error) {
	o := &Output{}
	defer func() {
		if err != nil {
			o.stop()
		}
	}()
	sinks := extra
	if eve := cfg.Outputs.EVE; eve.Enabled && eve.Filetype != "regular" {
		s, err := openSocket(cfg)
		if err != nil {
			return nil, fmt.Errorf("eve-log: %w", err)
		}
		sinks = append(sinks, s)
	} else if eve.Enabled {
		if err := o.openFile(cfg, eve.Filename, evefile.Config{Wants: eve.Types.Enabled, Truncate: lossless}); err != nil {
			return nil, fmt.Errorf("eve-log: %w", err)
		}
	}
	if ocsf := cfg.Outputs.OCSF; ocsf.Enabled {
		if err := o.openFile(cfg, ocsf.Filename, evefile.Config{OCSF: true, Truncate: lossless}); err != nil {
			return nil, fmt.Errorf("ocsf-log: %w", err)
		}
	}
	for _, f := range o.files {
		sinks = append(sinks, f)
	}
	if n := cfg.Outputs.NATS; n.URL != "" && n.URL != NATSOff {
		if err := o.openNATS(cfg, lossless, log); err != nil {
			return nil, fmt.Errorf("nats: %w", err)
		}
		sinks = append(sinks, o.NATS)
	}
	pc := events.PublisherConfig{Queue: cfg.Outputs.Queue, Lossless: lossless, Log: log,
		AggregateBurst: cfg.Outputs.Aggregate.Burst, AggregateWindow: cfg.Outputs.Aggregate.Window.D()}
	pc.Encoder = events.Encoder{CommunityID: orReplay(cfg.Outputs.EVE.CommunityID, Mode{Live: !lossless}), CommunityIDSeed: cfg.Outputs.EVE.CommunityIDSeed, Host: cfg.Sensor.Name}
	o.Publisher = events.NewPublisher(pc, sinks...)
	return o, nil
}

// openSocket makes the sink of outputs.eve-log.filetype where that is no file.
func openSocket(cfg *config.Config) (*evesocket.Sink, error) {
	eve := cfg.Outputs.EVE
	path := eve.Filename
	if !strings.ContainsRune(path, filepath.Separator) && cfg.LogDir != "" {
		path = filepath.Join(cfg.LogDir, path)
	}
	return evesocket.New(evesocket.Config{Kind: evesocket.Kind(eve.Filetype), Path: path, Identity: eve.Identity, Facility: eve.Facility, Level: eve.Level, Wants: eve.Types.Enabled})
}

// openFile opens a file of events. One without a folder is put into the folder of
// logs, in a daemon.
func (o *Output) openFile(cfg *config.Config, path string, fc evefile.Config) error {
	if path != "-" && !strings.ContainsRune(path, filepath.Separator) && cfg.LogDir != "" && !fc.Truncate {
		path = filepath.Join(cfg.LogDir, path)
		if err := os.MkdirAll(cfg.LogDir, 0o750); err != nil {
			return err
		}
	}
	fc.Path = path
	f, err := evefile.New(fc)
	if err != nil {
		return err
	}
	o.files = append(o.files, f)
	return nil
}

// Reopen opens the files of events anew, after a rotation has moved them. It may
// be called at any time.
func (o *Output) Reopen() {
	for _, f := range o.files {
		f.Reopen()
	}
}

func (o *Output) openNATS(cfg *config.Config, temporary bool, log *slog.Logger) (err error) {
	n := cfg.Outputs.NATS
	state := cfg.StateDir
	if temporary && (n.URL == NATSEmbedded || n.SpoolDir == "") {
		// A replay leaves nothing behind but what it was asked for.
		if state, err = os.MkdirTemp("", "sluice-nats-*"); err != nil {
			return err
		}
		o.temp = state
	}
	sc := natssink.Config{URL: n.URL, User: n.User, CredsFile: n.CredsFile, CAFile: n.CAFile, CertFile: n.CertFile, KeyFile: n.KeyFile,
		Sensor: SensorName(cfg), Stream: n.Stream, SubjectPrefix: n.SubjectPrefix, StreamMaxBytes: int64(n.StreamMaxSize), StreamMaxAge: n.StreamMaxAge.D(),
		SpoolDir: n.SpoolDir, SpoolMaxBytes: int64(n.SpoolMaxSize), Log: log}
	if sc.Password, err = secret(n.PasswordFile); err != nil {
		return err
	}
	if sc.Token, err = secret(n.TokenFile); err != nil {
		return err
	}
	if len(n.Types) > 0 {
		sc.Types = make(map[string]bool)
		for _, t := range n.Types {
			sc.Types[t] = true
		}
	}
	if sc.SpoolDir == "" {
		sc.SpoolDir = filepath.Join(state, "spool")
	}
	if n.URL == NATSEmbedded {
		dir := n.Embedded.Dir
		if dir == "" {
			dir = filepath.Join(state, "nats")
		}
		if o.server, err = natsserver.Start(natsserver.Config{Dir: dir, Port: n.Embedded.Port, MaxStore: int64(n.Embedded.MaxSize)}); err != nil {
			return err
		}
		sc.URL, sc.User, sc.Password = o.server.URL, o.server.User, o.server.Password
		log.Info("embedded NATS server listens", "url", o.server.URL, "credentials", filepath.Join(dir, "nats.json"))
	}
	if o.NATS, err = natssink.New(sc); err == nil {
		o.natsConfig = &sc
	}
	return err
}

func secret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

// SensorName gives the name under which this instance reports.
func SensorName(cfg *config.Config) string {
	if cfg.Sensor.Name != "" {
		return cfg.Sensor.Name
	}
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "sluice"
}

// Server gives the embedded NATS server's address and credentials; false where
// there is none.
func (o *Output) Server() (natsserver.State, bool) {
	if o.server == nil {
		return natsserver.State{}, false
	}
	return o.server.State, true
}

// Close publishes what is left and closes the sinks and the embedded server.
func (o *Output) Close(ctx context.Context) error {
	err := o.Publisher.Close(ctx)
	return errors.Join(err, o.stop())
}

func (o *Output) stop() error {
	if o.server != nil {
		o.server.Close()
	}
	if o.temp != "" {
		return os.RemoveAll(o.temp)
	}
	return nil
}
