package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// kind is what a node is.
type kind uint8

const (
	null kind = iota
	scalar
	sequence
	mapping
)

var kindNames = [...]string{"nothing", "a value", "a list", "a section"}

// pos is a place in the file; line 0 means that the setting came from the
// command line.
type pos struct{ line, col int }

// node is the file's tree, or what a KEY=VALUE setting amounts to, reduced to
// what a configuration needs.
type node struct {
	kind  kind
	text  string
	items []*node
	keys  []entry
	pos   pos
}

type entry struct {
	key string
	pos pos
	val *node
}

// Bounds of a configuration file.
const (
	maxFile  = 16 << 20
	maxDepth = 32
)

// parseYAML reads a document.
func parseYAML(name string, data []byte) (*node, error) {
	if len(data) > maxFile {
		return nil, &Error{File: name, Msg: fmt.Sprintf("larger than %d bytes", maxFile)}
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, yamlError(name, err)
	}
	var root *node
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if _, ok := doc.Body.(*ast.DirectiveNode); ok {
			continue // "%YAML 1.1", which Suricata's files begin with
		}
		if root != nil {
			return nil, &Error{File: name, pos: posOf(doc.Body), Msg: "a second document", Hint: "remove the line ---"}
		}
		if root, err = convert(name, doc.Body, 0); err != nil {
			return nil, err
		}
	}
	if root == nil {
		root = &node{}
	}
	return root, nil
}

func posOf(n ast.Node) pos {
	t := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		t = m.Values[0].Key.GetToken()
	}
	if t == nil || t.Position == nil {
		return pos{1, 1}
	}
	return pos{t.Position.Line, t.Position.Column}
}

// convert reduces a syntax tree. What makes files hard to read at a glance
// (anchors, aliases, merges, tags) is refused.
func convert(name string, n ast.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, &Error{File: name, pos: posOf(n), Msg: "nested too deeply"}
	}
	out := &node{pos: posOf(n)}
	switch n := n.(type) {
	case *ast.NullNode:
		return out, nil
	case *ast.MappingNode:
		out.kind = mapping
		for _, v := range n.Values {
			if err := addEntry(name, out, v, depth); err != nil {
				return nil, err
			}
		}
	case *ast.MappingValueNode:
		out.kind = mapping
		out.pos = posOf(n.Key)
		if err := addEntry(name, out, n, depth); err != nil {
			return nil, err
		}
	case *ast.SequenceNode:
		out.kind = sequence
		for _, v := range n.Values {
			item, err := convert(name, v, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
	case *ast.LiteralNode:
		out.kind, out.text = scalar, n.Value.Value
	case *ast.StringNode:
		out.kind, out.text = scalar, n.Value
	case *ast.TagNode:
		return nil, &Error{File: name, pos: out.pos, Msg: "a YAML tag where a value was expected", Hint: `put values that begin with ! in quotes: "!$HOME_NET"`}
	case *ast.AnchorNode, *ast.AliasNode:
		return nil, &Error{File: name, pos: out.pos, Msg: "anchors and aliases are not used here", Hint: "write the value out; values that begin with * or & need quotes"}
	default:
		out.kind, out.text = scalar, n.GetToken().Value
	}
	return out, nil
}

func addEntry(name string, out *node, v *ast.MappingValueNode, depth int) error {
	if v.Key.IsMergeKey() {
		return &Error{File: name, pos: posOf(v.Key), Msg: "merge keys are not used here", Hint: "write the values out"}
	}
	key := v.Key.GetToken().Value
	for _, e := range out.keys {
		if e.key == key {
			return &Error{File: name, pos: posOf(v.Key), Key: key, Msg: "appears twice", Hint: fmt.Sprintf("the first is in line %d", e.pos.line)}
		}
	}
	val, err := convert(name, v.Value, depth+1)
	if err != nil {
		return err
	}
	out.keys = append(out.keys, entry{key, posOf(v.Key), val})
	return nil
}

// yamlError makes a syntax error one of ours, with its place and first line.
func yamlError(name string, err error) error {
	e := &Error{File: name, Msg: err.Error()}
	var line, col int
	if _, serr := fmt.Sscanf(e.Msg, "[%d:%d]", &line, &col); serr == nil {
		e.pos = pos{line, col}
		_, e.Msg, _ = strings.Cut(e.Msg, "] ")
	}
	e.Msg, _, _ = strings.Cut(e.Msg, "\n")
	e.Hint = "check indentation and quotes around here"
	return e
}

// fromSetting makes the tree of one KEY=VALUE.
func fromSetting(key, value string) *node {
	n := &node{kind: scalar, text: value}
	parts := strings.Split(key, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		n = &node{kind: mapping, keys: []entry{{key: parts[i], val: n}}}
	}
	return n
}

// Load gives the defaults changed by a file and checked. Its errors are Error
// values, joined where there are several.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse is Load for a file's bytes; name stands in errors.
func Parse(name string, data []byte) (*Config, error) {
	root, err := parseYAML(name, data)
	if err != nil {
		return nil, err
	}
	c := Default()
	if err := c.apply(name, root); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, placed(name, root, err)
	}
	return c, nil
}

// Set changes one key, "a.b.c=value"; the same names, checks and errors as in
// the file. Lists are written "[a, b]" or "a,b". Call Validate after the last.
func (c *Config) Set(setting string) error {
	key, value, ok := strings.Cut(setting, "=")
	key = strings.TrimSpace(key)
	if !ok || key == "" {
		return &Error{Key: setting, Msg: "is no setting", Hint: "write --set KEY=VALUE"}
	}
	if strings.Count(key, ".") > maxDepth {
		return &Error{Key: key[:64], Msg: "nested too deeply"}
	}
	return c.apply("", fromSetting(key, strings.TrimSpace(value)))
}
