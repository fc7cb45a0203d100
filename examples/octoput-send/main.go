// Octoput-send sends a file to an octoput-recv. It ends with status 0 only if that has
// confirmed that it has the whole file.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/octoput"
)

var (
	loss    = flag.Float64("loss", 0, "drop arriving packets with this `probability`")
	seed    = flag.Uint64("seed", 1, "seed of -loss")
	verbose = flag.Bool("v", false, "print every packet, with bitmaps of eight digits")
	alone   = flag.Bool("no-offload", false, "hand each packet to the system by itself")
	key     = seal.New("octoput")
)

func main() { cli.Main("octoput-send [flags] FILE HOST:PORT", run) }

func run(ctx context.Context) error {
	if flag.NArg() != 2 {
		return cli.Usagef("want a file and a receiver")
	}
	if err := cli.Probability("loss", *loss); err != nil {
		return err
	}
	f, err := os.Open(flag.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	source, err := ferry.FileSource(f)
	if err != nil {
		return err
	}
	receivers, err := cli.Resolve(flag.Args()[1:])
	if err != nil {
		return err
	}
	conn, err := key.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	defer conn.Close()

	s := octoput.Sender{NoOffload: *alone}
	if *verbose {
		s.Trace = octoput.PrintTrace(cli.Stderr)
	}
	report, err := s.Send(ctx, lose(conn, s.Trace), receivers[0], source)
	fmt.Printf("to %v: %d of %d bytes in %d octoblocks, %d packets sent, %d of them again, round trip %v, %v\n",
		receivers[0], report.Bytes, source.Size, report.Blocks, report.Sent, report.SentAgain,
		report.RTT.Round(time.Microsecond), report.Elapsed.Round(time.Microsecond))
	return err
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
