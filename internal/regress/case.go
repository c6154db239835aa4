// Package regress reads regression cases and compares the events of a replay
// with what they expect. A case is a folder: a capture, optionally rules, a
// policy and a configuration, and test.yaml with the events that are wanted, in
// the manner of the suricata-verify collection, whose cases it reads as well. It
// takes folders and events and gives verdicts; it runs nothing itself.
package regress

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"

	"sluice/internal/config"
)

// FileName is the file that makes a folder a case.
const FileName = "test.yaml"

// Bounds of what is read.
const (
	maxFile     = 1 << 20
	maxIncludes = 4
	maxCases    = 100000
)

// Case is one case. Paths in it are complete.
type Case struct {
	// Name is the folder's path below the one that was searched.
	Name, Dir string
	Pcaps     []string
	// Rules are the case's own; OwnRules tells that it has a say about them.
	Rules    []string
	OwnRules bool
	// Policy is a file, "none" or "default"; empty where the case does not say.
	Policy string
	// Config is the case's own configuration; empty for none.
	Config string
	// Sets are settings as --set takes them.
	Sets []string
	// Inline and NoChecksum are as in a replay.
	Inline, NoChecksum bool
	// Skip says why the case is not to be run; empty to run it.
	Skip string

	stock      bool
	test, suri map[string]any
	checks     []check
}

// Find gives the folders of cases below dir, sorted by path.
func Find(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && d.Name() == FileName {
			if len(out) == maxCases {
				return fmt.Errorf("more than %d cases", maxCases)
			}
			out = append(out, filepath.Dir(path))
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("no case below %s: a case is a folder with a %s", dir, FileName)
	}
	sort.Strings(out)
	return out, err
}

// keys are what test.yaml may hold. Those without a meaning here are of the
// collection's own tooling.
var keys = map[string]bool{"pcap": true, "rules": true, "policy": true, "config": true, "set": true, "mode": true, "no-checksum": true,
	"args": true, "checks": true, "skip": true, "requires": true, "env": true, "include": true, "description": true,
	"comment": true, "name": true, "exit-code": true, "command": true, "count": true, "requirements": true, "min-version": true, "retry": true}

// Load reads a case; its error says why the case is unusable. stock has it
// judged as in Suricata's own collection: with its stock configuration where the
// case has none, and as a listener unless its options or its name say otherwise.
func Load(dir, name string, stock bool) (*Case, error) {
	c := &Case{Name: name, Dir: dir, stock: stock}
	var err error
	if c.test, err = readYAML(filepath.Join(dir, FileName), 0); err != nil {
		return nil, err
	}
	if c.suri, err = readYAML(filepath.Join(dir, "suricata.yaml"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for k := range c.test {
		if !keys[k] {
			return nil, fmt.Errorf("%s: unknown key %q", FileName, k)
		}
	}
	if c.test["command"] != nil {
		return nil, fmt.Errorf("%s: commands of a case are not run", FileName)
	}
	if err := c.settings(); err != nil {
		return nil, err
	}
	if c.Rules, err = c.rules(); err != nil {
		return nil, err
	}
	if c.Pcaps, err = c.pcaps(); err != nil {
		return nil, err
	}
	c.checks, err = parseChecks(c.test["checks"])
	return c, err
}

// settings reads what says how the case is run.
func (c *Case) settings() error {
	// Who has cases for Suricata has them judged as it would.
	c.Inline = !c.stock && c.suri == nil && c.test["args"] == nil || c.stock && strings.Contains(filepath.Base(c.Name), "ips")
	c.arguments()
	switch m := c.text("mode"); m {
	case "":
	case "inline", "ids":
		c.Inline = m == "inline"
	default:
		return fmt.Errorf("%s: mode %q is neither inline nor ids", FileName, m)
	}
	if v, ok := c.test["no-checksum"].(bool); ok {
		c.NoChecksum = v
	}
	switch v := c.test["set"].(type) {
	case nil:
	case []any:
		for _, s := range v {
			c.Sets = append(c.Sets, fmt.Sprint(s))
		}
	default:
		return fmt.Errorf("%s: set is a list of KEY=VALUE", FileName)
	}
	if env, ok := c.test["env"].(map[string]any); ok {
		if v, ok := env[dnsVersionEnv]; ok {
			c.Sets = append(c.Sets, fmt.Sprintf("outputs.eve-log.types.dns.version=%v", v))
		}
	}
	c.Policy = c.text("policy")
	if c.Policy == "" && exists(filepath.Join(c.Dir, "policy.yaml")) {
		c.Policy = "policy.yaml"
	}
	if c.Policy != "" && c.Policy != "none" && c.Policy != "default" {
		c.Policy = filepath.Join(c.Dir, c.Policy)
	}
	c.Config = c.text("config")
	if c.Config == "" && exists(filepath.Join(c.Dir, "sluice.yaml")) {
		c.Config = "sluice.yaml"
	}
	if c.Config != "" {
		c.Config = filepath.Join(c.Dir, c.Config)
	}
	switch v := c.test["skip"].(type) {
	case nil:
	case bool:
		if v {
			c.Skip = "skip is set"
		}
	default:
		c.Skip = fmt.Sprint(v)
	}
	if c.Skip == "" && !applies(c.test["requires"]) {
		c.Skip = "it is for another version"
	}
	return nil
}

// dnsVersionEnv chooses the form of DNS events in cases of the collection.
const dnsVersionEnv = "SURICATA_EVE_DNS_VERSION"

func (c *Case) text(key string) string {
	if v := c.test[key]; v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Apply puts what the case sets into a configuration, its configuration file
// excepted. Rules and policy stay as they are where the case does not speak of
// them.
func (c *Case) Apply(cfg *config.Config) error {
	if !c.stock {
		// What this program does not have is not for it; the rest has the same names.
		flatten("", c.suri, func(key, value string) { _ = cfg.Set(key + "=" + value) })
	}
	sets := c.Sets
	for k, v := range c.variables() {
		sets = append(sets, "vars."+k+"="+v)
	}
	for _, s := range sets {
		if err := cfg.Set(s); err != nil {
			return fmt.Errorf("set %s: %w", s, err)
		}
	}
	if c.OwnRules {
		cfg.Rules.Paths, cfg.DefaultRulePath = c.Rules, ""
	}
	switch c.Policy {
	case "":
	case "default":
		cfg.Policy.File = ""
	default:
		cfg.Policy.File = c.Policy
	}
	return nil
}

// names gives a value that is a name or a list of them.
func names(v any) []string {
	switch v := v.(type) {
	case nil, bool:
		return nil
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	if s := fmt.Sprint(v); s != "" {
		return []string{s}
	}
	return nil
}

func (c *Case) rules() ([]string, error) {
	if v, ok := c.test["rules"]; ok {
		c.OwnRules = true
		var out []string
		for _, n := range names(v) {
			p := filepath.Join(c.Dir, n)
			if !exists(p) {
				return nil, fmt.Errorf("rules %s: there is no such file", n)
			}
			out = append(out, p)
		}
		return out, nil
	}
	found, err := filepath.Glob(filepath.Join(c.Dir, "*.rules"))
	sort.Strings(found)
	c.OwnRules = len(found) > 0
	if len(found) > 1 {
		found = found[:1]
	}
	return found, err
}

func (c *Case) pcaps() ([]string, error) {
	if list := names(c.test["pcap"]); len(list) > 0 {
		var out []string
		for _, n := range list {
			p := filepath.Join(c.Dir, n)
			if !exists(p) {
				return nil, fmt.Errorf("pcap %s: there is no such file", n)
			}
			out = append(out, p)
		}
		return out, nil
	}
	for _, pattern := range []string{"*.pcap", "*.pcapng", "*.pcap.gz", "*.pcap.zst"} {
		found, _ := filepath.Glob(filepath.Join(c.Dir, pattern))
		switch len(found) {
		case 0:
			continue
		case 1:
			return found, nil
		}
		return nil, fmt.Errorf("there are %d captures: pcap in %s says which is meant", len(found), FileName)
	}
	return nil, errors.New("there is no capture")
}

// readYAML reads a file with what it includes.
func readYAML(path string, depth int) (map[string]any, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	doc, err := parseYAML(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if depth >= maxIncludes {
		return doc, nil
	}
	merged := map[string]any{}
	for _, n := range names(doc["include"]) {
		inc, err := readYAML(filepath.Join(filepath.Dir(path), n), depth+1)
		if err == nil {
			merge(merged, inc)
		}
	}
	merge(merged, doc)
	return merged, nil
}

func parseYAML(data []byte) (map[string]any, error) {
	var doc map[string]any
	if err := yaml.UnmarshalWithOptions(data, &doc, yaml.AllowDuplicateMapKey()); err != nil {
		return nil, errors.New(strings.TrimSpace(err.Error()))
	}
	return doc, nil
}

func merge(into, from map[string]any) {
	for k, v := range from {
		a, ok := into[k].(map[string]any)
		b, both := v.(map[string]any)
		if ok && both {
			merge(a, b)
			continue
		}
		into[k] = v
	}
}
