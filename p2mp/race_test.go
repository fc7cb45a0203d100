//go:build race

package p2mp

import "testing"

// thorough is how many times less there is to do where the race detector makes everything
// ten times slower.
const thorough = 10

// notUnderRace skips what moves so much through one goroutine after the other that it
// takes long, and shows no race that others do not.
func notUnderRace(t *testing.T) {
	t.Helper()
	t.Skip("slow under the race detector")
}
