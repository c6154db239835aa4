package extract

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
)

// cadSignatures are engineering formats with a fixed beginning. Native formats
// stored in OLE or zip containers are told apart in cfbType and zipType.
var cadSignatures = []signature{
	{0, "ISO-10303-21;", "model/step"},
	{0, "AutoCAD Binary DXF\r\n\x1a\x00", "image/vnd.dxf; format=binary"},
	{0, "glTF", "model/gltf-binary"}, {0, "ply\n", "model/x-ply"}, {0, "ply\r\n", "model/x-ply"},
	{0, "OFF\n", "model/x-off"}, {0, "OFF\r\n", "model/x-off"}, {0, "COFF\n", "model/x-off"},
	{0, "Kaydara FBX Binary", "model/x-fbx"}, {0, "3D Geometry File Format ", "model/vnd.rhino-3dm"},
	{0, "#UGC:2", "model/x-creo"}, {0, "#PTC", "model/x-creo"}, {0, "V5_CFV2\x00", "model/x-catia"},
	{0, "#VRML", "model/vrml"}, {0, "#X3D", "model/x3d"}, {0, "BLENDER", "application/x-blender"},
	{0, "**ABCDEFGHIJKLMNOPQRSTUVWXYZ", "model/vnd.parasolid.transmit.text"}, {0, "PS\x00\x00", "model/vnd.parasolid.transmit.binary"},
	{0, "ACIS BinaryFile", "model/x-acis"}, {0, "SolidWorks", "model/x-solidworks"}, {0, "HSF V", "model/vnd.hsf"},
	{0, "PRC", "model/prc"}, {0, "U3D\x00", "model/u3d"}, {0, "(DWF V", "model/vnd.dwf"}, {0, "DBRepresentation", "application/x-cadence"},
	{0, "\x08\x00MGC", "model/x-jt"}, {0, "%FSLA", "application/vnd.gerber"}, {0, "(kicad_", "application/x-kicad"},
	{0, "EESchema", "application/x-kicad"}, {0, "PCBNEW-", "application/x-kicad"}, {0, "<eagle", "application/x-eagle"},
}

var (
	reIGES     = regexp.MustCompile(`(?m)^.{72}[S ] *1\r?$`)
	reDXF      = regexp.MustCompile(`^(\s*999\r?\n[^\n]*\n)*\s*0\r?\nSECTION\r?\n\s*2\r?\n(HEADER|CLASSES|TABLES|BLOCKS|ENTITIES|OBJECTS)`)
	reGerber   = regexp.MustCompile(`(?m)^(%FS[LTD]?[AI]X\d\dY\d\d\*%|%MO(IN|MM)\*%|%ADD\d+[A-Z])`)
	reDrill    = regexp.MustCompile(`(?m)^M48\r?$`)
	reDrillUse = regexp.MustCompile(`(?m)^(T\d+(F\d+)?(S\d+)?C[\d.]+|INCH|METRIC|M7[12]|FMAT)`)
	reGcode    = regexp.MustCompile(`(?m)^[ \t]*(N\d+[ \t]*)?(G0?[0-3]|G[2-9]\d|M0?[3-9]|M30|M10[4-9])([ \t]|[XYZFSTIJE;(\r]|$)`)
	reOBJ      = regexp.MustCompile(`(?m)^(v|vn|vt|f|o|g|usemtl|mtllib)[ \t]+\S`)
	reXYZ      = regexp.MustCompile(`^(-?\d+\.\d+[ \t,]+){2}-?\d+\.\d+([ \t,]+-?\d+(\.\d+)?)*\r?\n(-?\d+\.\d+[ \t,]+){2}`)
	reSTLHead  = regexp.MustCompile(`(?i)^\s*solid\b[^\n]*\n\s*(facet|endsolid)\b`)
)

// cadType recognises drawings, models and manufacturing programs by content.
func cadType(head []byte, ext string) string {
	for i := range cadSignatures {
		if s := &cadSignatures[i]; bytes.HasPrefix(head, []byte(s.sig)) {
			return s.mime
		}
	}
	// A drawing's first six bytes name its release: AC1.2 to AC1032.
	if len(head) > 16 && head[0] == 'A' && head[1] == 'C' && (head[2] == '1' || head[2] == '2' || head[2] == 'M') &&
		isDigits(head[3:6]) && (head[6] == 0 || ext == ".dwg") {
		return "image/vnd.dwg"
	}
	if len(head) > 18 && string(head[:3]) == "DGN" || len(head) > 4 && ext == ".dgn" && (string(head[:4]) == "\x08\x09\xfe\x02" || string(head[:4]) == "\xc8\x09\xfe\x02") {
		return "image/vnd.dgn"
	}
	if len(head) > 80 && strings.HasPrefix(string(head), "Version ") && bytes.Contains(head[:80], []byte(" JT  ")) {
		return "model/x-jt"
	}
	if t := binarySTL(head, ext); t != "" {
		return t
	}
	if !looksText(head) {
		return ""
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("ISO-10303-21;")), bytes.Contains(head[:min(len(head), 512)], []byte("\nISO-10303-21;")):
		return "model/step"
	case len(head) >= 80 && mayIGES(head[:min(len(head), 400)]) && reIGES.Match(head[:min(len(head), 400)]):
		return "model/iges"
	case reDXF.Match(head):
		return "image/vnd.dxf; format=ascii"
	case reSTLHead.Match(head):
		return "model/stl"
	case bytes.Contains(head, []byte("M48")) && reDrill.Match(head) && reDrillUse.Match(head):
		return "application/vnd.excellon"
	case mayGerber(head) && (len(reGerber.FindAllIndex(head, 2)) == 2 || bytes.Contains(head[:min(len(head), 2048)], []byte("G04 ")) && reGerber.Match(head)):
		return "application/vnd.gerber"
	case bytes.HasPrefix(text, []byte("{")) && bytes.Contains(head, []byte(`"asset"`)) && (ext == ".gltf" || bytes.Contains(head, []byte(`"meshes"`))):
		return "model/gltf+json"
	case isGcode(head, ext):
		return "text/x-gcode"
	case isOBJ(head):
		return "model/obj"
	case reXYZ.Match(text) && (ext == ".xyz" || ext == ".pts" || ext == ".asc" || ext == ".txt" || ext == ""):
		return "model/x-xyz"
	}
	return ""
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return true
}

// binarySTL checks what the format has for a signature: 80 free bytes, a
// count, and facets of 50 bytes whose attribute words are small and whose
// normals are finite and not longer than 1.
func binarySTL(head []byte, ext string) string {
	if len(head) < 84+50 {
		return ""
	}
	n := binary.LittleEndian.Uint32(head[80:])
	if n == 0 || n > 200<<20 {
		return ""
	}
	facets := min(int(n), (len(head)-84)/50, 64)
	if facets < 1 {
		return ""
	}
	zero := 0
	for i := range facets {
		f := head[84+50*i:]
		for k := range 12 {
			e := binary.LittleEndian.Uint32(f[4*k:]) >> 23 & 0xff
			// No infinities, nothing beyond 1e12; normals at most about 1.
			if e > 167 || k < 3 && e > 127 || e < 60 && e != 0 {
				return ""
			}
			if e == 0 {
				zero++
			}
		}
		if ext != ".stl" && binary.LittleEndian.Uint16(f[48:]) != 0 {
			return ""
		}
	}
	if zero == facets*12 || ext != ".stl" && facets < 4 {
		return ""
	}
	return "model/stl"
}

// isGcode wants most of the first lines to be machine words; an extension of
// the trade lowers the bar, since programs may begin with long comments.
func isGcode(head []byte, ext string) bool {
	n := gcodeLines(head)
	switch ext {
	case ".nc", ".gcode", ".cnc", ".tap", ".ngc", ".mpf", ".gco", ".eia":
		return n >= 2
	}
	if n < 6 {
		return false
	}
	lines := 0
	for l := range bytes.SplitSeq(head[:min(len(head), 8192)], []byte("\n")) {
		l = bytes.TrimSpace(l)
		if len(l) > 0 && l[0] != ';' && l[0] != '(' && l[0] != '%' {
			lines++
		}
	}
	return lines > 0 && n*2 > lines
}

// maxGcodeLines bounds the lines that are counted.
const maxGcodeLines = 200

// gcodeLines counts the lines that begin as programs of machine tools do. A line's
// first letter tells most others without the expression.
func gcodeLines(head []byte) (n int) {
	for l := range bytes.SplitSeq(head, []byte("\n")) {
		l = bytes.TrimLeft(l, " \t")
		if len(l) < 2 || l[0] != 'G' && l[0] != 'M' && l[0] != 'N' || !reGcode.Match(l) {
			continue
		}
		if n++; n == maxGcodeLines {
			break
		}
	}
	return n
}

// mayIGES reports whether a line is long enough and ends as the first one of IGES
// does: the expression costs more.
func mayIGES(head []byte) bool {
	for l := range bytes.SplitSeq(head, []byte("\n")) {
		if l = bytes.TrimSuffix(l, []byte("\r")); len(l) >= 74 && l[len(l)-1] == '1' {
			return true
		}
	}
	return false
}

// mayGerber reports whether a parameter stands in head with which a Gerber file could
// begin.
func mayGerber(head []byte) bool {
	for rest := head; ; {
		i := bytes.IndexByte(rest, '%')
		if i < 0 || i+3 > len(rest) {
			return false
		}
		switch string(rest[i+1 : i+3]) {
		case "FS", "MO", "AD":
			return true
		}
		rest = rest[i+1:]
	}
}

// objFirst are the letters with which a line of a model begins.
var objFirst = []byte("vfogum")

func isOBJ(head []byte) bool {
	v, other := 0, 0
	for l := range bytes.SplitSeq(head[:min(len(head), 8192)], []byte("\n")) {
		l = bytes.TrimSpace(l)
		switch {
		case len(l) == 0 || l[0] == '#':
		case bytes.IndexByte(objFirst, l[0]) >= 0 && reOBJ.Match(l):
			if bytes.HasPrefix(l, []byte("v ")) || bytes.HasPrefix(l, []byte("v\t")) {
				v++
			}
		default:
			other++
		}
	}
	return v >= 3 && other <= 1+v/8
}
