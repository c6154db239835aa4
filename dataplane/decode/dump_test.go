package decode

import (
	"fmt"
	"io"
	"os"
	"testing"

	"sluice/dataplane/capture"
)

func TestDump(t *testing.T) {
	path := os.Getenv("DUMP")
	if path == "" {
		t.Skip()
	}
	f, err := capture.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := New(Config{NoChecksum: os.Getenv("K") != ""})
	var b capture.Batch
	for {
		err := f.ReadBatch(&b)
		for i := range b.Frames {
			for _, p := range d.Decode(&b.Frames[i]) {
				if os.Getenv("Q") == "" || p.NEvents > 0 {
					fmt.Printf("%d d%d t%x et=%04x v=%v %v:%d>%v:%d p%d fl=%x pl=%d ev=%v\n", b.Frames[i].Num, p.TunnelDepth, p.TunnelID, p.EtherType, p.VLAN[:p.NVLAN], p.Src.Netip(), p.SrcPort, p.Dst.Netip(), p.DstPort, p.Proto, p.Flags, len(p.PayloadBytes()), p.Events())
				}
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			break
		}
	}
	d.Counters.Each(func(n string, v uint64) {
		if v != 0 {
			fmt.Println(n, v)
		}
	})
}
