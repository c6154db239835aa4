package extract

import (
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
)

// Compression methods of APPNOTE.TXT 4.4.5 beyond store and deflate.
const (
	zipBzip2 = 12
	zipLZMA  = 14
	zipZstd  = 93
	zipXZ    = 95
	zipAES   = 99
)

// openZip reads a zip's directory. The directory's size is checked before it is
// read into memory.
func openZip(r io.ReaderAt, size int64) (*zip.Reader, error) {
	tail := make([]byte, min(size, 22+1<<16))
	if n, err := r.ReadAt(tail, size-int64(len(tail))); n < len(tail) && err != nil {
		return nil, errDamaged
	}
	if i := bytes.LastIndex(tail, []byte("PK\x05\x06")); i >= 0 && len(tail)-i >= 22 {
		if n := binary.LittleEndian.Uint32(tail[i+12:]); n != 1<<32-1 && n > 32<<20 {
			return nil, errEntries
		}
	}
	if i := bytes.LastIndex(tail, []byte("PK\x06\x06")); i >= 0 && len(tail)-i >= 56 {
		if n := binary.LittleEndian.Uint64(tail[i+40:]); n > 32<<20 {
			return nil, errEntries
		}
	}
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, errDamaged
	}
	z.RegisterDecompressor(zip.Deflate, pooledFlate)
	z.RegisterDecompressor(zipBzip2, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	z.RegisterDecompressor(zipZstd, func(r io.Reader) io.ReadCloser {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return failingReader{errDamaged}
		}
		return d.IOReadCloser()
	})
	z.RegisterDecompressor(zipXZ, func(r io.Reader) io.ReadCloser {
		d, err := xz.ReaderConfig{DictCap: maxDict}.NewReader(r)
		if err != nil {
			return failingReader{errDamaged}
		}
		return io.NopCloser(d)
	})
	z.RegisterDecompressor(zipLZMA, zipLZMAReader)
	return z, nil
}

// flatePool keeps inflaters: a window of 32 KiB for every tiny entry is what
// reading archives of many entries would cost.
var flatePool sync.Pool

type flateReader struct{ io.ReadCloser }

func pooledFlate(r io.Reader) io.ReadCloser {
	if f, ok := flatePool.Get().(io.ReadCloser); ok {
		if f.(flate.Resetter).Reset(r, nil) == nil {
			return &flateReader{f}
		}
	}
	return &flateReader{flate.NewReader(r)}
}

func (f *flateReader) Close() error {
	if f.ReadCloser != nil {
		flatePool.Put(f.ReadCloser)
		f.ReadCloser = nil
	}
	return nil
}

// zipLZMAReader rewrites the zip's LZMA head (APPNOTE.TXT 5.8.8) into the one
// of .lzma files, with the size unknown.
func zipLZMAReader(r io.Reader) io.ReadCloser {
	var h [9]byte
	if _, err := io.ReadFull(r, h[:]); err != nil || binary.LittleEndian.Uint16(h[2:]) != 5 {
		return failingReader{errDamaged}
	}
	head := append(append([]byte{}, h[4:9]...), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	if binary.LittleEndian.Uint32(head[1:]) > maxDict {
		return failingReader{errTooLarge}
	}
	d, err := lzma.NewReader(io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return failingReader{errDamaged}
	}
	return io.NopCloser(d)
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
func (f failingReader) Close() error             { return nil }

// zipDir is an opened zip with its entries by name.
type zipDir struct {
	*zip.Reader
	byName map[string]*zip.File
}

func newZipDir(r io.ReaderAt, size int64) (*zipDir, error) {
	z, err := openZip(r, size)
	if err != nil {
		return nil, err
	}
	d := &zipDir{z, make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		n := strings.TrimPrefix(strings.ReplaceAll(f.Name, "\\", "/"), "/")
		if _, ok := d.byName[n]; !ok {
			d.byName[n] = f
		}
	}
	return d, nil
}

// peek reads at most n bytes of an entry, for telling types.
func (d *zipDir) peek(name string, n int64) []byte {
	f := d.byName[name]
	if f == nil || f.Flags&1 != 0 {
		return nil
	}
	r, err := f.Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	b, _ := io.ReadAll(io.LimitReader(r, n))
	return b
}

// zipEntry reads one entry within the limits; with an error it gives what
// could be read.
func (w *walker) zipEntry(f *zip.File) ([]byte, error) {
	if f.Flags&1 != 0 || f.Method == zipAES {
		return nil, errEncrypted
	}
	r, err := f.Open()
	if err != nil {
		if errors.Is(err, zip.ErrAlgorithm) {
			return nil, errUnsupported
		}
		return nil, errDamaged
	}
	defer r.Close()
	return w.unpack(r, max(int64(f.CompressedSize64), 1))
}

// zip reads an archive and everything that is one in disguise.
func (w *walker) zip(o *object) error {
	d, err := newZipDir(o.r, o.size)
	if err != nil {
		if errors.Is(err, errDamaged) {
			w.unscannable(o.path, Damaged)
			return w.zipLocal(o)
		}
		return err
	}
	switch {
	case isOOXML(d):
		return w.ooxml(o, d)
	case isODF(d, o.typ):
		return w.odf(o, d)
	case d.byName["index.apxl"] != nil || d.byName["index.xml"] != nil && strings.HasPrefix(o.typ, "application/vnd.apple."):
		return w.iworkXML(o, d)
	}
	return w.zipEntries(o, d, nil)
}

// zipEntries reads all entries as nested objects, but for those that skip
// handles. An archive's names are metadata; those of a package's parts say
// nothing.
func (w *walker) zipEntries(o *object, d *zipDir, skip func(*zip.File) (bool, error)) error {
	names := w.open(o, "", Metadata)
	for _, f := range d.File {
		if !strings.HasSuffix(f.Name, "/") && skip == nil {
			names.str(entryName(f.Name, f.NonUTF8))
			names.str("\n")
		}
		if f.Comment != "" {
			names.str(toText(f.Comment) + "\n")
		}
	}
	if d.Comment != "" {
		names.str(toText(d.Comment) + "\n")
	}
	if err := names.close(); err != nil {
		return err
	}
	for _, f := range d.File {
		if err := w.clock(); err != nil {
			return err
		}
		if strings.HasSuffix(f.Name, "/") && f.UncompressedSize64 == 0 {
			continue
		}
		if skip != nil {
			done, err := skip(f)
			if err = w.settle(o.childPath(f.Name), err); err != nil {
				return err
			}
			if done {
				continue
			}
		}
		if err := w.zipNested(o, f); err != nil {
			return err
		}
	}
	return nil
}

// zipNested reads one entry as an object of its own.
func (w *walker) zipNested(o *object, f *zip.File) error {
	name := entryName(f.Name, f.NonUTF8)
	if o.depth+1 > w.lim.MaxDepth {
		w.unscannable(o.childPath(name), TooDeep)
		return nil
	}
	b, err := w.zipEntry(f)
	if len(b) > 0 {
		w.held += int64(len(b))
		if e := w.nested(o, name, "", b); e != nil {
			return e
		}
		w.held -= int64(len(b))
	} else {
		w.res.Objects++
		if w.res.Objects > w.lim.MaxEntries {
			w.unscannable(o.path, Entries)
			return errEntries
		}
	}
	return w.settle(o.childPath(name), err)
}

// entryName decodes a name that is not UTF-8: Shift JIS where it is valid as
// such, else code page 437, which the format prescribes.
func entryName(n string, nonUTF8 bool) string {
	if !nonUTF8 && utf8.ValidString(n) || utf8.ValidString(n) {
		return n
	}
	if s, err := japanese.ShiftJIS.NewDecoder().String(n); err == nil && !strings.ContainsRune(s, utf8.RuneError) {
		return s
	}
	s, err := charmap.CodePage437.NewDecoder().String(n)
	if err != nil {
		return strings.ToValidUTF8(n, "_")
	}
	return s
}

func toText(s string) string { return string(toUTF8([]byte(s), "")) }

// zipLocal reads what the local headers show when the directory is missing or
// broken: a cut download still holds its first entries.
func (w *walker) zipLocal(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("PK\x03\x04"))
		if i < 0 || len(b)-at-i < 30 {
			return nil
		}
		h := b[at+i:]
		at += i + 4
		nl, xl := int(binary.LittleEndian.Uint16(h[26:])), int(binary.LittleEndian.Uint16(h[28:]))
		if nl == 0 || nl > 1024 || len(h) < 30+nl+xl {
			continue
		}
		name := entryName(string(h[30:30+nl]), true)
		if binary.LittleEndian.Uint16(h[6:])&1 != 0 {
			w.unscannable(o.childPath(name), Encrypted)
			continue
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		body := h[30+nl+xl:]
		switch binary.LittleEndian.Uint16(h[8:]) {
		case zip.Store:
			n := min(int64(binary.LittleEndian.Uint32(h[18:])), int64(len(body)))
			if err := w.nested(o, name, "", body[:n]); err != nil {
				return err
			}
		case zip.Deflate:
			if err := w.nestedStream(o, name, flate.NewReader(bytes.NewReader(body)), int64(len(body))); err != nil {
				return err
			}
		default:
			w.unscannable(o.childPath(name), Unsupported)
		}
	}
}

// ooxmlMain maps the content type of a package's main part (less its
// "+xml" tail) to the type of the file.
var ooxmlMain = []struct{ part, mime string }{
	{"application/vnd.ms-word.document.macroEnabled.main", "application/vnd.ms-word.document.macroenabled.12"},
	{"application/vnd.ms-word.template.macroEnabledTemplate.main", "application/vnd.ms-word.template.macroenabled.12"},
	{"wordprocessingml.template.main", "application/vnd.openxmlformats-officedocument.wordprocessingml.template"},
	{"wordprocessingml.document.main", typeDocx},
	{"application/vnd.ms-excel.sheet.binary.macroEnabled.main", typeXlsb},
	{"application/vnd.ms-excel.sheet.macroEnabled.main", "application/vnd.ms-excel.sheet.macroenabled.12"},
	{"application/vnd.ms-excel.template.macroEnabled.main", "application/vnd.ms-excel.template.macroenabled.12"},
	{"application/vnd.ms-excel.addin.macroEnabled.main", "application/vnd.ms-excel.addin.macroenabled.12"},
	{"spreadsheetml.template.main", "application/vnd.openxmlformats-officedocument.spreadsheetml.template"},
	{"spreadsheetml.sheet.main", typeXlsx},
	{"application/vnd.ms-powerpoint.presentation.macroEnabled.main", "application/vnd.ms-powerpoint.presentation.macroenabled.12"},
	{"application/vnd.ms-powerpoint.slideshow.macroEnabled.main", "application/vnd.ms-powerpoint.slideshow.macroenabled.12"},
	{"presentationml.slideshow.main", "application/vnd.openxmlformats-officedocument.presentationml.slideshow"},
	{"presentationml.template.main", "application/vnd.openxmlformats-officedocument.presentationml.template"},
	{"presentationml.presentation.main", typePptx},
	{"application/vnd.ms-visio.drawing.macroEnabled.main", "application/vnd.ms-visio.drawing.macroenabled.12"},
	{"application/vnd.ms-visio.stencil.main", "application/vnd.ms-visio.stencil"},
	{"application/vnd.ms-visio.template.main", "application/vnd.ms-visio.template"},
	{"application/vnd.ms-visio.drawing.main", "application/vnd.ms-visio.drawing"},
	{"application/vnd.ms-package.3dmanufacturing-3dmodel", "model/3mf"},
	{"vnd.ms-package.xps-fixeddocumentsequence", "application/vnd.ms-xpsdocument"},
	{"vnd.openxps", "application/oxps"},
	{"vnd.adsk.dwfx", "model/vnd.dwfx+xps"},
}

// zipType tells what a zip is by what is inside.
func zipType(o *object) string {
	d, err := newZipDir(o.r, o.size)
	if err != nil {
		return typeZip
	}
	if len(d.File) > 0 && d.byName["mimetype"] != nil {
		if m := strings.TrimSpace(string(d.peek("mimetype", 200))); strings.HasPrefix(m, "application/") && looksText([]byte(m)) && !strings.ContainsAny(m, " \n") {
			return m
		}
	}
	if ct := d.peek("[Content_Types].xml", 1<<20); ct != nil {
		text := string(toUTF8(ct, ""))
		for _, m := range ooxmlMain {
			if strings.Contains(text, m.part) {
				return m.mime
			}
		}
	}
	has := func(n string) bool { return d.byName[n] != nil }
	ext := strings.ToLower(path.Ext(o.name))
	switch {
	case has("word/document.xml"):
		return typeDocx
	case has("xl/workbook.xml"):
		return typeXlsx
	case has("ppt/presentation.xml"):
		return typePptx
	case has("3D/3dmodel.model"):
		return "model/3mf"
	case has("index.apxl"):
		return "application/vnd.apple.keynote"
	case has("index.xml"):
		root := d.peek("index.xml", 4096)
		switch {
		case bytes.Contains(root, []byte("sl:document")):
			return "application/vnd.apple.pages"
		case bytes.Contains(root, []byte("ls:document")):
			return "application/vnd.apple.numbers"
		}
	case has("Index/Document.iwa"), has("Index.zip"):
		switch {
		case has("Index/Presentation.iwa") || ext == ".key":
			return "application/vnd.apple.keynote"
		case has("Index/CalculationEngine.iwa") && ext != ".pages":
			return "application/vnd.apple.numbers"
		}
		return "application/vnd.apple.pages"
	case has("AndroidManifest.xml"):
		return "application/vnd.android.package-archive"
	case has("META-INF/MANIFEST.MF"):
		return "application/java-archive"
	case has("Document.xml") && (has("GuiDocument.xml") || ext == ".fcstd"):
		return "application/x-freecad"
	case has("doc.kml"):
		return "application/vnd.google-earth.kmz"
	case has("Manifest.xml") && ext == ".3dxml":
		return "model/x-3dxml"
	case ext == ".f3d" || ext == ".f3z":
		return "model/x-fusion360"
	}
	for _, f := range d.File[:min(len(d.File), 200)] {
		if strings.HasSuffix(f.Name, ".prj") && ext == ".zap" {
			break
		}
		if strings.HasPrefix(f.Name, "XRef/") || strings.HasSuffix(f.Name, ".plf") {
			return "application/x-tia-portal"
		}
	}
	return typeZip
}
