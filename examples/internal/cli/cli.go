// Package cli holds what all example mains share: flags, exit status, the end on
// an interrupt, addresses.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/ferrygo/ferry/examples/internal/printable"
)

// Stdout and Stderr are for text that may come from the network.
var (
	Stdout = printable.Writer(os.Stdout)
	Stderr = printable.Writer(os.Stderr)
)

// A usageError is a mistake on the command line.
type usageError struct{ error }

// Usagef returns an error that makes Main print it, and exit with status 2.
func Usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// Main runs a program: it parses flags and arguments, which may be mixed, and calls run with a context that ends
// at an interrupt or a request to terminate; a second one ends the program. All programs have the flags -h and
// -version. An error goes to standard error in one line, with exit status 1, or 2 if it is about usage.
func Main(synopsis string, run func(ctx context.Context) error) {
	version := flag.Bool("version", false, "print the version, and exit")
	usage := func() {
		fmt.Fprintf(os.Stderr, "usage: %s\n", synopsis)
		flag.CommandLine.SetOutput(os.Stderr)
		flag.PrintDefaults()
	}
	flag.CommandLine.Init(os.Args[0], flag.ContinueOnError)
	flag.CommandLine.SetOutput(io.Discard)
	flag.Usage = func() {}
	err := parse(flag.CommandLine, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage()
		return
	case err != nil:
		err = usageError{err}
	case *version:
		fmt.Println(versionLine(synopsis))
		return
	default:
		err = interruptible(run)
	}
	if err != nil {
		os.Exit(report(err))
	}
}

// interruptible calls run.
func interruptible(run func(ctx context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx)
}

// report prints an error, and returns the exit status.
func report(err error) int {
	if _, usage := errors.AsType[usageError](err); usage {
		fmt.Fprintln(os.Stderr, printable.Error(err)+" (-h lists the flags)")
		return 2
	}
	fmt.Fprintln(os.Stderr, printable.Error(err))
	return 1
}

// parse parses flags that stand before, between and behind arguments. What follows "--" is arguments.
func parse(flags *flag.FlagSet, args []string) error {
	var plain []string
	for all := args; ; {
		before := len(args)
		if err := flags.Parse(args); err != nil {
			return err
		}
		args = flags.Args()
		ended := before > len(args) && all[len(all)-len(args)-1] == "--"
		if len(args) == 0 || ended {
			return flags.Parse(append([]string{"--"}, append(plain, args...)...))
		}
		plain, args = append(plain, args[0]), args[1:]
	}
}

// versionLine names the program, its version, and the Go version that built it.
func versionLine(synopsis string) string {
	name, _, _ := strings.Cut(synopsis, " ")
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name + " (unknown version)"
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (version == "" || version == "(devel)") {
			version = s.Value
		}
	}
	return fmt.Sprintf("%s %s (%s %s/%s)", name, version, info.GoVersion, runtime.GOOS, runtime.GOARCH)
}

// Probability checks the value of a flag.
func Probability(name string, p float64) error {
	if !(p >= 0 && p <= 1) {
		return Usagef("-%s %v: want a probability from 0 to 1", name, p)
	}
	return nil
}
