package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error tells what is wrong with a setting, where, and what to do.
type Error struct {
	// File is empty for settings of the command line.
	File string
	pos  pos
	// Key is the setting's dotted name.
	Key string
	// Msg says what is wrong, Hint what to do; Hint may be empty.
	Msg, Hint string
}

// Line and Column give the place in File; 0 where there is none.
func (e *Error) Line() int { return e.pos.line }

// Column gives the column in File, from 1.
func (e *Error) Column() int { return e.pos.col }

// Error gives "file:line:column: key: message; hint".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.pos.line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.pos.line, e.pos.col)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// maxErrors bounds how many errors of a file are told at once.
const maxErrors = 20

// assigner carries a tree into a Config.
type assigner struct {
	c    *Config
	file string
	errs []error
}

func (c *Config) apply(file string, root *node) error {
	a := &assigner{c: c, file: file}
	a.value(reflect.ValueOf(c).Elem(), root, "", "")
	if len(a.errs) > maxErrors {
		a.errs = append(a.errs[:maxErrors], fmt.Errorf("and %d more errors", len(a.errs)-maxErrors))
	}
	return errors.Join(a.errs...)
}

func (a *assigner) fail(p pos, key, hint, format string, args ...any) {
	a.errs = append(a.errs, &Error{File: a.file, pos: p, Key: key, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// custom is implemented by types that read their part of the tree themselves.
type custom interface {
	assign(a *assigner, n *node, path string)
}

// value puts n into v. path is the key so far, tag the field's struct tag.
func (a *assigner) value(v reflect.Value, n *node, path string, tag reflect.StructTag) {
	if c, ok := v.Addr().Interface().(custom); ok {
		c.assign(a, n, path)
		return
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if n.kind == null {
			return
		}
		if n.kind != scalar {
			a.fail(n.pos, path, "", "expected a value, found %s", kindNames[n.kind])
		} else if err := t.UnmarshalText([]byte(n.text)); err != nil {
			a.fail(n.pos, path, "", "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if n.kind == null {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		a.value(v.Elem(), n, path, tag)
	case reflect.Struct:
		a.structure(v, n, path)
	case reflect.Map:
		a.mapping(v, n, path, tag)
	case reflect.Slice:
		a.list(v, n, path, tag)
	default:
		a.scalar(v, n, path, tag)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// structure puts a section's keys into a struct's fields.
func (a *assigner) structure(v reflect.Value, n *node, path string) {
	switch n.kind {
	case null:
		return // an empty section changes nothing
	case scalar:
		// "metadata: no" and the like switch a section.
		if f := v.FieldByName("Enabled"); f.IsValid() {
			a.value(f, n, join(path, "enabled"), "")
			return
		}
		a.fail(n.pos, path, "write its settings below it, indented", "expected a section, found %q", clip(n.text))
		return
	case sequence:
		// Suricata writes some sections as lists of sections ("- eve-log:").
		for _, item := range n.items {
			if item.kind != mapping {
				a.fail(item.pos, path, "", "expected a section, found %s", kindNames[item.kind])
				continue
			}
			a.structure(v, item, path)
		}
		return
	}
	for _, e := range n.keys {
		if isIndex(e.key) {
			a.structure(v, e.val, path) // outputs.0.eve-log from the command line
			continue
		}
		a.field(v, e, path)
	}
}

// field puts one key of a section into its field, or says what else it is.
func (a *assigner) field(v reflect.Value, e entry, path string) {
	full := join(path, e.key)
	if to, ok := aliases[full]; ok {
		n := e.val
		parts := strings.Split(to, ".")
		for i := len(parts) - 1; i >= 0; i-- {
			n = &node{kind: mapping, pos: e.pos, keys: []entry{{parts[i], e.pos, n}}}
		}
		a.value(reflect.ValueOf(a.c).Elem(), n, "", "")
		return
	}
	t := v.Type()
	var names []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		if name == "-" {
			continue
		}
		if name == e.key {
			if only := t.Field(i).Tag.Get("only"); only != "" && !slices.Contains(strings.Fields(only), lastKey(path)) {
				a.fail(e.pos, full, "it is a setting of "+strings.ReplaceAll(only, " ", ", "), "does not apply to %s", lastKey(path))
				return
			}
			a.value(v.Field(i), e.val, full, t.Field(i).Tag)
			return
		}
		names = append(names, name)
	}
	if e.val.kind == mapping && aliasBelow(full) {
		for _, c := range e.val.keys {
			a.field(reflect.ValueOf(struct{}{}), c, full)
		}
		return
	}
	if a.known(full, e) {
		return
	}
	a.fail(e.pos, full, suggest(e.key, path, names), "unknown key")
}

// aliasBelow reports whether a section that is not ours has a key with another
// name here.
func aliasBelow(section string) bool {
	for k := range aliases {
		if strings.HasPrefix(k, section+".") {
			return true
		}
	}
	return false
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// known deals with keys that Suricata has and we have no use for.
func (a *assigner) known(full string, e entry) bool {
	// The whole path counts, however the rest of it is nested.
	for _, leaf := range leaves(full, e.val) {
		if why, ok := lookupPrefix(notUsed, leaf); ok {
			a.fail(e.pos, leaf, why, "known in Suricata, not used here")
			return true
		}
		if why, ok := asIs[leaf]; ok {
			if off, err := parseBool(leafText(e.val, strings.TrimPrefix(strings.TrimPrefix(leaf, full), "."))); err != nil || off {
				a.fail(e.pos, leaf, why, "can only be no here")
				return true
			}
			continue
		}
		if _, ok := lookupPrefix(harmless, leaf); !ok {
			return false
		}
	}
	if !slices.Contains(a.c.Ignored, full) {
		a.c.Ignored = append(a.c.Ignored, full)
	}
	return true
}

// leafText gives the text of the value with a dotted name below a node.
func leafText(n *node, path string) string {
	for path != "" {
		key, rest, _ := strings.Cut(path, ".")
		i := slices.IndexFunc(n.keys, func(e entry) bool { return e.key == key })
		if i < 0 {
			return ""
		}
		n, path = n.keys[i].val, rest
	}
	return n.text
}

// leaves gives the dotted names of the values below a node, itself where it has none.
func leaves(path string, n *node) []string {
	if n.kind != mapping || len(n.keys) == 0 {
		return []string{path}
	}
	var out []string
	for _, e := range n.keys {
		out = append(out, leaves(join(path, e.key), e.val)...)
	}
	return out
}

func isIndex(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// mapping fills a map; keys may be bounded by a table of names.
func (a *assigner) mapping(v reflect.Value, n *node, path string, _ reflect.StructTag) {
	if n.kind == null {
		return
	}
	if n.kind != mapping {
		a.fail(n.pos, path, "", "expected a section, found %s", kindNames[n.kind])
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, e := range n.keys {
		full := join(path, e.key)
		if allowed := mapKeys[path]; allowed != nil && !slices.Contains(allowed, e.key) {
			if !a.known(full, e) {
				a.fail(e.pos, full, suggest(e.key, path, allowed), "unknown key")
			}
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if old := v.MapIndex(reflect.ValueOf(e.key)); old.IsValid() {
			item.Set(old)
		}
		a.value(item, e.val, full, "")
		v.SetMapIndex(reflect.ValueOf(e.key), item)
	}
}

// list replaces a list, or sets one element where the key names its index.
func (a *assigner) list(v reflect.Value, n *node, path string, tag reflect.StructTag) {
	switch n.kind {
	case null:
		v.Set(reflect.Zero(v.Type()))
		return
	case scalar:
		items, err := a.splitList(v, n)
		if err != nil {
			a.fail(n.pos, path, "", "%v", err)
			return
		}
		n = &node{kind: sequence, pos: n.pos, items: items}
	case mapping:
		if len(n.keys) == 1 && isIndex(n.keys[0].key) {
			i, _ := strconv.Atoi(n.keys[0].key)
			if i > v.Len() {
				a.fail(n.pos, path, fmt.Sprintf("the list has %d elements", v.Len()), "no element %d", i)
				return
			}
			item := reflect.New(v.Type().Elem()).Elem()
			if i < v.Len() {
				item.Set(v.Index(i))
			}
			a.value(item, n.keys[0].val, join(path, n.keys[0].key), tag)
			out := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()+1), v)
			if i == v.Len() {
				out = reflect.Append(out, item)
			} else {
				out.Index(i).Set(item)
			}
			v.Set(out)
			return
		}
		a.fail(n.pos, path, "write one element a line, each after a dash", "expected a list, found a section")
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(n.items))
	for i, item := range n.items {
		e := reflect.New(v.Type().Elem()).Elem()
		a.value(e, item, join(path, strconv.Itoa(i)), tag)
		out = reflect.Append(out, e)
	}
	v.Set(out)
}

// splitList reads a list out of one value: "[a, b]" as YAML, "a,b" by commas
// where an element cannot hold one, else a single element.
func (a *assigner) splitList(v reflect.Value, n *node) ([]*node, error) {
	text := strings.TrimSpace(n.text)
	if text == "" {
		return nil, nil
	}
	if strings.HasPrefix(text, "[") {
		root, err := parseYAML("", []byte(text))
		if err != nil || root.kind != sequence {
			return nil, fmt.Errorf("%q is no list; write [a, b]", text)
		}
		return root.items, nil
	}
	parts := []string{text}
	if v.Type().Elem() != reflect.TypeFor[Bridge]() {
		parts = strings.Split(text, ",")
	}
	var items []*node
	for _, p := range parts {
		items = append(items, &node{kind: scalar, text: strings.TrimSpace(p), pos: n.pos})
	}
	return items, nil
}

// scalar puts one value into a basic type, within the field's bounds.
func (a *assigner) scalar(v reflect.Value, n *node, path string, tag reflect.StructTag) {
	if n.kind == null {
		if a.file == "" || v.Kind() != reflect.String {
			a.fail(n.pos, path, "remove the key to keep its default", "has no value")
			return
		}
		v.SetString("")
		return
	}
	if n.kind != scalar {
		a.fail(n.pos, path, "", "expected a value, found %s", kindNames[n.kind])
		return
	}
	if err := setScalar(v, n.text, tag); err != nil {
		a.fail(n.pos, path, "", "%v", err)
	}
}

func setScalar(v reflect.Value, text string, tag reflect.StructTag) error {
	switch v.Kind() {
	case reflect.String:
		if enum := tag.Get("enum"); enum != "" {
			var err error
			if text, err = inEnum(text, strings.Split(enum, "|")); err != nil {
				return err
			}
		}
		v.SetString(text)
	case reflect.Bool:
		b, err := parseBool(text)
		if err != nil {
			return err
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		if lo, err := strconv.ParseInt(tag.Get("min"), 10, 64); err == nil && n < lo {
			return fmt.Errorf("%d is too small; the least is %d", n, lo)
		}
		if hi, err := strconv.ParseInt(tag.Get("max"), 10, 64); err == nil && n > hi {
			return fmt.Errorf("%d is too large; the most is %d", n, hi)
		}
		v.SetInt(n)
	case reflect.Uint16, reflect.Uint32:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is no whole number from 0 to %d", text, uint64(1)<<v.Type().Bits()-1)
		}
		v.SetUint(n)
	default:
		return fmt.Errorf("a setting of type %s cannot be read", v.Type())
	}
	return nil
}

// inEnum gives the listed word that text means; yes and no have synonyms.
func inEnum(text string, allowed []string) (string, error) {
	for _, w := range allowed {
		if strings.EqualFold(text, w) {
			return w, nil
		}
	}
	if b, err := parseBool(text); err == nil && slices.Contains(allowed, "yes") {
		if b {
			return "yes", nil
		}
		return "no", nil
	}
	return "", notOneOf(text, allowed)
}

// reflectElem gives the first element of a slice as an addressable value.
func reflectElem[T any](s []T) reflect.Value { return reflect.ValueOf(s).Index(0) }

// clip cuts a value short for a message: what stands where a section should may
// be anything, such as the content of another file.
func clip(s string) string {
	const limit = 16
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
