// Directoryd is a central directory: it knows which peer has which file.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
)

var (
	listen     = flag.String("listen", fmt.Sprintf(":%d", directory.DefaultPort), "`address` to serve at")
	expiry     = flag.Duration("expiry", directory.DefaultExpiry, "silence after which a peer is forgotten")
	anyAddress = flag.Bool("any-address", false, "let a peer register an address other than its own")
	verbose    = flag.Bool("v", false, "log peers that come and go, look-ups, and datagrams that are ignored")
	key        = seal.New("directory")
)

func main() { cli.Main("directoryd [flags]", run) }

func run(ctx context.Context) error {
	if flag.NArg() > 0 || *expiry <= 0 {
		return cli.Usagef("want a positive -expiry, and no arguments")
	}
	conn, err := key.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Println("Waiting For Peers.... :)")

	s := directory.Server{Expiry: *expiry, AnyAddress: *anyAddress}
	if *verbose {
		s.Trace = directory.LogTrace(printable.Logger(os.Stderr, slog.LevelDebug))
		fmt.Fprintln(os.Stderr, "serving at", conn.LocalAddr())
	}
	err = s.Serve(ctx, conn)
	if ctx.Err() != nil {
		return nil // it was to go on until interrupted
	}
	return err
}
