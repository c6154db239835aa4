package metrics

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/events"
)

func scrape(t *testing.T, addr string) string {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", resp.Status, err, b)
	}
	return string(b)
}

func TestServe(t *testing.T) {
	sink := &Sink{}
	if err := sink.Write(t.Context(), []events.Record{{Type: "alert"}, {Type: "alert"},
		{Type: "dlp", Event: &events.Event{DLP: &events.DLP{PolicyRule: "cards", Level: "restricted", Action: "block"}}}}); err != nil {
		t.Fatal(err)
	}
	var h events.Histogram
	h.Observe(3 * time.Millisecond)
	c := NewCollector(func(emit func(Sample)) {
		emit(Sample{Name: "decoder.pkts", Value: 7, Help: "Packets."})
		emit(Sample{Name: "flow.active", Value: 3, Gauge: true})
		for i := range 500 { // addresses as label values: bounded
			emit(Sample{Name: "drops", Label: "reason", LabelValue: fmt.Sprint(i), Value: 1})
		}
		emit(Sample{Name: "odd", Label: "l", LabelValue: "\xff", Value: 1})
		emit(Sample{Name: "odd", Label: "another", LabelValue: "x", Value: 1})
		sink.Emit(emit)
	}, h.Snapshot)
	s, err := Serve("127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	got := scrape(t, s.Addr)
	for _, want := range []string{
		"sluice_decoder_pkts_total 7\n", "sluice_flow_active 3\n", `sluice_drops_total{reason="other"} 400`,
		`sluice_events_total{type="alert"} 2`, `sluice_dlp_events_total{level="restricted"} 1`, `sluice_dlp_actions_total{action="block"} 1`, `sluice_dlp_rules_total{rule="cards"} 1`,
		`sluice_event_latency_seconds_bucket{le="0.005"} 1`, "sluice_event_latency_seconds_count 1", "sluice_metrics_series_left_out 0",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "sluice_drops_total{"); n != DefaultMaxValues+1 {
		t.Errorf("%d series of one name", n)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	c := NewCollector(func(emit func(Sample)) {
		for i := range 2 * DefaultMaxSeries {
			emit(Sample{Name: fmt.Sprint("n", i), Value: 1})
		}
	}, nil)
	s, err := Serve("127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	if got := scrape(t, s.Addr); !strings.Contains(got, fmt.Sprintf("sluice_metrics_series_left_out %d\n", DefaultMaxSeries)) {
		t.Fatalf("no bound: %d bytes", len(got))
	}
}

func TestServeRefusesOtherAddresses(t *testing.T) {
	for _, a := range []string{"0.0.0.0:0", ":9000", "192.0.2.1:1", "nonsense"} {
		if _, err := Serve(a); err == nil {
			t.Errorf("%s: served", a)
		} else if a != "nonsense" && !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v", a, err)
		}
	}
}
