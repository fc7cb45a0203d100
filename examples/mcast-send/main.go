// Mcast-send sends each of its arguments, or each line of standard input, to a group or a
// broadcast address.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/multicast"
)

var (
	group    = flag.String("group", "239.255.0.1:11000", "`ADDR:PORT` to send to: a group or a broadcast address")
	iface    = flag.String("iface", "", "`name` of the interface to send through (default: the system's route decides)")
	ttl      = flag.Int("ttl", 1, "how many `hops` a packet may take; 0: none, it does not leave this host")
	loopback = flag.Bool("loopback", true, "let programs on this host hear what is sent")
	verbose  = flag.Bool("v", false, "print what is sent, and a warning if the group is reserved")
	key      = seal.New("multicast")
)

func main() { cli.Main("mcast-send [flags] [TEXT...]", run) }

func run(ctx context.Context) error {
	to, err := netip.ParseAddrPort(*group)
	if err != nil || to.Port() == 0 {
		return cli.Usagef("-group %s: want ADDR:PORT", *group)
	}
	if *ttl < 0 || *ttl > 255 {
		return cli.Usagef("-ttl %d: want 0 to 255", *ttl)
	}
	if !to.Addr().IsMulticast() && !multicast.IsBroadcast(to.Addr()) {
		return cli.Usagef("-group %s: not a multicast group, and not a broadcast address of an interface of this host", *group)
	}
	c := multicast.Config{Interface: *iface, TTL: *ttl, NoLoopback: !*loopback, Trace: &multicast.Trace{}}
	if *ttl == 0 {
		c.TTL = -1
	}
	if *verbose {
		c.Trace.Reserved = func(g netip.Addr) { fmt.Fprintln(os.Stderr, g, "is in a reserved block (RFC 5771)") }
	}
	anywhere := netip.IPv4Unspecified()
	if to.Addr().Is6() {
		anywhere = netip.IPv6Unspecified()
	}
	conn, err := c.Listen(netip.AddrPortFrom(anywhere, 0))
	if err != nil {
		return err
	}
	sealed, err := key.Wrap(conn)
	if err != nil {
		return err
	}
	defer sealed.Close()
	return send(ctx, sealed, net.UDPAddrFromAddrPort(to))
}

// send sends the texts until there are no more, or ctx ends.
func send(ctx context.Context, conn net.PacketConn, to net.Addr) error {
	texts, failed := make(chan string), make(chan error, 1)
	go func() { failed <- read(texts) }()
	for {
		select {
		case text := <-texts:
			if _, err := conn.WriteTo([]byte(text), to); err != nil {
				return err
			}
			if *verbose {
				fmt.Fprintf(os.Stderr, "sent %q to %v\n", text, to)
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// read passes on the arguments, or the lines of standard input.
func read(to chan<- string) error {
	for _, text := range flag.Args() {
		to <- text
	}
	if flag.NArg() > 0 {
		return nil
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		to <- in.Text()
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	return nil
}
