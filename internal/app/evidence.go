package app

import (
	"fmt"
	"log/slog"

	"sluice/dataplane/worker"
	"sluice/events/sink/evidence"
	"sluice/internal/config"
)

// openEvidence opens the store of evidence; nil where none is configured.
// Lossless is for replay.
func openEvidence(cfg *config.Config, lossless bool, log *slog.Logger) (*evidence.Store, error) {
	e := cfg.Outputs.Evidence
	if e.Dir == "" {
		return nil, nil
	}
	s, err := evidence.Open(evidence.Config{Dir: e.Dir, Recipients: e.Recipients, MaxBytes: int64(e.MaxSize), Lossless: lossless, Log: log})
	if err != nil {
		return nil, fmt.Errorf("outputs.evidence: %w", err)
	}
	return s, nil
}

// keeper gives what workers hand evidence to; nil for no store.
func keeper(s *evidence.Store) func(worker.Evidence) string {
	if s == nil {
		return nil
	}
	return func(e worker.Evidence) string {
		return s.Put(evidence.Object{Time: e.Time, FlowID: e.FlowID, TxID: e.TxID, Name: e.Name, Type: e.Type, SHA256: e.SHA256, Truncated: e.Truncated, Data: e.Data})
	}
}
