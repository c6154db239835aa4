package app

import (
	"testing"

	"sluice/dataplane/worker"
	"sluice/internal/config"
)

// TestErrorPolicy holds what becomes of a flow whose parser gives up: a box that
// fails open ends it only where somebody says so.
func TestErrorPolicy(t *testing.T) {
	for _, c := range []struct {
		name          string
		fail          string
		all, own      config.ExceptionPolicy
		inline        bool
		want, reached worker.Exception
	}{
		{"inline, failing open", "open", config.Auto, config.Auto, true, worker.Ignore, worker.DropFlow},
		{"inline, failing closed", "closed", config.Auto, config.Auto, true, worker.DropFlow, worker.DropFlow},
		{"beside the wire, failing closed", "closed", config.Auto, config.Auto, false, worker.Ignore, worker.Ignore},
		{"one policy for all", "open", config.DropFlow, config.Auto, true, worker.DropFlow, worker.DropFlow},
		{"one of its own", "open", config.Auto, config.Reject, true, worker.Reject, worker.DropFlow},
		{"one of its own wins", "closed", config.DropFlow, config.Ignore, true, worker.Ignore, worker.DropFlow},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config.Default()
			cfg.Ports.Fail, cfg.ExceptionPolicy, cfg.AppLayer.ErrorPolicy = c.fail, c.all, c.own
			got := exceptions(cfg, c.inline)
			if got.AppError != c.want {
				t.Errorf("errors of parsers: %v, want %v", got.AppError, c.want)
			}
			if got.Reassembly != c.reached {
				t.Errorf("limits of reassembly: %v, want %v", got.Reassembly, c.reached)
			}
		})
	}
}
