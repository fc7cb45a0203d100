// P2mp-recv receives files that p2mp-send sends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/p2mp"
)

var (
	listen    = flag.String("listen", ":7735", "`address` to receive at")
	file      = flag.String("o", "", "keep what arrives as `FILE`")
	dir       = flag.String("dir", "", "keep what arrives as files in `DIR`, named after the sender's address and the time")
	transfers = flag.Int("n", -1, "end after this many completed transfers; 0: no end (default 1 with -o, no end with -dir)")
	loss      = flag.Float64("loss", 0, "drop arriving packets with this `probability`")
	seed      = flag.Uint64("seed", 1, "seed of -loss")
	verbose   = flag.Bool("v", false, "print the address, and every packet that -loss drops")
)

func main() { cli.Main("p2mp-recv [flags] -o FILE | -dir DIR", run) }

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
	conn, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer conn.Close()

	if *verbose {
		fmt.Fprintln(os.Stderr, "receiving at", conn.LocalAddr())
	}
	serving, stop := context.WithCancelCause(ctx)
	r := p2mp.Receiver{Transfers: *transfers, Trace: trace(stop)}
	if *transfers < 0 {
		r.Transfers = 0
		if *file != "" {
			r.Transfers = 1
		}
	}
	options := []lossy.Option{lossy.Seed(*seed), lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
		if e.Verdict == lossy.Dropped {
			r.Trace.Lost(e.From, e.Payload)
		}
	}})}
	if *loss > 0 {
		options = append(options, lossy.Ingress(lossy.Loss(*loss)))
	}
	err = r.Serve(serving, lossy.Wrap(conn, options...), handler)
	if ctx.Err() != nil && r.Transfers == 0 {
		return nil // it was to go on until interrupted
	}
	return err
}

// keep opens the directory that files go to.
func keep() (p2mp.Handler, *os.Root, error) {
	if *dir != "" {
		root, err := os.OpenRoot(*dir)
		if err != nil {
			return nil, nil, err
		}
		return p2mp.Dir(root), root, nil
	}
	root, err := os.OpenRoot(filepath.Dir(*file))
	if err != nil {
		return nil, nil, err
	}
	return p2mp.SaveAs(root, filepath.Base(*file)), root, nil
}

// trace reports each transfer, and with -v each packet that was dropped. It stops
// the program when FILE cannot be written: the next sender would fare no better.
func trace(stop context.CancelCauseFunc) *p2mp.Trace {
	t := &p2mp.Trace{}
	if *verbose {
		t = p2mp.PrintTrace(os.Stderr)
	}
	t.Finished = func(o p2mp.Offer, r p2mp.Report, err error) {
		sender := errors.Is(err, p2mp.ErrSilent) || errors.Is(err, p2mp.ErrRestarted)
		switch {
		case err == nil:
			fmt.Printf("from %v: %d bytes in %v\n", o.From, r.Bytes, r.Elapsed)
		case *file != "" && !sender:
			stop(err)
		default:
			fmt.Fprintf(os.Stderr, "from %v: %v\n", o.From, err)
		}
	}
	return t
}
