package classifiers

import (
	"strings"
	"testing"

	"sluice/internal/hs"
)

func TestCustom(t *testing.T) {
	c, err := New(Config{Key: [32]byte{1}, Custom: []Custom{
		{ID: "custom.part", Pattern: `ACM-[0-9]{4}-[A-Z]{2}`, Level: Confidential, Confidence: High},
		{ID: "custom.member", Pattern: `M[0-9]{8}`, Validator: "entropy", Context: []string{"Member"}, Level: Confidential, Confidence: Medium},
		{ID: "custom.project", Words: []string{"Blue Heron", "Nightjar"}, Level: Restricted, Confidence: High},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sc, err := hs.NewScanner()
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	s, err := c.NewScanner(sc)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"drawing ACM-1234-XY rev 2": "custom.part ACM-1234-XY", "acm-1234-xy": "",
		"member M58203917": "custom.member M58203917", "number M58203917": "",
		"about BLUE HERON now": "custom.project BLUE HERON", "Nightjars": "",
	} {
		got := ""
		for _, f := range s.ScanBytes([]byte(text), ObjectMeta{MinConfidence: Medium}).Findings {
			if strings.HasPrefix(f.Detector, "custom.") {
				got = f.Detector + " " + text[f.Start:f.End]
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCustomIsRefused(t *testing.T) {
	for _, c := range []struct {
		d    Custom
		want string
	}{
		{Custom{ID: "x", Pattern: "abc"}, "custom."},
		{Custom{ID: "custom.a"}, "either"},
		{Custom{ID: "custom.a", Pattern: "ab(c"}, "wrong"},
		{Custom{ID: "custom.a", Pattern: "key=.*"}, "slow"},
		{Custom{ID: "custom.a", Pattern: "a?b?"}, "too broad"},
		{Custom{ID: "custom.a", Pattern: `[0-9]{4,12}`}, "too broad"},
		{Custom{ID: "custom.a", Pattern: `[A-Za-z]{4,9}`}, "too broad"},
		{Custom{ID: "custom.a", Pattern: "abcd", Validator: "magic"}, "unknown validator"},
		{Custom{ID: "custom.a", Words: []string{"a"}}, "too short"},
	} {
		if err := c.d.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.d, err, c.want)
		}
	}
	if err := (&Custom{ID: "custom.a", Pattern: `[0-9]{4,12}`, Validator: "luhn"}).Check(); err != nil {
		t.Error(err)
	}
}
