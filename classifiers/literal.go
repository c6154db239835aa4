package classifiers

import (
	"bytes"
	"encoding/binary"
)

// Detectors that a literal of their own announces and that need more than the
// token after it.

// literal is such a detector: judge looks at v, in which the literal stands at
// [start, end), and tells where the finding is, its value, and how sure it is.
type literal struct {
	Detector
	literals []string
	judge    func(v *window2, start, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool)
}

func literalDetectors() []*literal {
	return []*literal{
		{Detector: Detector{ID: "pay.cvv", Level: Restricted, Tags: w("PCI DSS"),
			Good: w("visa 4539578763621486 exp 12/27 CVV: 123"), Bad: w("CVV: 123", "4539578763621487 cvv 123")},
			literals: w("cvv", "cvc", "cvv2", "cvc2", "security code", "card verification"), judge: judgeCVV},
		{Detector: Detector{ID: "id.mrz", Level: Restricted, Tags: w("GDPR"),
			Good: w("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10\n", "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<\n"),
			Bad:  w("L898902C46UTO7408122F1204159ZE184226B<<<<<10\n", "<<<<<<<<<<")},
			literals: w("<<<<"), judge: judgeMRZ},
		{Detector: Detector{ID: "label.mip", Level: Confidential, Tags: w("label"),
			Good: w(`<property name="MSIP_Label_2e5a4b1c-7d3f-4a8e-9b60-1c2d3e4f5a6b_Name"><vt:lpwstr>Confidential</vt:lpwstr>`, `<clbl:label id="{2e5a4b1c-7d3f-4a8e-9b60-1c2d3e4f5a6b}" enabled="1" method="Privileged" siteId="{a}"/>`),
			Bad:  w("MSIP_Label_ properties", `<clbl:label id="{2e5a4b1c-7d3f-4a8e-9b60-1c2d3e4f5a6b}" enabled="0" removed="1"/>`)},
			literals: w("MSIP_Label_", "clbl:label "), judge: judgeMIP},
		{Detector: Detector{ID: "label.mip-header", Level: Confidential, Tags: w("label"),
			Good: w("msip_labels: MSIP_Label_2e5a4b1c-7d3f-4a8e-9b60-1c2d3e4f5a6b_Enabled=true; MSIP_Label_2e5a4b1c-7d3f-4a8e-9b60-1c2d3e4f5a6b_Name=Highly Confidential;"), Bad: w("msip_labels: none")},
			literals: w("msip_labels:"), judge: func(v *window2, start, end int) (int, int, []byte, Level, Confidence, bool) {
				i := bytes.Index(v.b[end:min(len(v.b), end+40)], []byte("MSIP_Label_"))
				if i < 0 {
					return 0, 0, nil, 0, 0, false
				}
				return judgeMIP(v, end+i, end+i+11)
			}},
		{Detector: Detector{ID: "label.titus", Level: Confidential, Tags: w("label"),
			Good: w(`<property name="TitusClassification"><vt:lpwstr>Restricted</vt:lpwstr>`, `name="bjDocumentSecurityLabel"><vt:lpwstr>Internal`), Bad: w("Titus Classification Suite")},
			literals: w("TitusClassification", "TitusGUID", "bjDocumentSecurityLabel", "bjClsUserRVM"), judge: func(v *window2, start, end int) (int, int, []byte, Level, Confidence, bool) {
				after := v.b[end:min(len(v.b), end+120)]
				if len(after) < 2 || after[0] != '"' {
					return 0, 0, nil, 0, 0, false
				}
				return start, end, v.b[start:end], labelLevel(after), High, true
			}},
		{Detector: Detector{ID: "bulk.vcard", Level: Public, Bulk: 20, BulkLevel: Confidential, Tags: gdpr, Good: w("BEGIN:VCARD\nVERSION:4.0\nFN:Jo\nEND:VCARD\n"), Bad: w("the BEGIN:VCARD line")},
			literals: w("BEGIN:VCARD"), judge: func(v *window2, start, end int) (int, int, []byte, Level, Confidence, bool) {
				if end >= len(v.b) || v.b[end] != '\r' && v.b[end] != '\n' {
					return 0, 0, nil, 0, 0, false
				}
				e := bytes.Index(v.b[end:], []byte("END:VCARD"))
				if e < 0 {
					e = len(v.b) - end
				}
				return start, end, v.b[start : end+e], Public, Medium, true
			}},
		{Detector: Detector{ID: "sec.db-connstring", Level: Restricted, Tags: secretTags, Secret: true,
			Good: w("Server=db01;Database=erp;User Id=app;Password=k9!xQ2vZt7;"), Bad: w("Server=db01;Database=erp;User Id=app;Password=password;", "password=k9!xQ2vZt7;")},
			literals: w("password=", "pwd="), judge: judgeConnString},
		{Detector: Detector{ID: "sec.nuget-config-password", Level: Confidential, Tags: secretTags, Secret: true,
			Good: w(`<add key="ClearTextPassword" value="k9xQ2vZt7" />`), Bad: w(`<add key="ClearTextPassword" value="%PASSWORD%" />`)},
			literals: w(`key="ClearTextPassword" value="`, `key="Password" value="`), judge: func(v *window2, start, end int) (int, int, []byte, Level, Confidence, bool) {
				n := bytes.IndexByte(v.b[end:min(len(v.b), end+200)], '"')
				if n < 6 || placeholder(v.b[end:end+n]) || filler(v.b[end:end+n]) || reference(v.b[end:end+n], false) {
					return 0, 0, nil, 0, 0, false
				}
				return end, end + n, v.b[end : end+n], Confidential, High, true
			}},
		{Detector: Detector{ID: "sec.discord-api-token", Level: Restricted, Tags: secretTags, Secret: true,
			Good: w("discord bot token MTA4NDI5MTc3MzYyNDE1MjA3OA.GhX3kq.q7Kd2mW9xZp4Lr8Tn3Vb6Yc1Hf5Jg0QsUeRt"), Bad: w("discord MTA4NDI5MTc3MzYyNDE1MjA3OA")},
			literals: w("discord"), judge: judgeDiscord},
		{Detector: Detector{ID: "sec.k8s-sa-token", Level: Confidential, Tags: secretTags, Secret: true,
			Good: w("apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  token: bTR0eCE5c2xrZGpmMzI0OGxza2Rm\n"), Bad: w("kind: Secret\nmetadata:\n  name: x\n", "kind: SecretList")},
			literals: w("kind: Secret"), judge: judgeKubernetes},
		mnemonicDetector(),
	}
}

// judgeCVV confirms the code of a payment card that stands near (PCI DSS 3.3.1.2).
func judgeCVV(v *window2, start, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool) {
	b := v.b
	i := end
	for i < len(b) && i < end+12 && !isDigit(b[i]) && b[i] != '\n' && !isAlpha(b[i]) {
		i++
	}
	n := csDigit.run(b[min(i, len(b)):], 5)
	if n < 3 || n > 4 || i+n < len(b) && isWordByte(b[i+n]) || !cardNear(b[max(0, start-200):min(len(b), end+200)]) {
		return
	}
	return i, i + n, b[i : i+n], Restricted, High, true
}

// cardNear reports whether a card number stands in b.
func cardNear(b []byte) bool {
	var d [20]byte
	for i := 0; i < len(b); {
		if !isDigit(b[i]) || i > 0 && isWordByte(b[i-1]) {
			i++
			continue
		}
		n, k := 0, i
		for k < len(b) && n < len(d) && (isDigit(b[k]) || (b[k] == ' ' || b[k] == '-') && k+1 < len(b) && isDigit(b[k+1])) {
			if isDigit(b[k]) {
				d[n] = b[k]
				n++
			}
			k++
		}
		for m := min(n, 19); m >= 13; m-- {
			if cardBrand(d[:m]) != "" && luhn(d[:m]) {
				return true
			}
		}
		i = k + 1
	}
	return false
}

// judgeMRZ confirms a machine-readable zone by the check digits of its line (ICAO
// 9303, parts 4 to 6).
func judgeMRZ(v *window2, start, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool) {
	b := v.b
	inZone := func(c byte) bool { return c == '<' || isDigit(c) || c >= 'A' && c <= 'Z' }
	line := func(at int) (int, int) {
		l, r := at, at
		for l > 0 && at-l < 50 && inZone(b[l-1]) {
			l--
		}
		for r < len(b) && r-l < 50 && inZone(b[r]) {
			r++
		}
		return l, r
	}
	check := func(c byte, parts ...[]byte) bool {
		var all [48]byte
		n := 0
		for _, p := range parts {
			n += copy(all[n:], p)
		}
		return isDigit(c) && icao(all[:n]) == int(c-'0') || c == '<' && icao(all[:n]) == 0
	}
	// The line of the hit, and the one after it, which may hold no filler.
	l, r = line(start)
	for range 2 {
		t := b[l:r]
		switch len(t) {
		case 44, 36:
			n := len(t) - 1
			if check(t[9], t[:9]) && check(t[19], t[13:19]) && check(t[27], t[21:27]) && check(t[n], t[:10], t[13:20], t[21:n]) && isDigit(t[13]) {
				return l, r, t, Restricted, High, true
			}
		case 30:
			if isDigit(t[0]) && check(t[6], t[:6]) && check(t[14], t[8:14]) && isDigit(t[8]) {
				return l, r, t, Restricted, High, true
			}
		}
		k := r
		for k < len(b) && k < r+4 && (b[k] == '\r' || b[k] == '\n' || b[k] == ' ') {
			k++
		}
		if k == r || k >= len(b) {
			break
		}
		l, r = line(k)
	}
	return 0, 0, nil, 0, 0, false
}

// judgeMIP confirms a sensitivity label of Microsoft's in document properties, mail
// headers or LabelInfo.xml.
func judgeMIP(v *window2, start, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool) {
	b := v.b
	after := b[end:min(len(b), end+800)]
	if b[start]|0x20 == 'c' {
		i := bytes.Index(after, []byte(`id="`))
		e := bytes.IndexByte(after, '>')
		if e < 0 {
			e = len(after)
		}
		if i < 0 || i > e || len(after) < i+42 || bytes.Contains(after[:e], []byte(`enabled="0"`)) || bytes.Contains(after[:e], []byte(`removed="1"`)) {
			return
		}
		return start, end, bytes.Trim(after[i+4:i+42], `{}"`), Confidential, High, true
	}
	if len(after) < 38 || !guid(after[:36]) || after[36] != '_' {
		return
	}
	level = Confidential
	name := append(append([]byte{}, after[:36]...), "_Name"...)
	if i := bytes.Index(after, name); i >= 0 {
		level = labelLevel(after[i+len(name) : min(len(after), i+len(name)+120)])
	}
	return start, end + 36, after[:36], level, High, true
}

func guid(b []byte) bool {
	for i, c := range b {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !isHex(c) {
			return false
		}
	}
	return true
}

// labelLevel reads a level out of the text that follows a label's key; Confidential
// where it says nothing that is known.
func labelLevel(b []byte) Level {
	if i := bytes.IndexAny(b, ";\r\n"); i > 0 {
		b = b[:i]
	}
	if i := bytes.Index(b, []byte("</")); i > 0 {
		b = b[:i]
	}
	b = bytes.ToLower(b)
	for _, x := range labelNames {
		if bytes.Contains(b, []byte(x.word)) {
			return x.level
		}
	}
	return Confidential
}

var labelNames = []struct {
	word  string
	level Level
}{{"highly", Restricted}, {"streng", Restricted}, {"restricted", Restricted}, {"secret", Restricted}, {"geheim", Restricted}, {"confiden", Confidential}, {"vertraulich", Confidential}, {"internal", Internal}, {"general", Internal}, {"intern", Internal},
	{"personal", Public}, {"public", Public}, {"öffentlich", Public}, {"non-business", Public}}

// judgeConnString confirms the password of a database's connection string.
func judgeConnString(v *window2, start, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool) {
	b := v.b
	n := 0
	for end+n < len(b) && n < 100 && b[end+n] > ' ' && b[end+n] < 0x7f && b[end+n] != ';' && b[end+n] != '"' && b[end+n] != '\'' && b[end+n] != '<' {
		n++
	}
	val := b[end : end+n]
	from := start - 1
	for from > 0 && start-from < 300 && b[from] != '\n' && b[from] != '"' && b[from] != '\'' {
		from--
	}
	if n < 4 || start == 0 || from < 0 || b[start-1] != ';' && b[start-1] != ' ' || placeholder(val) || filler(val) || reference(val, false) || wordy(val) {
		return
	}
	before := bytes.ToLower(b[from:start])
	if bytes.IndexByte(before, ';') < 0 {
		return
	}
	for _, k := range [...]string{"server=", "data source=", "host=", "addr=", "driver="} {
		if bytes.Contains(before, []byte(k)) {
			return end, end + n, val, Restricted, High, true
		}
	}
	return
}

// judgeDiscord confirms a bot's token: its number in base64, a time, a signature.
func judgeDiscord(v *window2, _, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool) {
	b := v.b
	for i := end; i < len(b) && i < end+200; {
		n := csDot.run(b[i:], 90)
		if n == 0 {
			i++
			continue
		}
		t := b[i : i+n]
		if d := bytes.IndexByte(t, '.'); n >= 58 && n < 90 && d >= 23 && d <= 28 && t[d+7] == '.' && bytes.IndexByte(t[d+8:], '.') < 0 && (t[0] == 'M' || t[0] == 'N' || t[0] == 'O') && entropy(t) > 3.5 && !placeholder(t) {
			return i, i + n, t, Restricted, High, true
		}
		i += n
	}
	return
}

// judgeKubernetes confirms a Secret of Kubernetes with a value in its data.
func judgeKubernetes(v *window2, start, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool) {
	b := v.b
	if end < len(b) && isWordByte(b[end]) {
		return
	}
	at := bytes.Index(b[end:], []byte("\ndata:"))
	if at < 0 {
		return
	}
	rest := b[end+at+6:]
	for range 20 {
		i := bytes.IndexByte(rest, ':')
		if i < 0 || bytes.Contains(rest[:i], []byte("---")) {
			return
		}
		rest = rest[i+1:]
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '"') {
			rest = rest[1:]
		}
		if n := csB64.run(rest, 900); n >= 12 && entropy(rest[:n]) > 3 && !placeholder(rest[:n]) {
			l = len(b) - len(rest)
			return l, l + n, rest[:n], Confidential, High, true
		}
	}
	return
}

// engineering tells files of construction and manufacture by their first bytes
// (ISO 10303-21, IGES 5.3, AutoCAD DXF, Gerber, Excellon, STL, 3MF, and formats
// of single programs).
func engineering(head []byte) string {
	text := bytes.TrimLeft(head, " \t\r\n")
	has := func(p string) bool { return bytes.HasPrefix(text, []byte(p)) }
	contains := func(p string) bool { return bytes.Contains(head, []byte(p)) }
	switch {
	case has("ISO-10303-21;"):
		return "ip.step"
	case len(head) >= 81 && head[72] == 'S' && bytes.HasPrefix(bytes.TrimLeft(head[73:80], " 0"), []byte("1")) && (head[80] == '\n' || head[80] == '\r'):
		return "ip.iges"
	case (has("0\r\nSECTION") || has("0\nSECTION") || has("AutoCAD Binary DXF")) && (contains("HEADER") || contains("AutoCAD")):
		return "ip.dxf"
	case len(head) > 6 && string(head[:4]) == "AC10" && isDigit(head[4]) && isDigit(head[5]):
		return "ip.dwg"
	case has("solid") && contains("facet normal") && contains("outer loop"):
		return "ip.stl-ascii"
	case len(head) >= 134 && string(head[:5]) != "solid" && binaryFacets(head):
		return "ip.stl-ascii"
	case contains("%FSLA") && contains("%MO") || contains("%FSLA") && contains("%ADD"):
		return "ip.gerber"
	case has("M48") && (contains("METRIC") || contains("INCH")):
		return "ip.excellon"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")) && contains("3D/3dmodel.model"):
		return "ip.3mf"
	case contains("END_VAR") && (contains("FUNCTION_BLOCK") || contains("PROGRAM ")):
		return "ip.plc"
	case has("#UGC:2"), has("V5_CFV2\x00"), has("**ABCDEFGHIJKLMNOPQRSTUVWXYZ"), has("3D Geometry File Format "):
		return "ip.cad-native"
	case gcode(head):
		return "ip.gcode"
	}
	return ""
}

// binaryFacets reports whether a binary STL's header says so and its first facet
// ends as one does.
func binaryFacets(head []byte) bool {
	n := binary.LittleEndian.Uint32(head[80:])
	return n > 0 && n < 1<<28 && bytes.Contains(bytes.ToLower(head[:80]), []byte("stl")) && head[132] == 0 && head[133] == 0
}

// gcode reports whether most lines are machine instructions (ISO 6983).
func gcode(head []byte) bool {
	lines, good := 0, 0
	for line := range bytes.Lines(head) {
		t := bytes.TrimSpace(line)
		if len(t) == 0 || t[0] == ';' || t[0] == '(' || t[0] == '%' {
			continue
		}
		lines++
		if t[0] == 'N' {
			k := 1 + csDigit.run(t[1:], 6)
			t = bytes.TrimLeft(t[k:], " ")
		}
		if len(t) >= 2 && (t[0] == 'G' || t[0] == 'M' || t[0] == 'T' || t[0] == 'X' || t[0] == 'Y' || t[0] == 'Z') && (isDigit(t[1]) || t[1] == '-') {
			good++
		}
	}
	return lines >= 12 && good*10 >= lines*8 && (bytes.Contains(head, []byte("G0")) || bytes.Contains(head, []byte("G1")) || bytes.Contains(head, []byte("G2")))
}

// engineeringFiles are the detectors of such files, each with a beginning.
var engineeringFiles = []struct{ id, good string }{
	{"ip.step", "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\n"},
	{"ip.iges", "part made for tests                                                     S      1\n"},
	{"ip.dxf", "  0\nSECTION\n  2\nHEADER\n  9\n$ACADVER\n"},
	{"ip.dwg", "AC1032\x00\x00\x00\x00"},
	{"ip.stl-ascii", "solid part\n facet normal 0 0 1\n  outer loop\n   vertex 0 0 0\n"},
	{"ip.gerber", "G04 board*\n%FSLAX46Y46*%\n%MOMM*%\n%ADD10C,0.1*%\n"},
	{"ip.excellon", "M48\nMETRIC,TZ\nT1C0.800\n%\n"},
	{"ip.3mf", "PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x003D/3dmodel.model"},
	{"ip.cad-native", "#UGC:2 PART 1 580 200\n#- VERS 1 0\n"},
	{"ip.plc", "FUNCTION_BLOCK Motor\nVAR_INPUT\n Start : BOOL;\nEND_VAR\n"},
	{"ip.gcode", "%\nO1234\n" + "G21\nG90\nG0 X0 Y0\nM3 S1000\nG1 X10 F200\nG1 Y10\nG1 X0\nG1 Y0\nG0 Z5\nX1 Y2\nX3 Y4\nM5\nM30\n%\n"},
}

// tellType reports what an object is by its first bytes, once.
func (s *Scanner) tellType(st *Stream) {
	st.typed = true
	if st.depth == 0 && s.c.encrypted != none && unreadable(st.head) == encrypted {
		s.emit(st, &window2{}, uint16(s.c.encrypted), 0, min(16, len(st.head)), High, Internal, []byte(encrypted)[:3])
	}
	if st.depth > 0 || st.meta.Raw || len(s.c.engineering) == 0 {
		return
	}
	id := engineering(st.head)
	if at, ok := s.c.engineering[id]; ok && id != "" {
		v := window2{b: st.head}
		s.emit(st, &v, at, 0, min(16, len(st.head)), High, Confidential, st.head)
	}
}
