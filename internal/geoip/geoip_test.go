package geoip

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// write makes a database of records by prefix.
func write(t testing.TB, name string, records map[string]mmdbtype.Map) string {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: name, RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for p, rec := range records {
		_, n, err := net.ParseCIDR(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(n, rec); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), name+".mmdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := w.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	return path
}

func country(key, code string) mmdbtype.Map {
	return mmdbtype.Map{mmdbtype.String(key): mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
}

func TestLookups(t *testing.T) {
	places := write(t, "Country", map[string]mmdbtype.Map{
		"192.0.2.0/25":   country("country", "AT"),
		"192.0.2.128/25": country("registered_country", "CH"),
		"2001:db8::/32":  country("country", "DE"),
	})
	nets := write(t, "ASN", map[string]mmdbtype.Map{"192.0.2.0/24": {"autonomous_system_number": mmdbtype.Uint32(64500)}})
	db, err := Open("", places, nets)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []struct {
		addr, country string
		asn           uint32
	}{
		{"192.0.2.1", "AT", 64500}, {"192.0.2.200", "CH", 64500}, {"2001:db8::1", "DE", 0}, {"198.51.100.1", "", 0}, {"::1", "", 0},
	} {
		a := netip.MustParseAddr(c.addr)
		if got, asn := db.Country(a), db.ASN(a); got != c.country || asn != c.asn {
			t.Errorf("%s: %q, %d", a, got, asn)
		}
	}
	if db.Country(netip.Addr{}) != "" {
		t.Error("no address is somewhere")
	}
}

func TestOpen(t *testing.T) {
	if db, err := Open("", ""); db != nil || err != nil {
		t.Errorf("nothing: %v, %v", db, err)
	}
	bad := filepath.Join(t.TempDir(), "bad.mmdb")
	if err := os.WriteFile(bad, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := write(t, "Country", map[string]mmdbtype.Map{"192.0.2.0/24": country("country", "AT")})
	for _, p := range []string{bad, filepath.Join(t.TempDir(), "absent"), t.TempDir()} {
		if _, err := Open(good, p); err == nil {
			t.Errorf("%s opens", p)
		}
	}
}

// FuzzDatabase holds that a damaged database makes addresses unknown, and no more.
func FuzzDatabase(f *testing.F) {
	data, err := os.ReadFile(write(f, "Country", map[string]mmdbtype.Map{"192.0.2.0/24": country("country", "AT")}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := filepath.Join(t.TempDir(), "x.mmdb")
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(p)
		if err != nil {
			return
		}
		defer db.Close()
		for _, a := range []string{"192.0.2.1", "2001:db8::1"} {
			db.Country(netip.MustParseAddr(a))
			db.ASN(netip.MustParseAddr(a))
		}
	})
}
