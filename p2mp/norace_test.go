//go:build !race

package p2mp

import "testing"

// leastThorough is the divisor of the numbers of random tests without -long.
const (
	leastThorough = 5
	underRace     = false
)

func notUnderRace(*testing.T) {}
