package protocoltest

import (
	"fmt"
	"strings"

	"sluice/dataplane/protocol"
)

// frames keeps what a parser announces, and the bytes that it was given.
type frames struct {
	def  *protocol.Definition
	env  *protocol.Env
	sink protocol.FrameSink
	// bytes are all of the directions, gaps as zeros up to maxGap; of datagrams
	// each chunk's own. at is where the next chunk begins.
	bytes [2][]byte
	at    [2]int
	cut   [2]bool
	out   []string
}

// maxGap bounds the memory of a gap in a test.
const maxGap = 1 << 20

func newFrames(def *protocol.Definition, env *protocol.Env, d Dialogue) *frames {
	f := &frames{def: def, env: env}
	f.sink.Wanted[def.ID] = 1<<len(def.Frames) - 1
	env.Frames = &f.sink
	for _, c := range d.Chunks {
		if d.UDP {
			break
		}
		b := &f.bytes[c.Dir]
		*b = append(*b, c.Data...)
		*b = append(*b, make([]byte, min(c.Gap, maxGap))...)
		if c.Gap > maxGap {
			f.cut[c.Dir] = true // offsets would be too large to be kept in memory
		}
	}
	return f
}

// place tells the parser where a chunk is.
func (f *frames) place(c Chunk) {
	if f.env.Datagram {
		f.out = f.resolve()
		f.sink.Reset()
		f.bytes[c.Dir] = append([]byte(nil), c.Data...)
		f.at[c.Dir] = 0
	}
	f.at[c.Dir] += len(c.Data) + int(min(c.Gap, maxGap))
	f.env.Place(f.def.ID, c.Dir, uint64(f.at[c.Dir]))
}

// resolve gives the frames as text: direction, kind, place and bytes.
func (f *frames) resolve() []string {
	list := f.sink.List
	out := f.out
	f.out = nil
	for i := range list {
		x := &list[i]
		if x.Ends || f.cut[x.Dir] {
			continue
		}
		end := int64(x.Start) + x.Len
		if x.Len == protocol.FrameOpen {
			end = -1
			for _, e := range list[i+1:] {
				if e.Dir == x.Dir && e.Type == x.Type {
					// The newest one that is open ends: frames of a kind do not overlap.
					if e.Ends {
						end = int64(e.Start)
					}
					break
				}
			}
		}
		b := f.bytes[x.Dir]
		from, to := min(int(x.Start), len(b)), len(b)
		if end >= 0 {
			to = int(min(end, int64(len(b))))
		}
		text := fmt.Sprintf("%s %s %d-%d", x.Dir, f.def.FrameName(x.Type), x.Start, end)
		if x.Tx != nil {
			text += fmt.Sprintf(" tx %d", x.Tx.ID)
		}
		out = append(out, text+" "+fmt.Sprintf("%q", strings.ToValidUTF8(string(b[from:max(from, to)]), "?")))
	}
	return out
}

// FrameList gives the frames without transactions and bytes: "to_server pdu 0-16".
func (r *Result) FrameList() []string {
	var out []string
	for _, f := range r.Frames {
		out = append(out, strings.Join(strings.SplitN(f, " ", 4)[:3], " "))
	}
	return out
}
