package app

import (
	"sluice/dataplane/protocol"
	"sluice/internal/config"
)

// smbLimits gives SMB's limits: the parser's own where none are configured.
func smbLimits(cfg *config.Config) protocol.SMBLimits {
	l := protocol.DefaultLimits().SMB
	c, ok := cfg.AppLayer.Protocols[protocol.SMB.String()]
	if !ok {
		return l
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
	return l
}
