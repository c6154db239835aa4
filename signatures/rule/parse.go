package rule

import (
	"cmp"
	"strconv"
	"strings"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// Env is what the program around the rules provides. Functions may be nil:
// what they would resolve then counts as not evaluated.
type Env struct {
	// Vars are the address and port groups, without the dollar sign.
	Vars map[string]string
	// Buffer resolves a sticky buffer's keyword, Definition a protocol's parser.
	Buffer     func(name string) (protocol.BufferSpec, bool)
	Definition func(id protocol.ID) *protocol.Definition
	// Proto resolves the application protocol named in a header.
	Proto func(name string) (protocol.ID, bool)
	// Field tells whether a number of a protocol (dns.opcode) is provided.
	Field func(keyword string) bool
	// Event resolves decoder and stream events by their names without prefix.
	Event func(name string) (decode.Event, bool)
	// Magic reports why files cannot be described by their content, nil where they
	// can. It is asked for rules that need it only; nil means that nothing describes.
	Magic func() error
	// Category tells whether iprep knows a category; nil means none.
	Category func(name string) bool
	// Countries tells that there is a database for geoip.
	Countries bool
	// Classes and References are from classification.config and reference.config.
	Classes    map[string]Class
	References map[string]string
}

// Class is a line of classification.config.
type Class struct {
	Description string
	Priority    int
}

// Parser parses rules. It keeps resolved groups, so that equal ones are
// shared. It is not safe for concurrent use.
type Parser struct {
	env Env
	g   groups
}

// NewParser gives a parser for an environment.
func NewParser(env Env) *Parser {
	return &Parser{env: env, g: groups{vars: env.Vars, addrs: map[string]*AddrSet{}, ports: map[string]*PortSet{}}}
}

// MaxText bounds a rule's text in bytes.
const MaxText = 1 << 20

// Parse reads one rule, text without a comment sign. It never panics, however
// broken the text.
func (p *Parser) Parse(file string, line int, text string) (*Rule, *Error) {
	r := &Rule{File: file, Line: line, Text: text, GID: 1, Enabled: true}
	c := &context{Parser: p, r: r, list: -1, last: ref{-1, -1}}
	if err := c.parse(text); err != nil {
		f, ok := err.(*fault)
		if !ok {
			f = &fault{msg: err.Error()}
		}
		e := &Error{File: file, Line: line, Column: f.col, SID: r.SID, Keyword: f.keyword, Message: f.msg, Unevaluated: f.unevaluated}
		if e.SID == 0 {
			e.SID = findSID(text)
		}
		return nil, e
	}
	return r, nil
}

// findSID looks for the sid in a rule that does not parse.
func findSID(text string) uint32 {
	for rest := text; ; {
		i := strings.Index(rest, "sid:")
		if i < 0 {
			return 0
		}
		if i == 0 || strings.IndexByte("; (\t", rest[i-1]) >= 0 {
			s, _, _ := strings.Cut(rest[i+4:], ";")
			n, _ := strconv.ParseUint(strings.Trim(s, " \t)"), 10, 32)
			return uint32(n)
		}
		rest = rest[i+4:]
	}
}

// ref is the place of an item: its list and its number there.
type ref struct{ list, item int }

// context is the state of parsing one rule.
type context struct {
	*Parser
	r *Rule
	// name, spec, local and transforms describe the sticky buffer in force;
	// list is its number once it has an item.
	name       string
	spec       protocol.BufferSpec
	local      Local
	transforms []Transform
	list       int
	lastSet    int // column of the sticky buffer
	// idle is the first sticky buffer or transformation without a test.
	idle   error
	bufDir uint8
	// last is the content before, for its modifiers.
	last ref
	vars map[string]uint8
	// base64 is set after base64_data.
	base64 *Base64
	// needApp collects what the buffers ask of the protocol.
	needApps []protocol.ID
	col      int
	protoCol int
	// quietCol is where a config keyword of scope tx is, replaceCol the last
	// replace.
	quietCol, replaceCol int
	// storeCol is where filestore is.
	storeCol int
	// missing is the first thing known and not evaluated: reported only when
	// the rest of the rule is sound.
	missing    error
	missingCol int
	missingKw  string
}

func (c *context) parse(text string) error {
	if len(text) > MaxText {
		return faultf("the rule is longer than %d bytes", MaxText)
	}
	open := headerEnd(text)
	if open < 0 {
		return faultf("no options: a rule is `action protocol source port -> destination port (options)`")
	}
	end := strings.LastIndexByte(text, ')')
	if end < open || strings.TrimSpace(text[end+1:]) != "" {
		return &fault{col: len(text), msg: "the options do not end with )"}
	}
	// Options before the header, so that an error in the header knows the sid;
	// the protocol, though, decides about buffers.
	if err := c.header(text[:open]); err != nil {
		return err
	}
	if err := c.options(text, open+1, end); err != nil {
		return err
	}
	if err := c.finish(); err != nil {
		if c.missing == nil {
			return err
		}
		// What is left out may be what the rule is found to lack.
		if f, ok := err.(*fault); !ok || f.msg != noTest {
			return err
		}
	}
	if c.missing != nil {
		f := c.missing.(*fault)
		f.col, f.keyword = c.missingCol, c.missingKw
		return f
	}
	return nil
}

// headerEnd finds the parenthesis that opens the options.
func headerEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case '(':
			return i
		}
	}
	return -1
}

func (c *context) header(h string) error {
	var tok []string
	var cols []int
	depth, start := 0, -1
	for i := 0; i <= len(h); i++ {
		if i == len(h) || depth <= 0 && (h[i] == ' ' || h[i] == '\t') {
			if start >= 0 {
				tok, cols = append(tok, h[start:i]), append(cols, start+1)
				start = -1
			}
			continue
		}
		if start < 0 {
			start = i
		}
		switch h[i] {
		case '[':
			depth++
		case ']':
			depth--
		}
	}
	if len(tok) != 7 && len(tok) != 2 {
		return faultf("the header has %d parts: it is `action protocol source port -> destination port`", len(tok))
	}
	at := func(i int, err error) error {
		if f, ok := err.(*fault); ok && f.col == 0 {
			f.col = cols[i]
		}
		return err
	}
	if err := c.action(tok[0]); err != nil {
		return at(0, err)
	}
	c.protoCol = cols[1]
	if err := c.proto(tok[1]); err != nil {
		return at(1, err)
	}
	r := c.r
	r.Src, r.Dst, r.SrcPort, r.DstPort = anyAddr, anyAddr, anyPort, anyPort
	if len(tok) == 2 {
		return nil
	}
	var err error
	if r.Src, err = c.g.addr(tok[2]); err != nil {
		return at(2, err)
	}
	if r.SrcPort, err = c.g.port(tok[3]); err != nil {
		return at(3, err)
	}
	switch tok[4] {
	case "->":
	case "<>":
		r.Bidirectional = true
	case "=>":
		r.Transactional = true
	default:
		return at(4, faultf("%q is no direction: use ->, <> or =>", tok[4]))
	}
	if r.Dst, err = c.g.addr(tok[5]); err != nil {
		return at(5, err)
	}
	if r.DstPort, err = c.g.port(tok[6]); err != nil {
		return at(6, err)
	}
	return nil
}

func (c *context) action(s string) error {
	name, scope, scoped := strings.Cut(strings.ToLower(s), ":")
	for i, n := range actionNames {
		if n == name {
			c.r.Action = Action(i)
			if scoped {
				switch scope {
				case "packet":
					c.r.Scope = ScopePacket
				case "flow":
					c.r.Scope = ScopeFlow
				default:
					return faultf("%q is no scope of an action: use packet or flow", scope)
				}
			}
			return nil
		}
	}
	if name == "accept" || name == "block" || name == "sdrop" || name == "log" || name == "bypass" {
		return unevaluated("action " + name)
	}
	return faultf("%q is no action%s", clip(s), didYouMean(name, actionNames))
}

// options walks the options between from and to.
func (c *context) options(text string, from, to int) error {
	for i := from; i < to; {
		for i < to && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r') {
			i++
		}
		if i >= to {
			break
		}
		start := i
		// A semicolon ends an option unless a backslash is before it.
		end := -1
		for j := i; j < to; j++ {
			if text[j] == ';' && (j == start || text[j-1] != '\\') {
				end = j
				break
			}
		}
		c.col = start + 1
		if end < 0 {
			name, _, _ := strings.Cut(text[start:to], ":")
			return &fault{col: c.col, keyword: clip(strings.TrimSpace(name)), msg: "the option does not end with a semicolon"}
		}
		opt := text[start:end]
		i = end + 1
		if strings.TrimSpace(opt) == "" {
			continue
		}
		name, val, has := strings.Cut(opt, ":")
		name = strings.TrimSpace(name)
		if err := c.option(name, strings.TrimSpace(val), has); err != nil {
			f, ok := err.(*fault)
			if !ok {
				f = &fault{msg: err.Error()}
			}
			if f.col == 0 {
				f.col = start + 1
			}
			if f.keyword == "" {
				f.keyword = clip(name)
			}
			if f.unevaluated {
				c.lackFault(f)
				continue
			}
			return f
		}
	}
	return nil
}

// lack notes that the rule needs something that is not evaluated.
func (c *context) lack(what string) { c.lackFault(unevaluated(what).(*fault)) }

func (c *context) lackFault(f *fault) {
	if c.missing == nil {
		c.missing, c.missingCol, c.missingKw = f, cmp.Or(f.col, c.col), f.keyword
	}
}

func (c *context) option(name, val string, has bool) error {
	if k, ok := keywords[name]; ok {
		switch {
		case k.value == valueNone && has && val != "":
			return faultf("takes no value")
		case k.value == valueNeeded && val == "":
			return faultf("needs a value")
		}
		return k.parse(c, name, val)
	}
	if ok, err := c.sticky(name, val); ok || err != nil {
		return err
	}
	if k, ok := fieldKeywords[name]; ok {
		return c.field(name, val, k)
	}
	if reason, ok := knownKeywords[name]; ok {
		if reason == "" {
			reason = "keyword"
		}
		return unevaluated(reason)
	}
	if name == "rate_filter" {
		return faultf("is a line of threshold.config (threshold-file) and no option of a rule: rate_filter gen_id 1, sig_id S, track by_src, count C, seconds T, new_action drop, timeout D")
	}
	return faultf("unknown keyword%s", didYouMean(name, allKeywords()))
}

// unquote strips the quotes of a value and tells of a leading exclamation mark.
func unquote(s string) (v string, neg bool, err error) {
	if strings.HasPrefix(s, "!") {
		neg, s = true, strings.TrimSpace(s[1:])
	}
	if strings.HasPrefix(s, `"`) {
		if len(s) < 2 || s[len(s)-1] != '"' {
			return "", neg, faultf("the value has no closing quote; a semicolon inside of quotes is written \\;")
		}
		return s[1 : len(s)-1], neg, nil
	}
	if strings.HasSuffix(s, `"`) {
		return "", neg, faultf("the value has no opening quote")
	}
	return s, neg, nil
}

// unescape drops the backslashes of \; \" \\ \:.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`;"\:`, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// fieldsOf splits at commas and trims.
func fieldsOf(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
