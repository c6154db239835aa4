package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"sluice/classifiers/document"
	"sluice/dataplane/worker"
	"sluice/events/sink/evidence"
	"sluice/events/sink/metrics"
	"sluice/internal/config"
)

// keeping is what is kept of traffic on disk: objects that the policy wants kept
// and files that rules ask for. Either may be nil.
type keeping struct {
	cfg   *config.Config
	store *evidence.Store
	files *evidence.Files
}

// openEvidence opens what is configured. Lossless is for replay.
func openEvidence(cfg *config.Config, lossless bool, log *slog.Logger) (*keeping, error) {
	k := &keeping{cfg: cfg}
	var err error
	if e := cfg.Outputs.Evidence; e.Dir != "" {
		k.store, err = evidence.Open(evidence.Config{Dir: e.Dir, Recipients: e.Recipients, MaxBytes: int64(e.MaxSize), Lossless: lossless, Log: log})
		if err != nil {
			return nil, fmt.Errorf("outputs.evidence: %w", err)
		}
	}
	if s := cfg.Outputs.FileStore; s.Enabled {
		dir := s.Dir
		if !lossless && !filepath.IsAbs(dir) { // a replay writes where it is
			dir = filepath.Join(cfg.LogDir, dir)
		}
		k.files, err = evidence.OpenFiles(evidence.FilesConfig{Dir: dir, MaxBytes: int64(s.MaxSize), MaxOpen: max(s.MaxOpenFiles, 1), Lossless: lossless, Log: log})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("outputs.file-store: %w", err), k.Close(context.Background()))
		}
	}
	return k, nil
}

// fill tells workers where to hand what is kept.
func (k *keeping) fill(m *Mode) {
	if s := k.store; s != nil {
		m.Evidence = func(e worker.Evidence) string {
			return s.Put(evidence.Object{Time: e.Time, FlowID: e.FlowID, TxID: e.TxID, Name: e.Name, Type: e.Type, SHA256: e.SHA256, Truncated: e.Truncated, Data: e.Data})
		}
	}
	if k.files != nil {
		s := &k.cfg.Outputs.FileStore
		m.Files = worker.Files{Store: k.files, All: s.ForceFilestore, Record: s.WriteFileinfo, MaxSize: uint64(s.MaxFileSize),
			Pending: document.NewMemory(int64(s.PendingMemory)), PendingSize: int64(s.PendingSize)}
	}
}

// samples gives the counters of what is written beside the workers.
func (k *keeping) samples(emit func(metrics.Sample)) {
	if k == nil || k.files == nil {
		return
	}
	st := k.files.Stats()
	emit(metrics.Sample{Name: "file_store.written", Value: float64(st.Stored), Help: "Files written to the store of files."})
	emit(metrics.Sample{Name: "file_store.duplicates", Value: float64(st.Duplicates), Help: "Files that were in the store already."})
	emit(metrics.Sample{Name: "file_store.dropped", Value: float64(st.Dropped), Help: "Files lost to a full queue."})
	emit(metrics.Sample{Name: "file_store.fs_errors", Value: float64(st.Failed), Help: "Files lost to errors of the disk."})
	emit(metrics.Sample{Name: "file_store.expired", Value: float64(st.Expired), Help: "Files removed to make room for others."})
	emit(metrics.Sample{Name: "file_store.bytes", Value: float64(st.Bytes), Gauge: true, Help: "Bytes that the store of files takes."})
}

// Close writes what is queued, as far as ctx allows.
func (k *keeping) Close(ctx context.Context) error {
	var errs []error
	if k.store != nil {
		errs = append(errs, k.store.Close(ctx))
	}
	if k.files != nil {
		errs = append(errs, k.files.Close(ctx))
	}
	return errors.Join(errs...)
}
