package extract

import (
	"bytes"
	"context"
	"strings"
	"time"
)

func neverDone() context.Context { return context.Background() }
func farFuture() time.Time       { return time.Now().Add(time.Hour) }

// dispatch tells the object's type and calls its reader.
func (w *walker) dispatch(o *object) error {
	if err := w.clock(); err != nil {
		return err
	}
	w.detect(o)
	switch o.typ {
	case typeEmpty:
		return nil
	case typePDF:
		return w.pdf(o)
	case typeRTF:
		return w.rtf(o)
	case typeGzip, typeBzip2, typeXZ, typeZstd, typeLZMA, typeLZW, "application/x-lz4", "application/x-snappy-framed":
		return w.compressed(o)
	case typeTar:
		return w.tar(o)
	case type7z:
		return w.sevenZip(o)
	case typeRAR:
		return w.rar(o)
	case "application/x-archive":
		return w.ar(o)
	case typeHTML, "image/svg+xml":
		return w.html(o)
	case typeMail:
		return w.mail(o)
	case typeMbox:
		return w.mbox(o)
	case typePNG:
		return w.png(o)
	case typeJPEG:
		return w.jpeg(o)
	case typeTIFF:
		return w.tiff(o)
	case typeGIF, "image/webp", "image/jp2", "image/vnd.adobe.photoshop":
		return w.imageXMP(o)
	case "image/emf", "image/wmf":
		return w.metafile(o)
	case typeSigned, typePKCS7:
		return w.pkcs7(o)
	case typePGP, typeAge, typeOpenSSL, "application/x-luks", "application/x-keepass2":
		return errEncrypted
	case "application/vnd.ms-wordml":
		b, err := w.bytes(o)
		if err != nil {
			return err
		}
		return w.wordML(o, b)
	}
	switch {
	case strings.HasPrefix(o.typ, "application/") && isZipHead(o.head):
		return w.zip(o)
	case bytes.HasPrefix(o.head, []byte("\xd0\xcf\x11\xe0")):
		return w.ole(o)
	case o.typ == typeXML, strings.HasSuffix(o.typ, "+xml"), o.typ == "application/x-plist", o.typ == "application/x-plcopen",
		o.typ == "application/x-rslogix5000", o.typ == "application/x-eagle", o.typ == "application/x-amf", o.typ == "application/vnd.adobe.xfdf":
		return w.xml(o)
	case looksText(o.head) || utf16Guess(o.head) != "":
		return w.plain(o, Text)
	}
	if strings.HasSuffix(o.name, ".iwa") && o.head[0] == 0 {
		b, err := w.bytes(o)
		if err != nil {
			return err
		}
		return w.iwa(o, b)
	}
	return w.raw(o)
}

// Cheap tells the types whose reading can neither blow up nor run long, so that
// Extract may read them in the caller's process: plain text of some sort.
func Cheap(mime string) bool {
	switch mime {
	case typeEmpty, typePlain, typeCSV, typeJSON, "text/vcard", "text/calendar", "text/x-robots", "text/x-gcode", "model/step", "model/iges",
		"application/vnd.gerber", "application/vnd.excellon", "image/vnd.dxf; format=ascii", "model/obj":
		return true
	}
	return false
}

// Markup tells the types whose text stands in their bytes, with markup between: the
// classifiers' stream reads it there, whatever its size, and finds it where it stands.
func Markup(mime string) bool {
	switch mime {
	case typeHTML, typeXML, "image/svg+xml":
		return true
	}
	return false
}

func isZipHead(h []byte) bool {
	return bytes.HasPrefix(h, []byte("PK\x03\x04")) || bytes.HasPrefix(h, []byte("PK\x05\x06")) ||
		bytes.HasPrefix(h, []byte("PK\x07\x08")) || bytes.HasPrefix(h, []byte("PK00PK"))
}

// containers that are known but not read; saying so lets policy decide.
var unreadContainers = map[string]bool{
	"application/vnd.ms-cab-compressed": true, "application/x-installshield-cab": true, "application/x-cpio": true,
	"application/x-xar": true, "application/x-rpm": true, "application/x-ace-compressed": true, "application/x-iso9660-image": true,
	"application/x-squashfs": true, "application/x-arj": true, "application/vnd.ms-htmlhelp": true, "application/x-lzip": true,
	// Its pages are permuted, its text is not in reach.
	"application/vnd.ms-outlook-pst": true,
}

// raw gives the readable strings of a format that is not understood: runs of
// at least six printable characters, in UTF-8 or UTF-16.
func (w *walker) raw(o *object) error {
	if o.size > w.lim.MaxObject {
		return errTooLarge
	}
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	if unreadContainers[o.typ] || o.typ == "image/vnd.dwg" && string(o.head[:6]) >= "AC1018" {
		// From release 2004 on drawings are compressed: beside the summary no text
		// is in reach.
		w.unscannable(o.path, Unsupported)
	}
	if strings.HasPrefix(o.typ, "video/") || strings.HasPrefix(o.typ, "audio/") || strings.HasPrefix(o.typ, "font/") {
		return w.xmp(o, b)
	}
	if err := w.strings(o, b); err != nil {
		return err
	}
	return w.xmp(o, b)
}

// strings writes printable runs of b as Raw text.
func (w *walker) strings(o *object, b []byte) error {
	const least = 6
	t := w.open(o, "", Raw)
	for i := 0; i < len(b); {
		if i&0xfff == 0 {
			if err := w.clock(); err != nil {
				return err
			}
		}
		j := i
		for j < len(b) && printable(b[j]) {
			j++
		}
		if j-i >= least {
			t.write(b[i:j])
			t.str("\n")
			i = j
			continue
		}
		// UTF-16LE, Latin letters only: the byte order of every Windows format.
		k, n := i, 0
		for k+1 < len(b) && printable(b[k]) && b[k+1] == 0 {
			k, n = k+2, n+1
		}
		if n >= least {
			for m := i; m < k; m += 2 {
				t.rune(rune(b[m]))
			}
			t.str("\n")
			i = k
			continue
		}
		i = max(j, i+1)
	}
	return t.close()
}

func printable(c byte) bool { return c >= 0x20 && c < 0x7f || c == '\t' }
