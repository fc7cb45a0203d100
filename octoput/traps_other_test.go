//go:build !unix

package octoput

import "testing"

// makeTraps: there are none to make without privileges. The names of traps_unix_test.go
// are absent here.
func makeTraps(*testing.T, string) {}
