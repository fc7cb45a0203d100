package gnutellasim

import (
	"flag"
	"math"
	"testing"
)

var long = flag.Bool("long", false, "flood graphs of 100,000 nodes as well")

func near(a, b int) bool { return math.Abs(float64(a)-float64(b)) <= 0.02*float64(b) }

// TestFlood: messages, duplicates, reach and hits are those of an independent count.
func TestFlood(t *testing.T) {
	for _, c := range []struct {
		nodes, degree int
		long          bool
	}{{10_000, 4, false}, {10_000, 7, false}, {100_000, 4, true}, {100_000, 7, true}} {
		if c.long && !*long {
			continue
		}
		g := NewGraph(1, c.nodes, c.degree)
		holds := func(n uint32) bool { return n%1000 == 7 }
		got, want := g.Flood(1, 1, holds), g.Count(1, 7, holds)
		t.Logf("%d nodes, degree %d: %v", c.nodes, c.degree, got)
		if !near(got.Queries, want.Queries) || !near(got.Duplicates, want.Duplicates) || !near(got.Reached, want.Reached) || got.Hits != want.Hits {
			t.Errorf("%d nodes, degree %d: %v\nthe count has %v", c.nodes, c.degree, got, want)
		}
	}
}
