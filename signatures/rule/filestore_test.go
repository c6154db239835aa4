package rule

import (
	"strings"
	"testing"

	"sluice/dataplane/protocol"
)

func TestFilestoreKeyword(t *testing.T) {
	f := func(header, options string, want Filestore, problem string) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, header+" any any -> any any ("+options+" sid:1;)")
		switch {
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("%s: %v, want %s", options, err, problem)
		case problem == "" && err != nil:
			t.Errorf("%s: %v", options, err)
		case problem == "" && (r.Filestore == nil || *r.Filestore != want || len(r.Files) == 0):
			t.Errorf("%s: %+v", options, r.Filestore)
		}
	}
	f("alert http", `filestore;`, Filestore{}, "")
	f("alert tcp", `fileext:"exe"; filestore:request;`, Filestore{Dirs: protocol.DirsToServer}, "")
	f("alert http", `filestore: response, file;`, Filestore{Dirs: protocol.DirsToClient}, "")
	f("alert http", `flow:to_server; filestore:to_client,tx;`, Filestore{Dirs: protocol.DirsToClient, Scope: ScopeTx}, "")
	f("alert http", `filestore:both,ssn;`, Filestore{Dirs: protocol.DirsBoth, Scope: ScopeFlow}, "")
	f("drop smtp", `filestore:to_server,flow;`, Filestore{Dirs: protocol.DirsToServer, Scope: ScopeFlow}, "")

	f("alert http", `filestore:up;`, Filestore{}, `t.rules:1:32: sid 1: filestore: "up" is no direction`)
	f("alert http", `filestore:requset;`, Filestore{}, `did you mean "request"?`)
	f("alert http", `filestore:both,session;`, Filestore{}, `"session" is no scope`)
	f("alert http", `filestore:both,tx,more;`, Filestore{}, `has 3 parts; write filestore;`)
	f("alert http", `filestore; filestore;`, Filestore{}, `is given twice`)
	f("alert dns", `filestore;`, Filestore{}, `the protocol dns carries no files`)
	f("alert http", `flow:to_server; filestore:response;`, Filestore{}, `nothing would be stored`)
}
