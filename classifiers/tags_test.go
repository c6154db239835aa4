package classifiers

import (
	"slices"
	"testing"
)

// TestTags holds that Tags are those of the built catalogue, all of them.
func TestTags(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range c.dets {
		want = append(want, c.dets[i].Tags...)
	}
	slices.Sort(want)
	if got, want := Tags(), slices.Compact(want); !slices.Equal(got, want) || len(got) < 5 {
		t.Errorf("%q\nwant %q", got, want)
	}
}
