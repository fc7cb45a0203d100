// Relayd broadcasts what each of its TCP clients says to all others.
package main

import (
	"context"
	"flag"
	"net"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/relay"
)

var (
	listen  = flag.String("listen", ":9000", "`address` to listen at")
	most    = flag.Int("max", relay.DefaultMaxClients, "how many `clients` there may be at once; -1: any number")
	notices = flag.Bool("notices", false, "tell clients who joins and leaves, and newcomers their ID")
	verbose = flag.Bool("v", false, "print who connects and what is said")
	framing = relay.Auto
	slow    = relay.Disconnect
)

func main() {
	flag.TextVar(&framing, "framing", relay.Auto, "where a message ends: line, chunk (one read), or auto, by a client's first read")
	flag.TextVar(&slow, "slow", relay.Disconnect, "what to do about a client that does not read: disconnect it, drop its oldest messages, or wait")
	cli.Main("relayd [flags]", run)
}

func run(ctx context.Context) error {
	if flag.NArg() > 0 {
		return cli.Usagef("want no arguments")
	}
	if *most == 0 || *most < -1 {
		return cli.Usagef("-max %d: want a number of clients, or -1", *most)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer l.Close()
	s := relay.Server{MaxClients: *most, Framing: framing, Slow: slow, Notices: *notices}
	if *verbose {
		s.Trace = relay.PrintTrace(cli.Stderr)
	}
	if err = s.Serve(ctx, l); ctx.Err() != nil {
		return nil // it was to go on until interrupted
	}
	return err
}
