package signatures

import (
	"strings"
	"testing"

	"sluice/signatures/rule"
	"sluice/signatures/rules"
)

func TestConfigLines(t *testing.T) {
	classes, refs := map[string]rule.Class{}, map[string]string{}
	errs := parseClasses("c", "\ufeff# x\r\nconfig classification: a, An a, 1 \r\n\nconfig classification:b,B,256\nclassification: c,C,1\nconfig classification: d,D, with a comma,3\n", classes)
	if len(errs) != 2 || errs[0].Line != 4 || errs[1].Line != 5 || len(classes) != 2 || classes["a"] != (rule.Class{Description: "An a", Priority: 1}) || classes["d"].Description != "D, with a comma" {
		t.Errorf("%v, %v", errs, classes)
	}
	if errs := parseReferences("r", "config reference: CVE https://cve.example/\nconfig reference: url\n", refs); len(errs) != 1 || errs[0].Line != 2 || refs["cve"] != "https://cve.example/" {
		t.Errorf("%v, %v", errs, refs)
	}
	// The bundled ones have no mistakes.
	if errs := append(parseClasses("", rules.Classification, classes), parseReferences("", rules.References, refs)...); len(errs) > 0 {
		t.Error(errs)
	}
	if errs := parseClasses("c", strings.Repeat("x\n", 1000), classes); len(errs) != maxClassFile {
		t.Errorf("%d mistakes are told", len(errs))
	}
}

func FuzzConfigLines(f *testing.F) {
	f.Add("config classification: a,A,1\n# x\nconfig reference: cve https://x\nconfig x:\nx\n")
	f.Fuzz(func(t *testing.T, data string) {
		classes, refs := map[string]rule.Class{}, map[string]string{}
		n := len(parseClasses("c", data, classes)) + len(parseReferences("r", data, refs))
		if lines := strings.Count(data, "\n") + 1; n > 2*lines || len(classes)+len(refs) > lines {
			t.Errorf("%d mistakes and %d entries of %d lines", n, len(classes)+len(refs), lines)
		}
	})
}
