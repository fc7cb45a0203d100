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
	limit   = flag.Int("max", relay.DefaultMaxClients, "maximum number of `clients` at once; -1: no limit")
	idle    = flag.Duration("idle", 0, "disconnect a client that says nothing for this `time` (default: no limit)")
	notices = flag.Bool("notices", false, "tell clients who joins and leaves, and a new client its ID")
	verbose = flag.Bool("v", false, "print who connects and what is said")
	framing = relay.Auto
	slow    = relay.Disconnect
)

func main() {
	flag.TextVar(&framing, "framing", relay.Auto, "where a message ends: line, chunk (one read), or auto (chunk until a client's first newline, then line)")
	flag.TextVar(&slow, "slow", relay.Disconnect, "what happens to a client that reads too slowly: disconnect, drop (its oldest messages), or wait (for it)")
	cli.Main("relayd [flags]", run)
}

func run(ctx context.Context) error {
	if flag.NArg() > 0 {
		return cli.Usagef("want no arguments")
	}
	if *limit == 0 || *limit < -1 {
		return cli.Usagef("-max %d: want a number of clients, or -1", *limit)
	}
	if *idle < 0 {
		return cli.Usagef("-idle %v: want no negative time", *idle)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer l.Close()
	s := relay.Server{MaxClients: *limit, Framing: framing, Slow: slow, IdleTimeout: *idle, Notices: *notices}
	if *verbose {
		s.Trace = relay.PrintTrace(cli.Stderr)
	}
	if err = s.Serve(ctx, l); ctx.Err() != nil {
		return nil // interrupted, as is normal
	}
	return err
}
