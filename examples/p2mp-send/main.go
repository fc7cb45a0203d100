// P2mp-send sends a file to any number of receivers at once. It prints what
// happened for each of them, and ends with status 0 only if all have the file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"text/tabwriter"
	"time"

	"github.com/ferrygo/ferry/examples/internal/bars"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/p2mp"
)

var (
	mss     = flag.Int("mss", p2mp.DefaultMSS, "payload of a packet in `bytes`")
	timeout = flag.Duration("timeout", 0, "fix the retransmission timer (default: it follows the measured round trip)")
	giveUp  = flag.Duration("giveup", p2mp.DefaultGiveUp, "silence of a receiver that is tolerated")
	verbose = flag.Bool("v", false, "print every timeout")
	policy  = p2mp.Drop
)

func main() {
	flag.TextVar(&policy, "policy", p2mp.Drop, "what to do about a silent receiver: drop it and finish the others, fail for all, or wait")
	cli.Main("p2mp-send [flags] FILE HOST:PORT...", run)
}

func run(ctx context.Context) error {
	if flag.NArg() < 2 {
		return cli.Usagef("want a file and at least one receiver")
	}
	f, err := os.Open(flag.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	source, err := p2mp.FileSource(f)
	if err != nil {
		return err
	}
	receivers, err := cli.Resolve(flag.Args()[1:])
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	defer conn.Close()

	s := p2mp.Sender{MSS: *mss, Timeout: *timeout, GiveUp: *giveUp, Policy: policy}
	if *verbose {
		s.Trace = p2mp.PrintTrace(os.Stderr)
	} else if bars.OnTerminal(os.Stderr) && source.Size > 0 {
		b := bars.New(os.Stderr, receivers, source.Size)
		s.Trace = b.Trace()
		defer b.Wait()
	}
	report, err := s.Send(ctx, conn, receivers, source)
	return errors.Join(err, print(report))
}

func print(r p2mp.Report) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVER\tSTATE\tBYTES\tPACKETS\tSENT AGAIN\tRTT\tTIME")
	for _, p := range r.Peers {
		fmt.Fprintf(w, "%v\t%v\t%d\t%d\t%d\t%v\t%v\n", p.Addr, p.State, p.Bytes, p.Sent, p.SentAgain,
			p.RTT.Round(time.Microsecond), p.Elapsed.Round(time.Millisecond))
	}
	return w.Flush()
}
