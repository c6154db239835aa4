package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/protocol"
	"sluice/internal/config"
)

func TestSMBLimits(t *testing.T) {
	def := protocol.DefaultLimits().SMB
	f := func(want protocol.SMBLimits, problem string, set ...string) {
		t.Helper()
		cfg := config.Default()
		for _, s := range set {
			if err := cfg.Set(s); err != nil {
				t.Fatal(err)
			}
		}
		got, err := smbLimits(cfg)
		if problem != "" {
			if err == nil || err.Error() != problem {
				t.Errorf("%v: error %v, want %s", set, err, problem)
			}
			return
		}
		if err != nil {
			t.Errorf("%v: %v", set, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v: %s", set, d)
		}
	}
	f(def, "")
	own := def
	own.MaxTx, own.MaxWrite = 7, 1<<20
	own.Queue[protocol.ToServer] = protocol.SMBQueue{Size: 1 << 10, Count: 3}
	f(own, "", "app-layer.protocols.smb.max-tx=7", "app-layer.protocols.smb.max-write-size=1mb",
		"app-layer.protocols.smb.max-write-queue-size=1kb", "app-layer.protocols.smb.max-write-queue-cnt=3")
	some := def
	some.Records = protocol.SMBCreate | protocol.SMBFile
	f(some, "", "outputs.eve-log.types.smb.types=[create,file]")
	f(def, `outputs.eve-log.types.smb.types: "crate" is no kind of SMB's records`, "outputs.eve-log.types.smb.types=[crate]")
}
