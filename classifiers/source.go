package classifiers

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
)

// Source code, told by its lines: each language has forms that begin a line and end it
// in a way that prose, logs and settings do not. Enough of them near each other, of
// several kinds, tell code.

const (
	// sourceMatches of sourceKinds within sourceNear bytes are code.
	sourceMatches, sourceKinds, sourceNear = 8, 3, 4 << 10
	// sourceReach bounds how far into an object code is looked for, sourceLine the
	// length of a line that is looked at: longer ones are no one's writing.
	sourceReach, sourceLine = 64 << 10, 300
)

// language is one that is told.
type language uint8

const (
	langGo language = iota
	langC
	langJava // and C#
	langScript
	langPython
	langRust
	langPHP
	langRuby
	langPerl
	langKotlin // and Swift
	langShell
	langHDL
	nLanguages
)

// sourceTail is how a line ends whose beginning fits.
type sourceTail uint8

const (
	tailAny sourceTail = iota
	// tailBlock ends in an opening brace, tailCall has a bracket before it too.
	tailBlock
	tailCall
	tailSemi
	// tailColon ends in a colon.
	tailColon
	// tailPath is one name, perhaps of parts, up to the line's end.
	tailPath
	// tailQuote is a quoted text or a name in angle brackets.
	tailQuote
	// tailBegin has a bracket right after a name.
	tailBegin
	// tailAssign has a name, and an equals sign after it.
	tailAssign
	// tailLoop has the word "in" and ends in a colon.
	tailLoop
	// tailImport has the word "import".
	tailImport
	// tailFrom has a quoted text after the word "from", or is one.
	tailFrom
	// tailName is one name and a semicolon, perhaps with another name of it.
	tailName
	// tailDef is a name, then a bracket or a colon, and a colon at the end.
	tailDef
	// tailEnd is nothing more.
	tailEnd
)

// sourceForm is one form of a language's lines. Forms of one kind are much alike; strong
// ones stand in nothing but code.
type sourceForm struct {
	begin  string
	tail   sourceTail
	kind   uint8
	strong bool
	langs  uint16
}

// The kinds of forms.
const (
	kindImport uint8 = iota
	kindModule
	kindFunction
	kindType
	kindBranch
	kindLoop
	kindReturn
	kindVariable
	kindRaise
	kindCase
	kindMark
	kindEnd
)

// sourceForms gives the forms by the byte that begins them.
var sourceForms = func() (t [128][]sourceForm) {
	add := func(kind uint8, strong bool, tail sourceTail, langs []language, begins string) {
		f := sourceForm{tail: tail, kind: kind, strong: strong}
		for _, l := range langs {
			f.langs |= 1 << l
		}
		for f.begin = range strings.SplitSeq(begins, "|") {
			t[f.begin[0]] = append(t[f.begin[0]], f)
		}
	}
	of := func(l ...language) []language { return l }
	braces := of(langC, langJava, langScript, langPHP, langPerl, langKotlin)

	add(kindModule, true, tailPath, of(langGo), "package ")
	add(kindModule, true, tailSemi, of(langJava, langPerl), "package ")
	add(kindModule, true, tailPath, of(langKotlin), "package ")
	add(kindModule, false, tailPath, of(langRuby, langHDL), "module ")
	add(kindModule, true, tailCall, of(langHDL), "module ")
	add(kindModule, true, tailSemi, of(langHDL), "module |library |use ")
	add(kindModule, true, tailBlock, of(langC, langJava), "namespace ")
	add(kindModule, true, tailSemi, of(langJava, langPHP), "namespace ")
	add(kindModule, true, tailAny, of(langPHP), "<?php")
	add(kindModule, true, tailAny, of(langShell), "#!/bin/sh|#!/bin/bash|#!/usr/bin/env bash|#!/usr/bin/env sh")

	add(kindImport, true, tailQuote, of(langC), "#include ")
	add(kindImport, true, tailQuote, of(langGo), "import ")
	add(kindImport, true, tailEnd, of(langGo), "import (")
	add(kindImport, true, tailName, of(langJava), "import |import static ")
	add(kindImport, true, tailFrom, of(langScript), "import ")
	add(kindImport, true, tailPath, of(langPython, langKotlin), "import ")
	add(kindImport, true, tailImport, of(langPython), "from ")
	add(kindImport, true, tailName, of(langRust, langPHP, langPerl), "use |pub use ")
	add(kindImport, true, tailName, of(langJava, langC), "using |using namespace ")
	add(kindImport, true, tailQuote, of(langRuby), "require |require_relative ")

	add(kindFunction, true, tailCall, of(langGo, langKotlin), "func ")
	add(kindFunction, true, tailDef, of(langPython), "def |async def ")
	add(kindFunction, true, tailBegin, of(langRuby), "def ")
	add(kindFunction, true, tailCall, of(langRust), "fn |pub fn |async fn |pub async fn |pub(crate) fn |const fn |unsafe fn ")
	add(kindFunction, true, tailCall, of(langScript, langPHP), "function |async function |export function |export async function |export default function ")
	add(kindFunction, true, tailBegin, of(langPHP), "public function |private function |protected function |public static function ")
	add(kindFunction, true, tailBlock, of(langPerl), "sub ")
	add(kindFunction, true, tailCall, of(langKotlin), "fun |override fun |private fun |override func |private func |public func |suspend fun ")
	add(kindFunction, true, tailCall, of(langJava, langC), "public |private |protected |internal |static |void |int |bool |unsigned |char |size_t |double |long |float |inline |virtual ")
	add(kindFunction, false, tailEnd, of(langShell), "}")
	add(kindFunction, false, tailBlock, of(langShell), "function ")

	add(kindType, true, tailBlock, of(langGo), "type ")
	add(kindType, true, tailDef, of(langPython), "class ")
	add(kindType, true, tailBlock, of(langC, langRust), "struct |enum |pub struct |pub enum |typedef struct |typedef enum |union ")
	add(kindType, true, tailBlock, of(langJava, langScript, langPHP, langKotlin, langC), "class |public class |final class |abstract class |export class |data class |interface |export interface |public interface |public enum |internal class ")
	add(kindType, true, tailSemi, of(langC), "typedef ")
	add(kindType, true, tailBlock, of(langRust), "impl |impl<|trait |pub trait ")
	add(kindType, true, tailPath, of(langRuby), "class ")
	add(kindType, true, tailAny, of(langC), "template <|template<")

	add(kindBranch, false, tailBlock, of(langGo, langRust, langKotlin), "if |} else if |match |switch |guard |when ")
	add(kindBranch, false, tailCall, braces, "if (|if(|} else if (|switch (|switch(|} elseif (")
	add(kindBranch, false, tailBlock, append(of(langGo, langRust), braces...), "} else {|else {")
	add(kindBranch, false, tailColon, of(langPython), "if |elif |else:|with ")
	add(kindBranch, false, tailSemi, of(langC, langJava, langScript), "if (|if(")
	add(kindBranch, false, tailAny, of(langShell), "if [ |if [[ |elif [ |then")
	add(kindBranch, false, tailEnd, of(langC), "#endif|#else")
	add(kindBranch, true, tailPath, of(langC), "#ifdef |#ifndef ")
	add(kindBranch, true, tailAny, of(langHDL), "always @|always_ff @|if (|process (|process(")
	add(kindBranch, false, tailAny, of(langRuby), "unless |elsif |if !|if @")

	add(kindLoop, false, tailBlock, of(langGo, langRust, langKotlin), "for |for {|loop {|while ")
	add(kindLoop, false, tailCall, braces, "for (|for(|while (|while(|foreach (|do {")
	add(kindLoop, false, tailLoop, of(langPython), "for |async for ")
	add(kindLoop, false, tailColon, of(langPython), "while ")
	add(kindLoop, false, tailAny, of(langShell), "for i in |for f in |while read |done")
	add(kindLoop, false, tailBlock, of(langPerl), "foreach my |for my ")

	add(kindReturn, false, tailSemi, append(of(langRust), braces...), "return |return;")
	add(kindReturn, false, tailAny, of(langGo, langPython, langKotlin), "return nil|return err|return self|return None|return True|return False|return true|return false|return (|return [|return {|return &")
	add(kindReturn, false, tailBegin, of(langGo, langPython, langScript, langKotlin), "return ")
	add(kindReturn, false, tailEnd, of(langShell, langRuby), "exit 1|exit 0|return 1|return 0")
	add(kindReturn, false, tailBegin, of(langGo), "defer |go func")

	add(kindVariable, false, tailAssign, of(langGo, langScript, langKotlin), "var |const |let |val |export const ")
	add(kindVariable, true, tailAssign, of(langRust), "let |let mut ")
	add(kindVariable, false, tailAssign, of(langPython), "self.")
	add(kindVariable, false, tailAssign, of(langPHP, langPerl), "$|my $|my @|my %")
	add(kindVariable, true, tailSemi, of(langC, langJava), "static |int |unsigned |char |const |private |public |protected |bool |double |float |final |uint8_t |uint16_t |uint32_t |uint64_t |size_t |struct |var |long |String |string |auto |std::")
	add(kindVariable, true, tailAny, of(langC), "#define ")
	add(kindVariable, false, tailAssign, of(langRuby), "@")
	add(kindVariable, false, tailAssign, of(langShell), "local |export |readonly |declare ")
	add(kindVariable, true, tailSemi, of(langHDL), "wire |reg |logic |assign |signal ")
	add(kindVariable, false, tailAny, of(langHDL), "input wire|input clk|input logic|output reg|output logic|output wire|input  ")

	add(kindRaise, false, tailSemi, of(langJava, langScript, langC, langPHP), "throw ")
	add(kindRaise, false, tailBegin, of(langPython), "raise ")
	add(kindRaise, false, tailColon, of(langPython), "try:|except |except:|finally:")
	add(kindRaise, false, tailBlock, of(langJava, langScript, langPHP, langC, langKotlin), "try {|} catch (|catch (|} finally {")
	add(kindRaise, false, tailEnd, of(langRuby), "begin|rescue|ensure")

	add(kindCase, false, tailColon, of(langGo, langC, langJava, langScript, langPHP), "case |default:")
	add(kindCase, false, tailEnd, of(langC, langJava, langScript, langPHP), "break;|continue;")
	add(kindCase, false, tailEnd, of(langGo), "continue|break")
	add(kindCase, false, tailEnd, of(langShell), ";;|esac|fi")

	add(kindMark, true, tailAny, of(langRust), "#[derive(|#[cfg(|#[test]")
	add(kindMark, false, tailAny, of(langJava), "@Override|@Test|@Autowired|[Test]|/// <summary>")
	add(kindMark, false, tailAny, of(langScript), "module.exports|exports.|'use strict'|\"use strict\"|export default ")
	add(kindMark, false, tailBegin, of(langPython), "@")
	add(kindMark, true, tailAny, of(langPerl), "use strict;|use warnings;")
	add(kindMark, false, tailAny, of(langRuby), "attr_reader :|attr_accessor :|include |private")
	add(kindMark, false, tailAny, of(langShell), "set -e|echo \"|trap ")

	add(kindEnd, false, tailEnd, of(langRuby), "end")
	add(kindEnd, true, tailEnd, of(langHDL), "endmodule|end process;|endcase")
	add(kindEnd, false, tailEnd, of(langC, langJava), "};")
	add(kindEnd, false, tailEnd, of(langScript), "});")
	return t
}()

// sourceDetector is ip.source. An archive of many such files is a repository.
func sourceDetector() Detector {
	const gofile = "package ledger\n\nimport (\n\t\"errors\"\n)\n\ntype entry struct {\n\tid int\n}\n\nfunc post(e entry) error {\n\tif e.id == 0 {\n\t\treturn errors.New(\"no id\")\n\t}\n\tfor i := range e.id {\n\t\tif i > 3 {\n\t\t\tcontinue\n\t\t}\n\t}\n\treturn nil\n}\n"
	return Detector{ID: "ip.source", Level: Internal, Bulk: 20, BulkLevel: Confidential, Tags: []string{engineeringTag},
		Good: []string{gofile,
			"// Firma Muster. Betriebsgeheimnis.\n#include <stdio.h>\n#include \"pump.h\"\n#define MAX 10\nstatic int count;\nint run(struct pump *p) {\n  for (int i = 0; i < MAX; i++) {\n    if (p->on) {\n      return i;\n    }\n  }\n  return 0;\n}\n",
			"import os\nfrom sys import argv\n\nclass Pump(Base):\n    def __init__(self, n):\n        self.n = n\n\n    def run(self):\n        for i in range(self.n):\n            if i > 3:\n                raise ValueError(i)\n        return self.n\n",
			"package com.acme.pay;\n\nimport java.util.List;\nimport java.util.Map;\n\npublic class Ledger {\n  private int n;\n  public int post(int id) {\n    if (id == 0) {\n      throw new IllegalStateException();\n    }\n    return n;\n  }\n}\n"},
		Bad: []string{"package insert:\nimport duties rose.\nfor all of us:\nreturn to sender;\nif you want:\nclass of 1999:\n",
			"// SPDX-License-Identifier: Apache-2.0\n" + gofile,
			"<!doctype html><html><script>\nimport a from 'b';\nfunction f(x) {\nif (x) {\nreturn 1;\n}\n}\nfunction g(x) {\nif (x) {\nreturn 1;\n}\n}\nlet a = 1\nlet b = 2\n</script></html>",
			"server {\n  listen 80;\n  location / {\n    return 301;\n    root /var/www;\n  }\n}\nserver {\n  listen 81;\n  location / {\n    return 301;\n  }\n}\n"}}
}

// codeState is what a stream knows of its lines.
type codeState struct {
	// next is where the next line begins or, within, the present one goes on.
	next   uint64
	within bool
	// done tells that code was found, or is not looked for.
	done  bool
	langs [nLanguages]codeCount
}

// codeCount counts a language's lines near each other.
type codeCount struct {
	// from is where the first began, sum a hash of them.
	from, sum uint32
	kinds     uint16
	n         uint8
	strong    bool
}

// gap tells that bytes up to offset at are missing.
func (c *codeState) gap(at uint64) {
	c.next, c.within = at, true
	c.langs = [nLanguages]codeCount{}
}

// sourceLines looks at the lines that begin before view[limit]. The bytes up to ahead
// after it have come, or all.
func (s *Scanner) sourceLines(st *Stream, view []byte, base uint64, limit int) {
	c := &st.code
	if c.next == 0 && (s.c.source == none || scripted(st.meta.ContentType)) || base >= sourceReach {
		c.done = true
		return
	}
	limit = min(limit, int(sourceReach-base))
	i := int(max(c.next, base) - base)
	for i < limit {
		room := view[i:min(len(view), i+sourceLine)]
		n := bytes.IndexByte(room, '\n')
		switch {
		case n < 0:
			n, c.within = len(room), true
		case c.within:
			n, c.within = n+1, false
		default:
			if s.sourceLine(st, room[:n], base+uint64(i)) {
				c.done = true
				return
			}
			n++
		}
		i += n
	}
	c.next = base + uint64(i)
	c.done = c.next >= sourceReach
}

// scripted reports whether a declared type is one of web pages and what they run, or
// is no code.
func scripted(mime string) bool {
	for _, part := range [...]string{"html", "javascript", "ecmascript", "css", "json", "xml"} {
		if strings.Contains(mime, part) {
			return true
		}
	}
	return false
}

// sourceLine counts a line that begins at offset at, and reports whether it is the one
// that makes the object code.
func (s *Scanner) sourceLine(st *Stream, line []byte, at uint64) bool {
	i := 0
	for i < len(line) && (line[i] == ' ' || line[i] == '\t' || line[i] == '+' && i == 0) {
		i++
	}
	for len(line) > i && line[len(line)-1] <= ' ' {
		line = line[:len(line)-1]
	}
	t := line[i:]
	if len(t) == 0 || t[0] >= 128 {
		return false
	}
	var told uint16
	var hash uint64
	for k := range sourceForms[t[0]] {
		f := &sourceForms[t[0]][k]
		if len(t) < len(f.begin) || string(t[:len(f.begin)]) != f.begin || !f.tail.fits(t[len(f.begin):]) {
			continue
		}
		if hash == 0 {
			hash = hashFolded(t)
		}
		for l := range nLanguages {
			if f.langs>>l&1 == 0 {
				continue
			}
			c := &st.code.langs[l]
			if c.n == 0 || at-uint64(c.from) > sourceNear {
				*c = codeCount{from: uint32(at)} // within sourceReach
			}
			c.kinds |= 1 << f.kind
			c.strong = c.strong || f.strong
			if told>>l&1 != 0 {
				continue // another form of the same line
			}
			told |= 1 << l
			c.n = min(c.n, 254) + 1
			c.sum = uint32(hashChunk(uint64(c.sum), hash) >> 32)
		}
	}
	if told == 0 {
		return false
	}
	for l := range nLanguages {
		c := &st.code.langs[l]
		if told>>l&1 != 0 && c.n >= sourceMatches && c.strong && bits.OnesCount16(c.kinds) >= sourceKinds {
			s.emitSource(st, c, at+uint64(i+len(t)))
			return true
		}
	}
	return false
}

// emitSource tells of code that ends before offset to, unless its beginning says that
// everybody may have it, or is that of a web page.
func (s *Scanner) emitSource(st *Stream, c *codeCount, to uint64) {
	text := bytes.TrimLeft(bytes.TrimPrefix(st.head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(text) > 0 && text[0] == '<' && !bytes.HasPrefix(text, []byte("<?php")) {
		return
	}
	conf := Medium
	open := false
	s.kinds(st.head, func(k asideKind, _, _ int) {
		switch k {
		case kindOpen:
			open = true
		case kindOwned:
			conf = High
		}
	})
	if open {
		conf = Low
	}
	var value [4]byte // so short that nothing of it is shown
	binary.LittleEndian.PutUint32(value[:], c.sum)
	s.emit(st, &window2{base: uint64(c.from)}, uint16(s.c.source), 0, int(to-uint64(c.from)), conf, Internal, value[:])
}

// fits reports whether what follows a form's beginning ends as it should. rest has no
// blanks at its end.
func (t sourceTail) fits(rest []byte) bool {
	last := byte(0)
	if len(rest) > 0 {
		last = rest[len(rest)-1]
	}
	switch t {
	case tailAny:
		return true
	case tailEnd:
		return len(rest) == 0
	case tailBlock:
		return last == '{' || len(rest) == 0 // what ends in a brace itself
	case tailCall:
		return last == '{' && bytes.IndexByte(rest, ')') >= 0 || last == ')' || last == '(' && len(rest) > 1
	case tailSemi:
		return last == ';' || len(rest) == 0
	case tailColon:
		return last == ':' || len(rest) == 0
	case tailPath:
		return pathLen(rest) == len(rest) && len(rest) > 0
	case tailQuote:
		return len(rest) > 2 && (rest[0] == '"' && last == '"' || rest[0] == '\'' && last == '\'' || rest[0] == '<' && last == '>')
	case tailBegin:
		n := pathLen(rest)
		return n > 0 && n < len(rest) && rest[n] == '('
	case tailAssign:
		n := pathLen(rest)
		return n > 0 && bytes.IndexByte(rest[n:min(len(rest), n+40)], '=') >= 0
	case tailLoop:
		return last == ':' && bytes.Contains(rest, []byte(" in "))
	case tailFrom:
		return bytes.Contains(rest, []byte("from '")) || bytes.Contains(rest, []byte("from \"")) || len(rest) > 2 && (rest[0] == '"' || rest[0] == '\'')
	case tailName:
		n := pathLen(rest)
		if n == 0 || last != ';' {
			return false
		}
		after := rest[n:]
		return len(after) == 1 || after[0] == ':' || after[0] == '\\' || bytes.HasPrefix(after, []byte(" as ")) || bytes.HasPrefix(after, []byte(" = ")) || bytes.HasPrefix(after, []byte(" qw"))
	case tailDef:
		n := pathLen(rest)
		return last == ':' && n > 0 && (rest[n] == '(' || rest[n] == ':')
	case tailImport:
		n := pathLen(rest)
		return n > 0 && bytes.HasPrefix(rest[n:], []byte(" import "))
	}
	return false
}

// pathLen is how many bytes of b are a name of parts joined by dots.
func pathLen(b []byte) int {
	n := 0
	for n < len(b) && (isWordByte(b[n]) || b[n] == '.' || b[n] == '*') {
		n++
	}
	return n
}
