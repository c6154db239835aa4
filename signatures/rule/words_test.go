package rule

import (
	"strings"
	"testing"
)

// TestHTTP2Settings holds what http2.settings asks of identifiers and values.
func TestHTTP2Settings(t *testing.T) {
	const push, table, window = 2, 1, 4
	f := func(val, problem string, match, miss [][2]uint64) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, "alert http any any -> any any (http2.settings:"+val+"; sid:1;)")
		if problem != "" || err != nil {
			if err == nil || problem == "" || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: %v, want %q", val, err, problem)
			}
			return
		}
		for i, list := range [2][][2]uint64{match, miss} {
			for _, v := range list {
				if got := r.Fields[0].Match(v[0]<<32|v[1], 0); got != (i == 0) {
					t.Errorf("%s: setting %d of %d: %v", val, v[0], v[1], got)
				}
			}
		}
	}
	type p = [][2]uint64
	f("SETTINGS_ENABLE_PUSH", "", p{{push, 0}, {push, 1<<32 - 1}}, p{{table, 0}, {3, 0}})
	f("settings_enable_push=0", "", p{{push, 0}}, p{{push, 1}, {table, 0}})
	f("SETTINGS_HEADER_TABLE_SIZE>4096", "", p{{table, 4097}, {table, 1<<32 - 1}}, p{{table, 4096}, {push, 9000}})
	f("SETTINGS_HEADER_TABLE_SIZE >=4096", "", p{{table, 4096}}, p{{table, 4095}})
	f("SETTINGS_HEADER_TABLE_SIZE < 5", "", p{{table, 0}, {table, 4}}, p{{table, 5}})
	f("SETTINGS_HEADER_TABLE_SIZE<=5", "", p{{table, 5}}, p{{table, 6}})
	f("SETTINGS_INITIAL_WINDOW_SIZE 5-9", "", p{{window, 6}, {window, 8}}, p{{window, 5}, {window, 9}, {3, 6}})
	f("SETTINGS_INITIAL_WINDOW_SIZE !5-9", "", p{{window, 5}, {window, 9}, {window, 1<<32 - 1}}, p{{window, 6}, {3, 5}})
	f("SETTINGS_ENABLE_PUSH!=0", "", p{{push, 1}, {push, 1<<32 - 1}}, p{{push, 0}, {table, 1}})
	f("SETTINGS_ENABLE_PUSH!1", "", p{{push, 0}, {push, 2}}, p{{push, 1}})
	f("SETTINGS_INITIAL_WINDOW_SIZE&0x30=0x10", "", p{{window, 0x10}, {window, 0x11}}, p{{window, 0x30}, {window, 0x20}, {5, 0x10}})
	f("SETTINGS_INITIAL_WINDOW_SIZE&0x30", "", p{{window, 0x10}, {window, 0x20}}, p{{window, 0x40}, {5, 0x10}})
	f("SETTINGS_INITIAL_WINDOW_SIZE!&0x30=0x10", "", p{{window, 0x20}, {window, 0x30}, {window, 0}}, p{{window, 0x10}, {window, 0x1f}, {5, 0}})
	f("SETTINGS_ENABLE_PUSHES", `did you mean "settings_enable_push"`, nil, nil)
	f("SETTINGS_ENABLE_PUSH=x", `"x" is no number`, nil, nil)
	f("SETTINGS_ENABLE_PUSH<0", "can never match", nil, nil)
	f("SETTINGS_ENABLE_PUSH>4294967295", "can never match", nil, nil)
	f("SETTINGS_ENABLE_PUSH=4294967296", "larger than", nil, nil)
	f("SETTINGS_ENABLE_PUSH&1=2", "outside of the mask", nil, nil)
	f("2", "is no setting", nil, nil)
}

// TestCertDates holds the tests of a certificate's dates, whose ends are included,
// and of its age.
func TestCertDates(t *testing.T) {
	const day = 86400
	const may = 893980800 // 1998-05-01
	f := func(option, problem string, now int64, match, miss []uint64) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, "alert tls any any -> any any ("+option+"; sid:1;)")
		if problem != "" || err != nil {
			if err == nil || problem == "" || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: %v, want %q", option, err, problem)
			}
			return
		}
		for i, list := range [2][]uint64{match, miss} {
			for _, v := range list {
				if got := r.Fields[0].Match(v, now*1e9); got != (i == 0) {
					t.Errorf("%s: %d: %v", option, v, got)
				}
			}
		}
	}
	type l = []uint64
	f("tls_cert_notbefore:1998-05-01", "", 0, l{may}, l{may - 1, may + 1})
	f("tls_cert_notbefore:<1998-05-01", "", 0, l{may, may - 1}, l{may + 1})
	f("tls_cert_notafter:>1998-05-01", "", 0, l{may, may + 1}, l{may - 1})
	f("tls_cert_notafter:1998-05-01<>1998-05-02", "", 0, l{may, may + day}, l{may - 1, may + day + 1})
	f("tls_cert_notafter:>893980800", "", 0, l{may}, l{may - 1})
	f("tls_cert_notafter:>1998", "", 0, l{may}, l{883612799})
	f("tls_cert_notafter:1998-05-02<>1998-05-01", "is not after the first", 0, nil, nil)
	f("tls_cert_notafter:soon", "is no date", 0, nil, nil)
	f("tls_cert_expired", "", may, l{0, may - 1}, l{may, may + 1})
	f("tls_cert_valid", "", may, l{may, may + 1}, l{0, may - 1})
	f("tls_cert_expired:1", "takes no value", 0, nil, nil)
}

// TestEntropyTests holds the forms of a comparison that entropy takes.
func TestEntropyTests(t *testing.T) {
	f := func(val, problem string, op byte, value, upper float64) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, "alert http any any -> any any (http.uri; entropy:"+val+"; sid:1;)")
		if problem != "" || err != nil {
			if err == nil || problem == "" || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: %v, want %q", val, err, problem)
			}
			return
		}
		if e := r.Lists[0].Items[0].Ent; e.Op != op || e.Value != value || e.High != upper {
			t.Errorf("%s: %+v", val, *e)
		}
	}
	f("value 4.5", "", '=', 4.5, 0)
	f("value >= 4", "", 'G', 4, 0)
	f("value !4", "", '!', 4, 0)
	f("bytes 8, offset 2, value 1.5-2.5", "", 'R', 1.5, 2.5)
	f("value !1.5 - 2.5", "", 'O', 1.5, 2.5)
	f("value >1-2", "compares with a range", 0, 0, 0)
	f("value 3-2", "is empty", 0, 0, 0)
	f("value NaN", "is no entropy", 0, 0, 0)
	f("value -1", "is no entropy", 0, 0, 0)
}
