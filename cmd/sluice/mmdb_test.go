package main

import (
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/rogpeppe/go-internal/testscript"
)

// writeMMDB makes a database of addresses:
//
//	mmdb FILE PREFIX=CC|NUMBER...
func writeMMDB(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mmdb FILE PREFIX=CC|NUMBER...")
	}
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", IncludeReservedNetworks: true})
	ts.Check(err)
	for _, a := range args[1:] {
		prefix, value, _ := strings.Cut(a, "=")
		_, n, err := net.ParseCIDR(prefix)
		ts.Check(err)
		rec := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(value)}}
		if asn, err := strconv.ParseUint(value, 10, 32); err == nil {
			rec = mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(asn)}
		}
		ts.Check(w.Insert(n, rec))
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = w.WriteTo(f)
	ts.Check(err)
	ts.Check(f.Close())
}
