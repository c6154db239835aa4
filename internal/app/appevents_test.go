package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
)

// TestAppEvents holds the lists of the anomalies that parsers say they raise against
// their sources: each is raised somewhere, and none is raised that is not listed, so
// that a rule that loads can match.
func TestAppEvents(t *testing.T) {
	reg, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	folders := map[protocol.ID]string{}
	for id := protocol.ID(0); id < protocol.NumIDs; id++ {
		if reg.Definition(id) != nil {
			folders[id] = map[protocol.ID]string{protocol.HTTP1: "http1", protocol.MDNS: "dns", protocol.LLMNR: "dns", protocol.FTPData: "ftp",
				protocol.DoH2: "http2", protocol.BitTorrentDHT: "bittorrent"}[id]
			if folders[id] == "" {
				folders[id] = id.String()
			}
		}
	}
	mails := literals(t, "mime")
	for id, folder := range folders {
		def := reg.Definition(id)
		found := literals(t, folder)
		all := map[string]bool{}
		for n := range found {
			all[n] = true
		}
		for n := range mails {
			all[n] = true
		}
		for _, n := range def.Events {
			if _, ok := all[n]; !ok {
				t.Errorf("%s lists the event %q and does not raise it", id, n)
			}
			if strings.ToLower(n) != n || n == "" {
				t.Errorf("%s: %q is no name of an event", id, n)
			}
		}
		for n, added := range found {
			if added && !slices.Contains(def.Events, n) && id != protocol.FTPData {
				t.Errorf("%s raises the event %q and does not list it", id, n)
			}
		}
	}
	if n := len(reg.Definition(protocol.HTTP1).Events); n < 50 {
		t.Errorf("HTTP/1 has %d events", n)
	}
}

// literals gives the texts in a protocol's sources, outside of its list of events,
// and whether they are given to a function that adds an event.
func literals(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "dataplane", "protocol", folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources of %s: %v", folder, err)
	}
	out := map[string]bool{}
	text := func(n ast.Node, added bool) {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil {
				out[s] = out[s] || added
			}
		}
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "eventnames.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			text(n, false)
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch fn := call.Fun.(type) {
			case *ast.SelectorExpr:
				name = fn.Sel.Name
			case *ast.Ident:
				name = fn.Name
			}
			if name == "AddEvent" || name == "event" || name == "note" {
				for _, a := range call.Args {
					text(a, true)
					if pick, ok := a.(*ast.CallExpr); ok {
						for _, a := range pick.Args {
							text(a, true)
						}
					}
				}
			}
			return true
		})
	}
	return out
}
