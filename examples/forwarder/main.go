// Forwarder copies TCP connections to another host. It connects there before it listens, so that any number of
// forwarders can be started one after the other.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/relay"
)

var (
	listen  = flag.String("listen", "", "`address` to listen at")
	to      = flag.String("to", "", "`HOST:PORT` to forward to")
	retry   = flag.Duration("retry", 0, "try again after this `time` if the host cannot be reached (default: end with an error)")
	verbose = flag.Bool("v", false, "print the address, and who connects")
)

func main() { cli.Main("forwarder [flags] -listen ADDR -to HOST:PORT", run) }

func run(ctx context.Context) error {
	if flag.NArg() > 0 || *listen == "" || *to == "" {
		return cli.Usagef("want -listen and -to, and no arguments")
	}
	if _, _, err := net.SplitHostPort(*to); err != nil {
		return cli.Usagef("-to %s: want HOST:PORT", *to)
	}
	f := relay.Forwarder{Retry: *retry, Trace: &relay.Trace{
		Unreachable: func(from netip.AddrPort, err error) {
			if *retry > 0 || from.IsValid() { // otherwise the program ends with this error
				fmt.Fprintln(os.Stderr, printable.Error(err))
			}
		},
	}}
	if *verbose {
		f.Listen = announce
		f.Trace.Connected = func(from netip.AddrPort) { fmt.Fprintf(os.Stderr, "%v is connected to %s\n", from, *to) }
		f.Trace.Closed = func(from netip.AddrPort, r relay.ConnReport, err error) {
			how := "closed"
			if err != nil {
				how = printable.Error(err)
			}
			fmt.Fprintf(os.Stderr, "%v: %d bytes up, %d bytes down, %s\n", from, r.Up, r.Down, how)
		}
	}
	err := f.ListenAndForward(ctx, *listen, *to)
	if ctx.Err() != nil {
		return nil // interrupted, as is normal
	}
	return err
}

// announce listens, and prints the address.
func announce(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err == nil {
		fmt.Fprintln(os.Stderr, "forwarding from", l.Addr())
	}
	return l, err
}
