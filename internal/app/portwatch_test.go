package app

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
)

// TestPortWatch removes ports of daemons and makes them anew.
func TestPortWatch(t *testing.T) {
	type port struct{ index, mtu int }
	pair := &group{mode: "bridge", ifaces: []string{"a", "b"}, ports: 2}
	other := &group{mode: "bridge", ifaces: []string{"c", "d"}, ports: 2}
	tap := &group{mode: "tap", ifaces: []string{"t"}, ports: 1}
	for _, c := range []struct {
		name   string
		groups []*group
		// steps change ports; an index of 0 removes one.
		steps []map[string]port
		// log has a text for each step, empty for nothing; ends tells that the last one
		// ends the daemon.
		log  []string
		ends bool
	}{
		{"nothing", []*group{pair, tap}, []map[string]port{{}}, []string{""}, false},
		{"gone", []*group{pair}, []map[string]port{{"a": {}}, {}}, []string{"port is gone", ""}, false},
		{"back", []*group{pair}, []map[string]port{{"a": {}}, {"a": {9, 1500}}}, []string{"port is gone", ""}, true},
		{"swapped between two looks", []*group{pair}, []map[string]port{{"a": {9, 1500}}}, []string{"port is gone"}, true},
		{"another pair is whole", []*group{pair, other}, []map[string]port{{"a": {9, 1500}}, {}}, []string{"restart sluice", ""}, false},
		{"both pairs", []*group{pair, other}, []map[string]port{{"c": {}}, {"a": {9, 1500}}}, []string{"port is gone", "port is gone"}, true},
		{"taps alone", []*group{tap}, []map[string]port{{"t": {9, 1500}}}, []string{"port is gone"}, true},
		{"not known", []*group{pair}, []map[string]port{{"a": {-1, 0}}}, []string{""}, false},
		{"mtu", []*group{pair}, []map[string]port{{"b": {2, 9000}}, {}, {"a": {1, 9000}}, {"a": {1, 1500}}},
			[]string{"ip link set b mtu 1500", "", "", "1500 and 9000"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			cfg := &config.Config{}
			for _, g := range c.groups {
				if g.mode == "bridge" {
					cfg.Ports.Bridges = append(cfg.Ports.Bridges, config.Bridge{Inside: g.ifaces[0], Outside: g.ifaces[1]})
				}
			}
			d := &Daemon{cfg: cfg, log: slog.New(slog.NewTextHandler(&log, nil)), groups: c.groups}
			cfg.Outputs.NATS.URL = NATSOff
			var err error
			if d.out, err = OpenOutput(cfg, false, d.log); err != nil {
				t.Fatal(err)
			}
			defer d.out.Close(t.Context())
			now := map[string]port{"a": {1, 1500}, "b": {2, 1500}, "c": {3, 1500}, "d": {4, 1500}, "t": {5, 1500}}
			w := newPortWatch(d)
			w.find = func(name string) (int, int) { return now[name].index, now[name].mtu }
			for name := range now {
				if w.index[name] = now[name].index; !strings.Contains(strings.Join(names(c.groups), " "), name) {
					delete(w.index, name)
				}
			}
			for i, step := range c.steps {
				log.Reset()
				for name, p := range step {
					now[name] = p
				}
				err = w.look(time.Now())
				if got := log.String(); !strings.Contains(got, c.log[i]) || c.log[i] == "" && got != "" {
					t.Errorf("step %d: %q", i, got)
				}
				if last := i == len(c.steps)-1; (err != nil) != (c.ends && last) || err != nil && !errors.Is(err, errPortsAnew) {
					t.Errorf("step %d: %v", i, err)
				}
			}
		})
	}
}

func names(groups []*group) (out []string) {
	for _, g := range groups {
		out = append(out, g.ifaces...)
	}
	return out
}
