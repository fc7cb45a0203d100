// Package virtual runs a program in virtual time: testing/synctest, which is made for
// tests, in a program that is none.
package virtual

import (
	"flag"
	"os"
	"testing"
	"testing/synctest"
)

// Main calls run, which may call bubble, from any number of goroutines at once, to run a function
// in a separate bubble, in which time passes only when all goroutines wait. Then the program exits with the
// status that run returned. Flags must have been parsed.
func Main(run func(bubble func(f func())) (status int)) {
	hideFlags()
	body := func(t *testing.T) {
		os.Exit(run(func(f func()) {
			synctest.Test(t, func(*testing.T) { f() })
		}))
	}
	testing.Main(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "virtual", F: body}}, nil, nil)
}

// hideFlags sets the flags of package testing without the user's seeing them.
func hideFlags() {
	own := flag.CommandLine
	defer func() { flag.CommandLine = own }()
	flag.CommandLine = flag.NewFlagSet("testing", flag.ExitOnError)
	testing.Init()
	_ = flag.CommandLine.Parse(nil)
}
