// Octoput-recv receives files that octoput-send sends, or fetches one from an octoput-send
// that serves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/octoput"
)

var (
	listen    = flag.String("listen", ":8888", "`address` to receive at")
	get       = flag.String("get", "", "fetch the file `NAME` from the server HOST:PORT, and end")
	file      = flag.String("o", "", "keep what arrives as `FILE`, which is replaced; - is standard output")
	dir       = flag.String("dir", "", "keep what arrives as files in `DIR`, under the names that the senders give them")
	overwrite = flag.Bool("overwrite", false, "with -dir: replace files that exist")
	dotfiles  = flag.Bool("dotfiles", false, "with -dir: accept names that begin with a dot or a hyphen")
	maxSize   = cli.MaxSize("refuse files with more than this number of `BYTES`, such as 1.5MB")
	transfers = flag.Int("n", -1, "end after this many completed transfers; 0: no end (default 1 with -o, no end with -dir)")
	loss      = flag.Float64("loss", 0, "drop arriving packets with this `probability`")
	seed      = flag.Uint64("seed", 1, "seed of -loss")
	verbose   = flag.Bool("v", false, "print the address, and every packet, with bitmaps of eight digits")
	key       = seal.New("octoput")
	alone     = flag.Bool("no-offload", false, "receive each packet with a system call of its own")
)

func main() { cli.Main("octoput-recv [flags] -o FILE | -dir DIR [-get NAME HOST:PORT]", run) }

func run(ctx context.Context) error {
	switch {
	case (*file == "") == (*dir == ""):
		return cli.Usagef("want either -o or -dir")
	case *get == "" && flag.NArg() > 0, *get != "" && flag.NArg() != 1:
		return cli.Usagef("want no arguments, or one HOST:PORT with -get")
	}
	if err := cli.Probability("loss", *loss); err != nil {
		return err
	}
	handler, root, err := keep()
	if err != nil {
		return err
	}
	defer root.Close()
	if *get != "" {
		return fetch(ctx, handler)
	}
	conn, err := key.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer conn.Close()

	if *verbose {
		fmt.Fprintln(os.Stderr, "receiving at", conn.LocalAddr())
	}
	serving, stop := context.WithCancelCause(ctx)
	r := octoput.Receiver{Transfers: *transfers, Trace: trace(stop), NoOffload: *alone}
	if *transfers < 0 {
		r.Transfers = 0
		if *file != "" {
			r.Transfers = 1
		}
	}
	err = r.Serve(serving, lose(conn, r.Trace), handler)
	if ctx.Err() != nil && r.Transfers == 0 {
		return nil // it was to go on until interrupted
	}
	return err
}

// fetch asks a server for one file.
func fetch(ctx context.Context, handler ferry.Handler) error {
	servers, err := cli.Resolve(flag.Args(), 8888)
	if err != nil {
		return err
	}
	conn, err := key.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	defer conn.Close()
	r := octoput.Receiver{Trace: trace(func(error) {}), NoOffload: *alone}
	_, err = r.Get(ctx, lose(conn, r.Trace), servers[0], *get, handler)
	return err
}

// keep opens the directory that files go to.
func keep() (ferry.Handler, *os.Root, error) {
	to := *dir
	if *file != "" {
		to = filepath.Dir(*file)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return nil, nil, err
	}
	d := &ferry.Dir{Root: root, Overwrite: *overwrite || *file != "", InPlace: *file != "", DotFiles: *dotfiles, MaxSize: *maxSize}
	switch *file {
	case "":
		return d, root, nil
	case "-":
		return ferry.To(os.Stdout), root, nil
	}
	handler := d.SaveAs(filepath.Base(*file))
	// Better now than when a sender comes.
	sink, err := handler.Accept(ferry.Offer{})
	if err != nil {
		root.Close()
		return nil, nil, err
	}
	sink.Abort(nil)
	return handler, root, nil
}

// lose drops what arrives, as -loss says.
func lose(conn net.PacketConn, trace *octoput.Trace) net.PacketConn {
	if *loss == 0 {
		return conn
	}
	return lossy.Wrap(conn, lossy.Seed(*seed), lossy.Ingress(lossy.Loss(*loss)),
		lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
			if e.Verdict == lossy.Dropped {
				trace.Lost(e.From, e.Payload)
			}
		}}))
}

// trace reports each transfer, and with -v each packet. It stops the program when FILE
// cannot be written: the next sender would fare no better.
func trace(stop context.CancelCauseFunc) *octoput.Trace {
	t := &octoput.Trace{}
	if *verbose {
		t = octoput.PrintTrace(cli.Stderr)
	}
	var out io.Writer = os.Stdout
	if *file == "-" {
		out = os.Stderr
	}
	t.Finished = func(e octoput.TransferEvent) {
		o, r, err := e.Offer, e.Report, e.Err
		switch {
		case err == nil:
			fmt.Fprintf(out, "from %v: %s, %d bytes in %d octoblocks, %v\n", o.Addr, printable.Quote(o.Name), r.Bytes, r.Blocks, r.Elapsed.Round(time.Microsecond))
		case *file != "" && !sendersFault(err):
			stop(err)
		case *get == "":
			fmt.Fprintf(os.Stderr, "from %v: %s: %s\n", o.Addr, printable.Quote(o.Name), printable.Error(err))
		}
	}
	return t
}

// sendersFault reports whether another sender may fare better.
func sendersFault(err error) bool {
	if _, said := errors.AsType[*octoput.RemoteError](err); said {
		return true
	}
	for _, fault := range []error{ferry.ErrSilent, ferry.ErrDigest, ferry.ErrBusy, ferry.ErrTooLarge, ferry.ErrDiskFull} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}
