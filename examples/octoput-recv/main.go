// Octoput-recv receives files that octoput-send sends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
	file      = flag.String("o", "", "keep what arrives as `FILE`")
	dir       = flag.String("dir", "", "keep what arrives as files in `DIR`, under the names that the senders give them")
	transfers = flag.Int("n", -1, "end after this many completed transfers; 0: no end (default 1 with -o, no end with -dir)")
	loss      = flag.Float64("loss", 0, "drop arriving packets with this `probability`")
	seed      = flag.Uint64("seed", 1, "seed of -loss")
	verbose   = flag.Bool("v", false, "print the address, and every packet, with bitmaps of eight digits")
	alone     = flag.Bool("no-offload", false, "have the system hand over each packet by itself")
	key       = seal.New("octoput")
)

func main() { cli.Main("octoput-recv [flags] -o FILE | -dir DIR", run) }

func run(ctx context.Context) error {
	if flag.NArg() > 0 || (*file == "") == (*dir == "") {
		return cli.Usagef("want either -o or -dir, and no arguments")
	}
	if err := cli.Probability("loss", *loss); err != nil {
		return err
	}
	handler, root, err := keep()
	if err != nil {
		return err
	}
	defer root.Close()
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

// keep opens the directory that files go to.
func keep() (ferry.Handler, *os.Root, error) {
	if *dir != "" {
		root, err := os.OpenRoot(*dir)
		if err != nil {
			return nil, nil, err
		}
		return &ferry.Dir{Root: root}, root, nil
	}
	root, err := os.OpenRoot(filepath.Dir(*file))
	if err != nil {
		return nil, nil, err
	}
	handler := ferry.SaveAs(root, filepath.Base(*file))
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
	t.Finished = func(o ferry.Offer, r octoput.Report, err error) {
		switch {
		case err == nil:
			fmt.Printf("from %v: %s, %d bytes in %d octoblocks, %v\n", o.Addr, printable.Quote(o.Name), r.Bytes, r.Blocks, r.Elapsed.Round(time.Microsecond))
		case *file != "" && !sendersFault(err):
			stop(err)
		default:
			fmt.Fprintf(os.Stderr, "from %v: %s: %s\n", o.Addr, printable.Quote(o.Name), printable.Error(err))
		}
	}
	return t
}

// sendersFault reports whether another sender may fare better.
func sendersFault(err error) bool {
	var said *octoput.RemoteError
	return errors.Is(err, ferry.ErrSilent) || errors.Is(err, ferry.ErrDigest) || errors.As(err, &said)
}
