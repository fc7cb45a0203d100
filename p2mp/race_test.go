//go:build race

package p2mp

import "testing"

// leastThorough is larger under the race detector, which makes everything ten times slower.
const (
	leastThorough = 10
	underRace     = true
)

// notUnderRace skips a test that moves much data through one goroutine after another: it
// takes long, and shows no race that others do not.
func notUnderRace(t *testing.T) {
	t.Helper()
	t.Skip("slow under the race detector")
}
