// P2mp-send sends a file to any number of receivers at once. It prints what
// happened for each of them, and ends with status 0 only if all have the file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"text/tabwriter"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/bars"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/multicast"
	"github.com/ferrygo/ferry/p2mp"
)

var (
	s       p2mp.Sender
	group   = flag.String("group", "", "send each packet once, to the multicast group `ADDR:PORT`; without hosts, to those who join within five seconds")
	iface   = flag.String("iface", "", "`name` of the interface to the group (default: the system's route decides)")
	port    = flag.Uint("port", 0, "send from this `port`, to which the answers come (default: one that the system chooses)")
	ttl     = flag.Int("ttl", 1, "with -group: how many `routers`, plus one, packets to the group may pass")
	once    = flag.Bool("no-resume", false, "begin at once, and read the file once: a transfer that was cut off begins anew")
	verbose = flag.Bool("v", false, "print every timeout, and no progress bars")
	key     = seal.New("p2mp")
)

func main() {
	flag.IntVar(&s.MSS, "mss", p2mp.DefaultMSS, "payload of a packet in `bytes`")
	flag.IntVar(&s.Window, "window", 0, "`chunks` under way at once, at most (default: what fits into 8 MiB)")
	cli.Rate(&s.Rate, "rate", "send no more than this many `bits` per second (default: what the network takes)")
	cli.Rate(&s.MinRate, "min-rate", "with -group: give up receivers for whose sake all would get less than this many `bits` per second")
	flag.BoolVar(&s.Classic, "classic", false, "speak the classic protocol only: one chunk at a time, in lock-step")
	flag.DurationVar(&s.Timeout, "timeout", 0, "fix the retransmission timer (default: it follows the measured round trip)")
	flag.DurationVar(&s.GiveUp, "giveup", p2mp.DefaultGiveUp, "silence of a receiver that is tolerated")
	flag.TextVar(&s.Policy, "policy", p2mp.Drop, "what to do about a silent receiver: `drop` it and finish the others, fail for all, or wait")
	flag.BoolVar(&s.NoOffload, "no-offload", false, "hand each packet to the system by itself")
	cli.Main("p2mp-send [flags] FILE [HOST[:PORT]...]", run)
}

func run(ctx context.Context) error {
	if flag.NArg() < 1 || flag.NArg() < 2 && *group == "" || *group == "" && (*iface != "" || *ttl != 1) {
		return cli.Usagef("want a file and at least one receiver, or -group; -iface and -ttl only with -group")
	}
	if *port > math.MaxUint16 || *ttl < 1 || *ttl > 255 {
		return cli.Usagef("want a -port up to 65535 and a -ttl from 1 to 255")
	}
	f, err := cli.Open(ctx, flag.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	source, err := ferry.FileSource(f)
	if err == nil && !s.Classic && !*once {
		err = source.Digest(ctx)
	}
	if err != nil {
		return err
	}
	receivers, err := cli.Resolve(flag.Args()[1:], 7735)
	if err != nil {
		return err
	}
	conn, err := listen()
	if err != nil {
		return err
	}
	defer conn.Close()

	wait := func() {}
	if *verbose {
		s.Trace = p2mp.PrintTrace(cli.Stderr)
		s.Trace.Stalled = stalled
	} else if bars.OnTerminal(os.Stderr) && source.Size > 0 {
		b := bars.New(os.Stderr, receivers, source.Size)
		s.Trace, wait = b.Trace(), b.Wait
	}
	report, err := s.Send(ctx, conn, receivers, source)
	wait()
	if errors.Is(err, p2mp.ErrNobody) && *port == 0 {
		err = fmt.Errorf("%w (does a firewall here drop the answers? Let a port in, and name it with -port)", err)
	}
	return errors.Join(err, print(report))
}

// listen opens the conn to send through.
func listen() (conn net.PacketConn, err error) {
	if *group == "" {
		return key.ListenPacket("udp", fmt.Sprintf(":%d", *port))
	}
	config := multicast.Config{Interface: *iface, TTL: *ttl}
	if conn, s.Group, err = cli.ListenGroup(config, *group, fmt.Sprintf(":%d", *port), false); err != nil {
		return nil, err
	}
	return key.Wrap(conn)
}

func stalled(e p2mp.Stall) {
	if e.Length == 0 {
		fmt.Fprintf(cli.Stderr, "Nothing arrives, receiver = %v\n", e.Addr)
		return
	}
	fmt.Fprintf(cli.Stderr, "Packets of %d bytes do not arrive, packets of %d do: path MTU? receiver = %v\n", e.Length, e.Fits, e.Addr)
}

func print(r p2mp.Report) error {
	if len(r.Peers) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(cli.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVER\tSTATE\tBYTES\tPACKETS\tSENT AGAIN\tRTT\tTIME")
	for _, p := range r.Peers {
		fmt.Fprintf(w, "%v\t%v\t%d\t%d\t%d\t%v\t%v\n", p.Addr, p.State, p.Bytes, p.Sent, p.Retransmitted,
			p.RTT.Round(time.Microsecond), p.Elapsed.Round(time.Millisecond))
	}
	if s.Group.IsValid() {
		fmt.Fprintf(w, "%v\tgroup\t\t%d\t%d\t\t\n", s.Group, r.GroupSent, r.GroupRetransmitted)
	}
	return w.Flush()
}
