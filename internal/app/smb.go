package app

import (
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/internal/config"
)

// smbKinds are the names that outputs.eve-log.types.smb.types has for kinds of
// records.
var smbKinds = map[string]protocol.SMBRecords{
	"negotiate": protocol.SMBNegotiate, "session_setup": protocol.SMBSessionSetup, "tree_connect": protocol.SMBTreeConnect, "create": protocol.SMBCreate,
	"file": protocol.SMBFile, "rename": protocol.SMBRename, "set_file_path_info": protocol.SMBSetInfo, "ioctl": protocol.SMBIoctl, "dcerpc": protocol.SMBCall,
	"generic": protocol.SMBGeneric,
}

// smbLimits gives SMB's limits: the parser's own where none are configured.
func smbLimits(cfg *config.Config) (protocol.SMBLimits, error) {
	l := protocol.DefaultLimits().SMB
	for name, on := range cfg.Outputs.EVE.Types.Option("smb").Types {
		kind, ok := smbKinds[name]
		if !ok {
			return l, fmt.Errorf("outputs.eve-log.types.smb.types: %q is no kind of SMB's records", name)
		}
		if on {
			l.Records |= kind
		}
	}
	c, ok := cfg.AppLayer.Protocols[protocol.SMB.String()]
	if !ok {
		return l, nil
	}
	l.MaxTx, l.MaxRead, l.MaxWrite = c.MaxTx, int64(c.MaxReadSize), int64(c.MaxWriteSize)
	set := func(q *protocol.SMBQueue, size config.Size, count int) {
		if size > 0 {
			q.Size = int64(size)
		}
		if count > 0 {
			q.Count = count
		}
	}
	set(&l.Queue[protocol.ToServer], c.MaxWriteQueueSize, c.MaxWriteQueueCnt)
	set(&l.Queue[protocol.ToClient], c.MaxReadQueueSize, c.MaxReadQueueCnt)
	return l, nil
}
