package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sluice/internal/near"
)

// ports is a list of ports that may be written as a single one.
type ports []uint16

// shapes checks the document's form against the type that it is read into: each
// key must be known there, each value be of its kind. All that is wrong is told,
// where the YAML library would tell of the first only and in terms of Go.
func (c *compiler) shapes(n ast.Node, t reflect.Type, key string) {
	for {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
			continue
		case *ast.TagNode, *ast.AliasNode:
			return // the library's
		case *ast.NullNode, nil:
			return
		}
		break
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[list]():
		c.items(n, key, "text", nil)
		return
	case reflect.TypeFor[ports]():
		c.items(n, key, "a port from 1 to 65535", func(s string) bool {
			p, err := strconv.ParseUint(s, 10, 16)
			return err == nil && p > 0
		})
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		c.section(n, t, key)
	case reflect.Map:
		for _, v := range c.mapping(n, key) {
			c.shapes(v.Value, t.Elem(), v.Key.GetToken().Value)
		}
	case reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			c.wrong(n, key, "a list")
			return
		}
		for _, v := range seq.Values {
			c.shapes(v, t.Elem(), key)
		}
	case reflect.Int:
		if s, ok := scalarText(n); !ok || !isInt(s) {
			c.wrong(n, key, "a whole number")
		}
	case reflect.Bool:
		if _, ok := n.(*ast.BoolNode); !ok {
			c.wrong(n, key, "true or false")
		}
	case reflect.String:
		if _, ok := scalarText(n); !ok {
			c.wrong(n, key, "text")
		}
	}
}

func isInt(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// section checks a mapping whose keys are a struct's.
func (c *compiler) section(n ast.Node, t reflect.Type, key string) {
	fields := map[string]reflect.Type{}
	var names []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		fields[name] = t.Field(i).Type
		names = append(names, name)
	}
	for _, v := range c.mapping(n, key) {
		name := v.Key.GetToken().Value
		ft, ok := fields[name]
		if !ok {
			c.atNode(v.Key, c.meant(name, names, "known here: "+strings.Join(names, ", ")), "unknown key %q", clip(name))
			continue
		}
		c.shapes(v.Value, ft, name)
	}
}

// mapping gives the entries of a mapping; what is none is told.
func (c *compiler) mapping(n ast.Node, key string) []*ast.MappingValueNode {
	switch x := n.(type) {
	case *ast.MappingNode:
		return slices.DeleteFunc(slices.Clone(x.Values), func(v *ast.MappingValueNode) bool { return v.Key.IsMergeKey() })
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}
	}
	c.wrong(n, key, "a section of keys and values")
	return nil
}

// items checks a list of scalars, or a single one.
func (c *compiler) items(n ast.Node, key, what string, ok func(string) bool) {
	all := []ast.Node{n}
	if seq, is := n.(*ast.SequenceNode); is {
		all = seq.Values
	}
	for _, v := range all {
		if _, later := v.(*ast.AliasNode); later {
			continue
		}
		if s, is := scalarText(v); !is || ok != nil && !ok(s) {
			c.wrong(v, key, what)
		}
	}
}

// scalarText gives a scalar's text; ok is false for what is none.
func scalarText(n ast.Node) (s string, ok bool) {
	switch x := n.(type) {
	case *ast.LiteralNode:
		return x.Value.Value, true
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, *ast.NullNode, nil:
		return "", false
	}
	if t := n.GetToken(); t != nil {
		return t.Value, true
	}
	return "", false
}

// wrong tells that a key's value is not of its kind.
func (c *compiler) wrong(n ast.Node, key, want string) {
	found := "a list"
	switch x := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		found = "a section"
	case *ast.SequenceNode:
	default:
		s, _ := scalarText(x)
		found = strconv.Quote(clip(s))
	}
	if key == "" {
		key = "the policy"
	}
	c.atNode(n, "", "%s: expected %s, found %s", key, want, found)
}

// atNode is at with the place of a node.
func (c *compiler) atNode(n ast.Node, remedy, format string, args ...any) {
	if len(c.errs) >= maxErrors {
		return
	}
	e := &Error{File: c.file, Line: 1, Column: 1, Msg: fmt.Sprintf(format, args...), Remedy: remedy}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	c.errs = append(c.errs, e)
}

// meant suggests what a word that is not known may have been meant to be, else
// says what there is.
func (c *compiler) meant(word string, names []string, otherwise string) string {
	if like := near.Nearest(word, names); like != "" {
		return fmt.Sprintf("did you mean %q?", like)
	}
	if like := near.Names(word, names, 1); len(like) > 0 {
		return fmt.Sprintf("did you mean %q?", like[0])
	}
	return otherwise
}

// clip bounds what is repeated of the file.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
