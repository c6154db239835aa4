package rule

import (
	"strings"
	"testing"
)

func TestAppEventKeyword(t *testing.T) {
	f := func(value, problem string, unevaluated bool) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, "alert tcp any any -> any any (app-layer-event:"+value+"; sid:1;)")
		switch {
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem) || err.Unevaluated != unevaluated):
			t.Errorf("%s: %v, want %s", value, err, problem)
		case problem == "" && err != nil:
			t.Errorf("%s: %v", value, err)
		case problem == "" && len(r.AppEvents)+len(r.Tests) != 1:
			t.Errorf("%s: %+v", value, r)
		}
	}
	f("http.double_encoded_uri", "", false)
	f("HTTP. Double_Encoded_URI", "", false)
	f("applayer_detect_protocol_only_one_direction", "", false)
	f("http.double_encoded_url", `http has no event "double_encoded_url"; did you mean "double_encoded_uri"?`, false)
	f("http.quite_another_thing", `http has no event "quite_another_thing"`, false)
	f("http.too_many_warnings", "event http.too_many_warnings: known, not evaluated yet", true)
	f("http.", "names no event", false)
	f("nfs.malformed_data", "events of nfs: known, not evaluated yet", true)
	f("htpp.x", `unknown protocol "htpp"; did you mean "http"?`, false)
	f("applayer_wrong_direction_frist_data", `did you mean "applayer_wrong_direction_first_data"?`, false)
	f("double_encoded_uri", "an event of a protocol is written PROTOCOL.EVENT", false)
}
