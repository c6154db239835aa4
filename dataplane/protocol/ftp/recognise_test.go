package ftp_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ftp"
	"sluice/dataplane/protocol/http1"
	"sluice/dataplane/protocol/imap"
	"sluice/dataplane/protocol/pop3"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/dataplane/protocol/smtp"
	"sluice/dataplane/protocol/ssh"
	"sluice/dataplane/protocol/tls"
)

// TestRecognition follows the flows of the shared captures with protocols whose
// first lines look alike, and checks that the ports' usual ones are found and
// that they are found nowhere else.
func TestRecognition(t *testing.T) {
	r, err := protocol.NewRegistry(http1.Definition(), tls.Definition(), smtp.Definition(), ftp.Definition(), ftp.DataDefinition(), ssh.Definition(), pop3.Definition(), imap.Definition())
	if err != nil {
		t.Fatal(err)
	}
	usual := map[uint16]protocol.ID{21: protocol.FTP, 22: protocol.SSH, 110: protocol.POP3, 143: protocol.IMAP, 25: protocol.SMTP}
	ours := map[protocol.ID]bool{protocol.FTP: true, protocol.SSH: true, protocol.POP3: true, protocol.IMAP: true}
	right, wrong := map[protocol.ID]int{}, map[protocol.ID]int{}
	for _, dir := range []string{protocoltest.Shared(t, "pcaps"), protocoltest.Shared(t, "suricata-verify")} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !strings.Contains(filepath.Base(path), ".pcap") {
				return err
			}
			if info, err := e.Info(); err != nil || info.Size() > 2<<20 {
				return err
			}
			for _, d := range protocoltest.DialoguesOrNone(path) {
				if d.UDP || len(d.Chunks) < 3 {
					continue
				}
				want, known := usual[d.DstPort]
				switch got := recognised(r, d); {
				case known && got == want:
					right[want]++
				case known:
					wrong[want]++
					t.Logf("%s: port %d is %s", path[len(dir):], d.DstPort, got)
				case ours[got]:
					t.Logf("%s: ports %d and %d are %s", path[len(dir):], d.SrcPort, d.DstPort, got)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("right %v, wrong %v", right, wrong)
	for id := range ours {
		if right[id] == 0 || wrong[id]*4 > right[id] { // one speaks HTTP to an SSH server
			t.Errorf("%s: %d flows are recognised, %d are not", id, right[id], wrong[id])
		}
	}
}

func recognised(r *protocol.Registry, d protocoltest.Dialogue) protocol.ID {
	var s protocol.Session
	defer s.Release()
	env := protocoltest.NewEnv(d, &protocoltest.Sink{})
	id := protocol.Unknown
	for _, c := range d.Chunks {
		s.Data(r, env, c.Dir, c.Data)
		if id == protocol.Unknown {
			id = s.Proto()
		}
	}
	s.End(r, env, protocol.ToServer)
	s.End(r, env, protocol.ToClient)
	if id == protocol.Unknown {
		id = s.Proto()
	}
	return id
}
