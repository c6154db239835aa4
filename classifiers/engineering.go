package classifiers

// engineeringTypes tells, by media type, the detector of files of construction
// and manufacture. Text formats are told by their first bytes where they are
// scanned as they stand; what is read as a document, and what lies in archives
// and mails, is told by the type that the reader found.
var engineeringTypes = map[string]struct {
	id   string
	conf Confidence
}{
	"model/step": {"ip.step", High}, "model/iges": {"ip.iges", High},
	"image/vnd.dxf; format=ascii": {"ip.dxf", High}, "image/vnd.dxf; format=binary": {"ip.dxf", High}, "image/vnd.dwg": {"ip.dwg", High},
	"model/stl": {"ip.stl-ascii", High}, "model/3mf": {"ip.3mf", High},
	"application/vnd.gerber": {"ip.gerber", High}, "application/vnd.excellon": {"ip.excellon", High}, "text/x-gcode": {"ip.gcode", High},
	"application/x-plcopen": {"ip.plc", High}, "application/x-rslogix5000": {"ip.plc", High}, "application/x-tia-portal": {"ip.plc", High},
	"model/x-solidworks": {"ip.cad-native", High}, "model/x-inventor": {"ip.cad-native", High}, "model/x-solidedge": {"ip.cad-native", High},
	"model/x-creo": {"ip.cad-native", High}, "model/x-catia": {"ip.cad-native", High}, "model/x-jt": {"ip.cad-native", High},
	"model/vnd.parasolid.transmit.text": {"ip.cad-native", High}, "model/vnd.rhino-3dm": {"ip.cad-native", High}, "model/x-acis": {"ip.cad-native", High},
	"application/x-freecad": {"ip.cad-native", High},
	// Few bytes tell these.
	"model/vnd.parasolid.transmit.binary": {"ip.cad-native", Medium}, "image/vnd.dgn": {"ip.cad-native", Medium},
}

// Engineering gives the finding that a media type is by itself, for an object of
// which only the type by content is at hand. The result is empty for any other
// type, and where the finding is below min or its detector is switched off.
func (s *Scanner) Engineering(mime string, min Confidence) Result {
	e, ok := engineeringTypes[mime]
	if !ok || e.conf < min {
		return Result{}
	}
	at, ok := s.c.engineering[e.id]
	if !ok {
		return Result{}
	}
	st := s.Open(ObjectMeta{MinConfidence: min, Raw: true})
	// The type is all that there is of the value: files of one type are one value.
	v := window2{b: []byte(mime)}
	s.emit(st, &v, at, 0, 0, e.conf, Confidential, v.b)
	return s.Close(st)
}
