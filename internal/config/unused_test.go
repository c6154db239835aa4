package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestUnused holds the table of settings without effect to the program: a
// setting whose field nobody reads is in it, and one that is read is not.
func TestUnused(t *testing.T) {
	read := map[string]bool{}
	for _, dir := range []string{"../app", "../../cmd", "."} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "validate.go" {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					read[s.Sel.Name] = true
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var missing []string
	seen := map[string]bool{}
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ.Name()] {
			return
		}
		seen[typ.Name()] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			if yaml := f.Tag.Get("yaml"); yaml == "" || yaml == "-" {
				continue
			}
			name := typ.Name() + "." + f.Name
			seen[name] = true
			switch listed := slices.Contains(unused[:], name); {
			case listed && read[f.Name]:
				t.Errorf("%s is read now: take it off the table of unused settings", name)
			case !listed && !read[f.Name]:
				missing = append(missing, name)
			case !listed:
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	for _, name := range unused {
		if !seen[name] {
			t.Errorf("%s is no setting", name)
		}
	}
	if len(missing) > 0 {
		t.Errorf("nobody reads these: read them or put them into the table of unused settings:\n%s", strings.Join(missing, "\n"))
	}
}

func TestUnusedSettingsAreTold(t *testing.T) {
	c := Default()
	const key = "app-layer.protocols.websocket.max-payload-size"
	if err := c.Set(key + "=1mb"); err != nil {
		t.Fatal(err)
	}
	if err := c.Set("log.level=debug"); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(unused[:], "Protocol.MaxPayloadSize") != slices.Equal(c.NoEffect, []string{key}) {
		t.Errorf("told of %v", c.NoEffect)
	}
}
