package extract

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"sluice/classifiers/extract/sandbox"
)

// The protocol between a sandboxed child and its owner: frames of one type
// byte, a big-endian length and that many bytes. The owner sends a job, the
// object's bytes in pieces and an end; the child answers with parts and one
// result, then waits for the next job.
const (
	frameReady  = 'S' // child: confined and waiting; the payload is an error text when it could not be
	frameJob    = 'J' // owner: jobHead as JSON
	frameData   = 'D' // owner: bytes of the object
	frameEnd    = 'E' // owner: the object is complete
	framePart   = 'P' // child: a piece of text
	frameResult = 'R' // child: Result as JSON
)

const (
	maxFrame  = 2 << 20
	dataPiece = 256 << 10
)

type jobHead struct {
	Name   string
	Size   int64
	Limits Limits
}

var errProtocol = errors.New("extract: malformed frame")

func writeFrame(w io.Writer, typ byte, parts ...[]byte) error {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n > maxFrame {
		return fmt.Errorf("%w: %d bytes", errProtocol, n)
	}
	var head [5]byte
	head[0] = typ
	binary.BigEndian.PutUint32(head[1:], uint32(n))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// readFrame reads one frame into buf, which grows as need be.
func readFrame(r io.Reader, buf []byte) (typ byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("%w: %d bytes", errProtocol, n)
	}
	if uint32(cap(buf)) < n {
		buf = make([]byte, n)
	}
	payload = buf[:n]
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

// partHead packs what precedes a part's text.
func partHead(p *Part) []byte {
	b := []byte{byte(p.Kind), byte(b2i(p.More))}
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	for _, s := range []string{p.Path, p.Name, p.Type} {
		s = s[:min(len(s), 1<<15)]
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	return b
}

// parsePart checks and unpacks a part: a child that was taken over must not be
// able to hand its owner anything but text.
func parsePart(b []byte) (Part, error) {
	var p Part
	if len(b) < 6 || b[0] == 0 || Kind(b[0]) > Raw {
		return p, errProtocol
	}
	p.Kind, p.More, p.Seq = Kind(b[0]), b[1] != 0, binary.BigEndian.Uint32(b[2:])
	b = b[6:]
	for _, s := range []*string{&p.Path, &p.Name, &p.Type} {
		if len(b) < 2 || int(binary.BigEndian.Uint16(b))+2 > len(b) {
			return p, errProtocol
		}
		n := int(binary.BigEndian.Uint16(b)) + 2
		*s, b = cleanName(string(b[2:n])), b[n:]
	}
	if !utf8.Valid(b) {
		return p, errProtocol
	}
	p.Text = b
	return p, nil
}

// ChildMain is the child's whole life: it confines itself, then reads objects
// from in and writes their text to out until in ends. Nothing else may write
// to out. memory bounds the process in bytes; 0 leaves it as it is. It is
// meant for a process of its own, since what it gives up never comes back.
func ChildMain(in io.Reader, out io.Writer, memory int64) error {
	w := bufio.NewWriterSize(out, 64<<10)
	if err := sandbox.Confine(memory); err != nil {
		_ = writeFrame(w, frameReady, []byte(err.Error()))
		_ = w.Flush()
		return err
	}
	if err := writeFrame(w, frameReady); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return serve(bufio.NewReaderSize(in, 64<<10), w)
}

// serve reads jobs until the owner closes its end.
func serve(in io.Reader, w *bufio.Writer) error {
	var buf []byte
	for {
		typ, b, err := readFrame(in, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var job jobHead
		if typ != frameJob || json.Unmarshal(b, &job) != nil || job.Size < 0 {
			return errProtocol
		}
		buf = b[:0]
		job.Limits = job.Limits.WithDefaults()
		sandbox.LimitCPU(2*job.Limits.MaxTime + time.Second)
		var data []byte
		for {
			if typ, b, err = readFrame(in, buf); err != nil {
				return err
			}
			buf = b[:0]
			if typ == frameEnd {
				break
			}
			if typ != frameData || int64(len(data)+len(b)) > job.Size {
				return errProtocol
			}
			data = append(data, b...)
		}
		if err := answer(w, job, data); err != nil {
			return err
		}
	}
}
