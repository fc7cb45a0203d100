// Tftpd serves the files of a directory to TFTP clients.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/tftp"
)

var (
	listen  = flag.String("listen", ":6900", "`address` to serve at")
	write   = flag.Bool("write", false, "let clients write files that do not exist yet")
	wide    = flag.Bool("wide", false, "count blocks in four bytes, as the UDP file delivery assignment does")
	most    = flag.Int("max", tftp.DefaultMaxTransfers, "transfers under way at once")
	verbose = flag.Bool("v", false, "log the address, each transfer, and what is lost")
)

func main() { cli.Main("tftpd [flags] DIR", run) }

func run(ctx context.Context) error {
	if flag.NArg() != 1 {
		return cli.Usagef("want one directory")
	}
	if *most < 1 {
		return cli.Usagef("-max %d: want at least 1", *most)
	}
	root, err := os.OpenRoot(flag.Arg(0))
	if err != nil {
		return err
	}
	defer root.Close()
	conn, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer conn.Close()

	dir := &ferry.Dir{Root: root, Subdirectories: true}
	s := tftp.Server{Opener: dir, Wide: *wide, MaxTransfers: *most}
	if *write {
		s.Handler = dir
	}
	if *verbose {
		fmt.Fprintln(os.Stderr, "serving at", conn.LocalAddr())
		s.Trace = tftp.LogTrace(printable.Logger(os.Stderr, slog.LevelDebug))
	}
	if err := s.Serve(ctx, conn); ctx.Err() == nil {
		return err
	}
	return nil // interrupted, as it should be
}
