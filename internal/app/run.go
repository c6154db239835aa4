package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"sluice/internal/config"
)

// Run is the daemon from start to stop. SIGHUP reloads and reopens the event
// file. reread is NewDaemon's.
func Run(ctx context.Context, cfg *config.Config, reread func() (*config.Config, error), log *slog.Logger) error {
	for _, k := range cfg.Ignored {
		log.Info("setting has no effect here", "key", k)
	}
	d, err := NewDaemon(cfg, reread, log)
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hup:
				d.out.Reopen()
				_, _ = d.Reload() // it logs what came of it
			case <-done:
				return
			}
		}
	}()
	err = d.Run(ctx)
	close(done)
	return errors.Join(err, d.Close())
}
