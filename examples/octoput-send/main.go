// Octoput-send sends a file to an octoput-recv, or serves the files of a directory to
// those who ask. When it sends one it ends with status 0 only if the receiver has
// confirmed that it has the whole file.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/octoput"
)

var (
	listen  = flag.String("listen", ":8888", "with -dir: `address` to serve at")
	dir     = flag.String("dir", "", "serve the files in `DIR` to octoput-recv -get, instead of sending one")
	loss    = flag.Float64("loss", 0, "drop arriving packets with this `probability`")
	seed    = flag.Uint64("seed", 1, "seed of -loss")
	verbose = flag.Bool("v", false, "print every packet, with bitmaps of eight digits")
	key     = seal.New("octoput")
	alone   = flag.Bool("no-offload", false, "send each packet with a system call of its own")
)

func main() { cli.Main("octoput-send [flags] FILE HOST[:PORT] | -dir DIR", run) }

func run(ctx context.Context) error {
	switch {
	case *dir == "" && flag.NArg() != 2:
		return cli.Usagef("want a file and a receiver")
	case *dir != "" && flag.NArg() != 0:
		return cli.Usagef("want no arguments with -dir")
	}
	if err := cli.Probability("loss", *loss); err != nil {
		return err
	}
	s := octoput.Sender{NoOffload: *alone}
	if *verbose {
		s.Trace = octoput.PrintTrace(cli.Stderr)
	}
	if *dir != "" {
		return serve(ctx, s)
	}
	f, err := open(ctx, flag.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	source, err := ferry.FileSource(f)
	if err != nil {
		return err
	}
	receivers, err := cli.Resolve(flag.Args()[1:], 8888)
	if err != nil {
		return err
	}
	conn, err := key.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	defer conn.Close()
	report, err := s.Send(ctx, lose(conn, s.Trace), receivers[0], source)
	fmt.Printf("to %v: %d of %d bytes in %d octoblocks, %d packets sent, %d of them again, round trip %v, %v\n",
		receivers[0], report.Bytes, source.Size, report.Blocks, report.Sent, report.Retransmitted,
		report.RTT.Round(time.Microsecond), report.Elapsed.Round(time.Microsecond))
	return err
}

// open opens the file. Standard input is copied to a temporary file first: its size must
// be known.
func open(ctx context.Context, name string) (*os.File, error) {
	if name != "-" {
		return cli.Open(ctx, name)
	}
	f, err := os.CreateTemp("", "octoput-send")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	if _, err := io.Copy(f, os.Stdin); err != nil {
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// serve gives the files of a directory to those who ask.
func serve(ctx context.Context, s octoput.Sender) error {
	root, err := os.OpenRoot(*dir)
	if err != nil {
		return err
	}
	defer root.Close()
	conn, err := key.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer conn.Close()
	if s.Trace == nil {
		s.Trace = &octoput.Trace{}
	} else {
		fmt.Fprintln(os.Stderr, "serving at", conn.LocalAddr())
	}
	s.Trace.Finished = func(e octoput.TransferEvent) {
		o, r, err := e.Offer, e.Report, e.Err
		if err != nil {
			fmt.Fprintf(os.Stderr, "to %v: %s: %s\n", o.Addr, printable.Quote(o.Name), printable.Error(err))
			return
		}
		fmt.Printf("to %v: %s, %d bytes in %d octoblocks, %v\n", o.Addr, printable.Quote(o.Name), r.Bytes, r.Blocks, r.Elapsed.Round(time.Microsecond))
	}
	if err := s.Serve(ctx, lose(conn, s.Trace), &ferry.Dir{Root: root}); ctx.Err() == nil {
		return err
	}
	return nil // interrupted, as it should be
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
