package extract

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/bodgit/sevenzip"
	"github.com/nwaples/rardecode/v2"
)

// tar reads an archive entry by entry.
func (w *walker) tar(o *object) error {
	tr := tar.NewReader(o.section())
	for {
		if err := w.clock(); err != nil {
			return err
		}
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return errDamaged
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse, '\x00', tar.TypeCont:
			// A sparse entry may claim terabytes of nothing: the ratio stops it.
			if err := w.nestedStream(o, toText(h.Name), tr, o.size); err != nil {
				return err
			}
		default:
			w.res.Objects++
			if w.res.Objects > w.lim.MaxEntries {
				w.unscannable(o.path, Entries)
				return errEntries
			}
			if h.Linkname != "" {
				if err := w.say(o, toText(h.Name), Metadata, toText(h.Linkname)); err != nil {
					return err
				}
			}
		}
	}
}

// ar reads a Unix archive, Debian packages among them.
func (w *walker) ar(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	b = b[8:]
	for len(b) >= 60 {
		n, err := strconv.ParseInt(strings.TrimSpace(string(b[48:58])), 10, 64)
		if err != nil || n < 0 || b[58] != '`' {
			return errDamaged
		}
		name := strings.TrimRight(string(b[:16]), " /")
		b = b[60:]
		cut := n > int64(len(b))
		n = min(n, int64(len(b)))
		if err := w.nested(o, toText(name), "", b[:n]); err != nil {
			return err
		}
		if cut {
			return errDamaged
		}
		b = b[min(n+n&1, int64(len(b))):]
	}
	return nil
}

// rar reads versions 1.5 to 7. The dictionary is bounded before any of it is
// allocated.
func (w *walker) rar(o *object) error {
	r, err := rardecode.NewReader(o.section(), rardecode.MaxDictionarySize(maxDict))
	if err != nil {
		return rarReason(err)
	}
	for {
		if err := w.clock(); err != nil {
			return err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return rarReason(err)
		}
		if h.IsDir {
			continue
		}
		if h.Encrypted || h.HeaderEncrypted {
			w.unscannable(o.childPath(h.Name), Encrypted)
			if err := w.say(o, "", Metadata, h.Name); err != nil {
				return err
			}
			continue
		}
		if err := w.nestedStream(o, h.Name, reasoned{r, rarReason}, max(h.PackedSize, 1)); err != nil {
			return err
		}
	}
}

func rarReason(err error) error {
	switch {
	case errors.Is(err, rardecode.ErrArchiveEncrypted), errors.Is(err, rardecode.ErrArchivedFileEncrypted), errors.Is(err, rardecode.ErrBadPassword):
		return errEncrypted
	case errors.Is(err, rardecode.ErrDictionaryTooLarge):
		return errTooLarge
	case errors.Is(err, rardecode.ErrUnknownDecoder), errors.Is(err, rardecode.ErrUnsupportedDecoder), errors.Is(err, rardecode.ErrMultiVolume),
		errors.Is(err, rardecode.ErrSolidOpen):
		return errUnsupported
	}
	return errDamaged
}

// reasoned maps a reader's errors.
type reasoned struct {
	r io.Reader
	f func(error) error
}

func (r reasoned) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.f(err)
	}
	return n, err
}

// sevenZip reads a 7z archive. Its directory may be compressed itself, so the
// whole reader runs behind a look at what the headers claim.
func (w *walker) sevenZip(o *object) error {
	if err := sevenClaims(o); err != nil {
		return err
	}
	z, err := sevenzip.NewReader(o.r, o.size)
	if err != nil {
		return sevenReason(err)
	}
	for _, f := range z.File {
		if err := w.clock(); err != nil {
			return err
		}
		if f.FileInfo().IsDir() {
			continue
		}
		if f.UncompressedSize == 0 {
			w.res.Objects++
			if w.res.Objects > w.lim.MaxEntries {
				w.unscannable(o.path, Entries)
				return errEntries
			}
			continue
		}
		if err := w.sevenFile(o, f); err != nil {
			return err
		}
	}
	return nil
}

// sevenClaims refuses a directory that is too large to be read into memory, and
// dictionaries beyond maxDict as far as the outer header names them: the
// library believes both. What a packed header claims meets the memory limit of
// the child.
func sevenClaims(o *object) error {
	var h [32]byte
	if n, _ := o.r.ReadAt(h[:], 0); n < len(h) {
		return errDamaged
	}
	le := binary.LittleEndian
	off, size := le.Uint64(h[12:]), le.Uint64(h[20:])
	if size > 16<<20 {
		return errTooLarge
	}
	if off > uint64(o.size) || size > uint64(o.size) {
		return errDamaged
	}
	b := make([]byte, size)
	if n, _ := o.r.ReadAt(b, int64(off)+32); uint64(n) < size {
		return errDamaged
	}
	// Coders with properties: LZMA is 030101 with five bytes, LZMA2 21 with one.
	for rest := b; ; {
		i := bytes.Index(rest, []byte{0x23, 3, 1, 1, 5})
		if i < 0 || len(rest)-i < 10 {
			break
		}
		if le.Uint32(rest[i+6:]) > 4*maxDict {
			return errTooLarge
		}
		rest = rest[i+5:]
	}
	for rest := b; ; {
		i := bytes.Index(rest, []byte{0x21, 0x21, 1})
		if i < 0 || len(rest)-i < 4 {
			return nil
		}
		if n := uint(rest[i+3]); n <= 40 && uint64(2|n&1)<<(n/2+11) > 4*maxDict {
			return errTooLarge
		}
		rest = rest[i+3:]
	}
}

func (w *walker) sevenFile(o *object, f *sevenzip.File) error {
	rc, err := f.Open()
	if err != nil {
		return w.settle(o.childPath(f.Name), sevenReason(err))
	}
	defer rc.Close()
	return w.nestedStream(o, f.Name, reasoned{rc, sevenReason}, max(o.size, 1))
}

func sevenReason(err error) error {
	var re *sevenzip.ReadError
	switch {
	case errors.As(err, &re) && re.Encrypted:
		return errEncrypted
	case strings.Contains(err.Error(), "unsupported compression"), strings.Contains(err.Error(), "algorithm"):
		return errUnsupported
	case bytes.Contains([]byte(err.Error()), []byte("password")):
		return errEncrypted
	}
	return errDamaged
}
