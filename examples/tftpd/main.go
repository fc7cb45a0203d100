// Tftpd serves the files of a directory to TFTP clients.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/tftp"
)

var (
	listen       = flag.String("listen", ":6900", "`address` to serve at")
	write        = flag.Bool("write", false, "let clients write files that do not exist yet")
	overwrite    = flag.Bool("overwrite", false, "with -write: let clients replace files")
	dotFiles     = flag.Bool("dotfiles", false, "with -write: accept names that begin with a dot or a hyphen")
	maxSize      = cli.MaxSize("with -write: refuse files of more than this many `bytes` (1500000, 1.5MB, 4GiB)")
	wide         = flag.Bool("wide", false, "count blocks in four bytes, as the UDP file delivery assignment does")
	maxTransfers = flag.Int("max", tftp.DefaultMaxTransfers, "transfers at the same time")
	singlePort   = flag.Bool("single-port", false, "send everything from the -listen port, for firewalls and NAT; clients' addresses are not proved then")
	mtu          = flag.Int("mtu", 0, "longest IP packet in `bytes`, which bounds the block size (default that of the path, at most 1500)")
	verbose      = flag.Bool("v", false, "log the address, each transfer, and what is lost")
	key          = seal.New("tftp")
)

func main() { cli.Main("tftpd [flags] DIR", run) }

func run(ctx context.Context) error {
	if flag.NArg() != 1 {
		return cli.Usagef("want one directory")
	}
	switch {
	case *maxTransfers < 1:
		return cli.Usagef("-max %d: want at least 1", *maxTransfers)
	case *mtu < 0 || *mtu > 0 && *mtu < 68:
		return cli.Usagef("-mtu %d: want at least 68", *mtu)
	case !*write && (*overwrite || *dotFiles || *maxSize > 0):
		return cli.Usagef("-overwrite, -dotfiles and -max-size need -write")
	}
	root, err := os.OpenRoot(flag.Arg(0))
	if err != nil {
		return err
	}
	defer root.Close()
	conn, err := key.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer conn.Close()

	dir := &ferry.Dir{Root: root, Subdirectories: true, Overwrite: *overwrite, DotFiles: *dotFiles, MaxSize: *maxSize}
	s := tftp.Server{Opener: dir, Wide: *wide, MaxTransfers: *maxTransfers, SinglePort: *singlePort, MTU: *mtu}
	s.ListenPacket = key.Listener()
	if *write {
		s.Handler = dir
	}
	s.Trace = &tftp.Trace{Shortage: func(err error) {
		fmt.Fprintln(os.Stderr, "tftpd: requests wait, because the system refuses more:", err)
	}}
	if *verbose {
		fmt.Fprintln(os.Stderr, "serving at", conn.LocalAddr())
		s.Trace = tftp.LogTrace(printable.Logger(os.Stderr, slog.LevelDebug))
	}
	if err := s.Serve(ctx, conn); ctx.Err() == nil {
		return err
	}
	return nil // interrupted, as it should be
}
