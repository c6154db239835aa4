package classifiers

import (
	"strings"
	"testing"
)

// TestSource holds which texts are source code, and how sure that is.
func TestSource(t *testing.T) {
	s := newScanner(t)
	const python = "import os\nfrom sys import argv\n\nclass Pump(Base):\n    def __init__(self, n):\n        self.n = n\n\n    def run(self):\n        for i in range(self.n):\n            if i > 3:\n                raise ValueError(i)\n        return self.n\n"
	const none = Confidence(99)
	f := func(name, text string, meta ObjectMeta, want Confidence) {
		t.Helper()
		got := none
		for _, f := range s.ScanBytes([]byte(text), meta).Findings {
			if f.Detector == "ip.source" {
				got = f.Confidence
			}
		}
		if got != want {
			t.Errorf("%s: confidence %d, want %d", name, got, want)
		}
	}
	m := ObjectMeta{}
	f("python", python, m, Medium)
	f("a patch", "+"+strings.ReplaceAll(python, "\n", "\n+"), m, Medium)
	f("windows", strings.ReplaceAll(python, "\n", "\r\n"), m, Medium)
	f("script", "'use strict'\nimport { a } from './a.js';\nconst b = require('b');\n\nexport function f(x) {\n  let y = 1;\n  if (x) {\n    return y;\n  }\n  for (const z of x) {\n    throw new Error(z);\n  }\n}\n", m, Medium)
	f("rust", "use std::fmt;\n\n#[derive(Debug)]\npub struct Pump {\n    n: u32,\n}\n\nimpl Pump {\n    pub fn run(&self) -> u32 {\n        let mut x = 1;\n        for i in 0..self.n {\n            if i > 3 {\n                return x;\n            }\n        }\n        x\n    }\n}\n", m, Medium)
	f("php", "<?php\nnamespace App;\nuse App\\Base;\nclass Pump extends Base {\n  public function run($x) {\n    $y = 1;\n    if ($x) {\n      return $y;\n    }\n    foreach ($x as $z) {\n      throw new E($z);\n    }\n  }\n}\n", m, Medium)
	f("ruby", "require 'set'\nmodule Plant\n  class Pump\n    attr_reader :n\n    def initialize(n)\n      @n = n\n    end\n    def run(x)\n      @x = x\n    end\n  end\nend\n", m, Medium)
	f("perl", "use strict;\nuse warnings;\nmy $x = 1;\nmy @y = (1);\nsub run {\n  my ($n) = @_;\n  foreach my $i (@y) {\n    return $i;\n  }\n}\nif ($x) {\n  $x = 2;\n}\n", m, Medium)
	f("kotlin", "package com.acme.pump\nimport com.acme.base\n\nclass Pump(val n: Int) {\n  val x = 1\n  var y = 2\n  fun run(z: Int) {\n    if (z > 1) {\n      return x(z)\n    }\n    for (i in 1..2) {\n    }\n  }\n}\n", m, Medium)
	f("shell", "#!/bin/bash\nset -e\nexport A=1\nif [ -z \"$A\" ]; then\n  echo \"x\"\n  exit 1\nfi\nwhile read l; do\n  echo \"$l\"\ndone\n", m, Medium)
	f("hardware", "module pump (input clk, output q);\nwire a;\nreg b;\nassign a = b;\nalways @(posedge clk)\nassign q = a;\nreg c;\nwire d;\nendmodule\n", m, Medium)

	f("whose it is", "# Acme Ltd. Proprietary and confidential.\n"+python, m, High)
	f("whose it is, in Polish", "# Tajemnica przedsiębiorstwa\n"+python, m, High)
	f("everybody's", "# Licensed under the Apache License, Version 2.0\n"+python, m, Low)
	f("too little", python[:130], m, none)
	f("too thin", strings.ReplaceAll(python, "\n", "\n"+strings.Repeat("Some words of prose stand between all of the lines of this.\n", 15)), m, none)
	f("a page's script", "<!doctype html><html><script>\n"+python, m, none)
	f("served as a script", "import { a } from './a.js';\nexport function f(x) {\n  let y = 1;\n  if (x) {\n    return y;\n  }\n}\nexport function g(x) {\n  let y = 1;\n  if (x) {\n    return y;\n  }\n}\n", ObjectMeta{ContentType: "text/javascript"}, none)
	f("far in", strings.Repeat("It was a quiet day at the office.\n", 2000)+python, m, none)
	f("settings", strings.Repeat("[unit]\nname = x\nexport = yes\nif: always\nfor: all\nreturn: 1\n- name: build\n  run: make\n", 40), m, none)
	f("a log", strings.Repeat("2026-01-01 ERROR at com.acme.Pump.run(Pump.java:12)\nCaused by: java.lang.Error: class not found\nimport of 3 files done\nreturn code 1;\n", 60), m, none)
	f("a style", strings.Repeat(".a {\n  color: red;\n}\n@media print {\n  .b { color: blue; }\n}\n", 60), m, none)
	f("prose", strings.Repeat("if you want:\nfor all of us:\nclass of 1999:\nimport duties rose;\nreturn to sender;\ncase closed:\nuse with care;\n", 40), m, none)
}
