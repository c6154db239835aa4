package events

import (
	"strings"
	"testing"
)

// TestTexts holds that what the traffic chose is visited, in the same order
// whether it is to change or not, and that a change leaves what others hold.
func TestTexts(t *testing.T) {
	type part struct {
		Name  string
		List  []string
		Inner *struct{ Text string }
		Raw   []byte
		n     int
	}
	shared := []string{"list"}
	p := part{Name: "name", List: shared, Inner: &struct{ Text string }{"inner"}, Raw: []byte("raw"), n: 1}
	vars := map[string]any{"v": "variable"}
	e := &Event{
		HTTP:     &HTTP{URL: "url", UserAgent: "agent", Refer: "referer", RequestHeaders: []HTTPHeader{{"X", "header"}}},
		DNS:      &DNS{Queries: []DNSQuery{{RRName: "query"}}, Answers: []DNSAnswer{{RRName: "answer", RData: "data"}}, Grouped: map[string][]string{"B": {"b"}, "A": {"a"}}},
		TLS:      &TLS{SNI: "sni", Fingerprint: "fingerprint"},
		SMTP:     &SMTP{RcptTo: shared},
		Email:    &Email{Subject: "subject", Attachment: []string{"attachment"}},
		FileInfo: &FileInfo{Filename: "file", SHA256: "sum"},
		Files:    []FileInfo{{Filename: "files"}},
		DLP:      &DLP{PolicyRule: "rule", Object: DLPObject{Name: "object", SHA256: "sum"}, Findings: []DLPFinding{{Path: "path", Masked: []string{"***1"}}}},
		Metadata: &Metadata{Flowvars: []map[string]any{vars}},
		Extra:    map[string]any{"b": p, "a": "text"},
	}
	var first, second []string
	e.Texts(false, func(s *string) { first = append(first, *s) })
	e.Texts(true, func(s *string) { second = append(second, *s); *s = strings.ToUpper(*s) })
	got := strings.Join(first, " ")
	if got != strings.Join(second, " ") {
		t.Fatalf("visited %q, then %q", first, second)
	}
	if want := "url agent referer X header query answer data a b sni list subject attachment file files object path variable text name list inner"; got != want {
		t.Errorf("visited %q,\nwant    %q", got, want)
	}
	q := e.Extra["b"].(part)
	if q.Name != "NAME" || q.List[0] != "LIST" || q.Inner.Text != "INNER" || string(q.Raw) != "raw" || q.n != 1 || e.SMTP.RcptTo[0] != "LIST" ||
		e.DNS.Answers[0].RData != "DATA" || e.DNS.Grouped["A"][0] != "A" || e.Metadata.Flowvars[0]["v"] != "VARIABLE" || e.TLS.Fingerprint != "fingerprint" {
		t.Errorf("changed to %+v, %+v", q, e.SMTP)
	}
	if shared[0] != "list" || p.Inner.Text != "inner" || vars["v"] != "variable" {
		t.Error("what others hold was changed")
	}
}
