package config

import (
	"encoding"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

// TestReference holds docs/configuration.md to the structs: their comments are
// the documentation, Default gives the defaults.
func TestReference(t *testing.T) {
	comments := fieldComments(t)
	var b strings.Builder
	b.WriteString("# Configuration\n\n" +
		"One YAML file holds all settings; `sluice run --config FILE` reads it, and works without one. Any setting can be given as\n" +
		"`--set KEY=VALUE` too. An unknown key or a value that does not fit is an error with its place. Where Suricata has the\n" +
		"same setting, the name is the same.\n\n" +
		"Sizes take kb, mb and gb (powers of 1,024), times ms, s, m, h and d (seconds without a unit), lists `[a, b]`. A\n" +
		"row without a meaning belongs to the one above.\n\n" +
		"<!-- Written by: go test ./internal/config -run TestReference -update -->\n\n" +
		"| key | default | meaning |\n|---|---|---|\n")
	reference(&b, comments, reflect.ValueOf(Default()).Elem(), "", "")
	b.WriteString("\n## Accepted without effect\n\nSettings of Suricata that change nothing here that an operator would miss. A name stands for all below it.\n\n| key | why |\n|---|---|\n")
	for _, k := range sortedNames(harmless) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k, harmless[k])
	}
	b.WriteString("\n## Refused\n\nSettings of Suricata that would change what is detected, enforced or recorded.\n\n| key | instead |\n|---|---|\n")
	for _, k := range sortedNames(notUsed) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k, notUsed[k])
	}
	path := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Error("docs/configuration.md is not what the structs say; run: go test ./internal/config -run TestReference -update")
	}
}

func sortedNames(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	for i := range out { // few names: insertion is enough
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// reference writes a row for every setting below v.
func reference(b *strings.Builder, comments map[string]string, v reflect.Value, path, comment string) {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		reference(b, comments, reflect.Zero(t.Elem()), path, comment)
		return
	}
	switch {
	case t == reflect.TypeFor[EVETypes]():
		fmt.Fprintf(b, "| `%s` | all | %s |\n", path, comment)
		reference(b, comments, reflect.Zero(reflect.TypeFor[EVEType]()), path+".TYPE", "")
		return
	case t == reflect.TypeFor[Vars]():
		fmt.Fprintf(b, "| `%s.NAME` | as Suricata's | %s |\n", path, comment)
		return
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		reference(b, comments, reflect.Zero(t.Elem()), path+".NAME", comment)
		return
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && !isText(t.Elem()):
		reference(b, comments, reflect.Zero(t.Elem()), path+".0", comment)
		return
	case t.Kind() == reflect.Struct && !isText(t):
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("yaml")
			if name == "-" {
				continue
			}
			c := comments[t.Name()+"."+f.Name]
			if enum := f.Tag.Get("enum"); enum != "" {
				c = strings.TrimSpace(c + " One of " + strings.ReplaceAll(enum, "|", ", ") + ".")
			}
			if only := f.Tag.Get("only"); only != "" {
				c = strings.TrimSpace(c + " (" + only + ")")
			}
			reference(b, comments, v.Field(i), join(path, name), c)
		}
		return
	}
	def := ""
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && t.Kind() != reflect.Struct {
		text, _ := m.MarshalText()
		def = string(text)
	} else if !v.IsZero() || t.Kind() == reflect.Bool || t.Kind() == reflect.Int {
		def = strings.ReplaceAll(fmt.Sprint(v.Interface()), "\n", " ")
	}
	fmt.Fprintf(b, "| `%s` | %s | %s |\n", path, def, comment)
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fieldComments gives each field's comment on one line, by "Type.Field".
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			ts, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := ts.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, id := range field.Names {
						out[ts.Name.Name+"."+id.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
					}
				}
			}
			return true
		})
	}
	return out
}
