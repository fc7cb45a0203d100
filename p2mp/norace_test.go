//go:build !race

package p2mp

import "testing"

const thorough = 1

func notUnderRace(*testing.T) {}
