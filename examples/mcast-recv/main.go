// Mcast-recv prints what is sent to a group, or broadcast to a port.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/multicast"
)

var (
	group   = flag.String("group", "239.255.0.1:11000", "`ADDR:PORT` to receive from: a group, or a broadcast address or 0.0.0.0 for broadcasts")
	iface   = flag.String("iface", "", "`name` of the interface to join on (default: the system's route decides)")
	source  = flag.String("source", "", "receive from this `address` only (source-specific multicast)")
	count   = flag.Int("n", 0, "end after this many packets; 0: no end")
	verbose = flag.Bool("v", false, "print sender, group, interface and TTL of each packet, what is ignored, and warnings")
	key     = seal.New("multicast")
)

func main() { cli.Main("mcast-recv [flags]", run) }

func run(ctx context.Context) error {
	at, m, err := arguments()
	if err != nil {
		return err
	}
	c := multicast.Config{Interface: *iface, Broadcast: !m.Group.IsValid()}
	if *verbose {
		c.Trace = trace()
	}
	conn, err := c.Listen(at)
	if err != nil {
		return err
	}
	defer conn.Close()
	if m.Group.IsValid() {
		if err := conn.Join(m); err != nil {
			return err
		}
	}
	if *verbose {
		fmt.Fprintln(os.Stderr, "receiving at", conn.LocalAddr())
	}
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })()
	read, err := reader(conn)
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	for received := 0; *count == 0 || received < *count; received++ {
		n, from, err := read(buf)
		switch {
		case ctx.Err() != nil:
			return nil // it was to go on until interrupted
		case err != nil:
			return err
		case *verbose:
			fmt.Fprintln(os.Stderr, "from", from)
		}
		fmt.Println(printable.Text(string(buf[:n])))
	}
	return nil
}

// reader returns a function that reads a packet and tells where it is from: with a key, only
// its source.
func reader(conn *multicast.Conn) (read func([]byte) (int, string, error), err error) {
	if on, err := key.On(); !on {
		return func(b []byte) (int, string, error) {
			n, info, err := conn.ReadInfo(b)
			return n, fmt.Sprintf("%v to %v on %s, TTL %d", info.Source, info.Destination, info.Interface, info.TTL), err
		}, err
	}
	sealed, err := key.Wrap(conn)
	if err != nil {
		return nil, err
	}
	return func(b []byte) (int, string, error) {
		n, from, err := sealed.ReadFrom(b)
		return n, fmt.Sprint(from), err
	}, nil
}

// arguments returns where to listen and what to join; no group for broadcasts.
func arguments() (at netip.AddrPort, m multicast.Membership, err error) {
	to, err := netip.ParseAddrPort(*group)
	if err != nil || flag.NArg() > 0 || *count < 0 {
		return at, m, cli.Usagef("want -group ADDR:PORT, -n from 0 on, and no arguments")
	}
	if a := to.Addr(); !a.IsMulticast() && a != netip.IPv4Unspecified() && !multicast.IsBroadcast(a) {
		return at, m, cli.Usagef("-group %s: not a multicast group, not 0.0.0.0, and not a broadcast address of an interface of this host", *group)
	}
	anywhere := netip.IPv4Unspecified()
	if to.Addr().Is6() {
		anywhere = netip.IPv6Unspecified()
	}
	if to.Addr().IsMulticast() {
		m.Group = to.Addr()
	}
	if *source != "" {
		from, err := netip.ParseAddr(*source)
		if err != nil || !m.Group.IsValid() {
			return at, m, cli.Usagef("-source %s: want an address, and a group", *source)
		}
		m.Include = []netip.Addr{from}
	}
	return netip.AddrPortFrom(anywhere, to.Port()), m, nil
}

func trace() *multicast.Trace {
	return &multicast.Trace{
		Reserved:      func(g netip.Addr) { fmt.Fprintln(os.Stderr, g, "is in a reserved block (RFC 5771)") },
		InterfaceLost: func(m multicast.Membership) { fmt.Fprintln(os.Stderr, "interface", m.Interface, "has gone") },
		Rejoined: func(m multicast.Membership, err error) {
			if err == nil {
				fmt.Fprintln(os.Stderr, "interface", m.Interface, "is back")
			}
		},
		Ignored: func(i multicast.Info) {
			fmt.Fprintf(os.Stderr, "ignored a packet from %v to %v\n", i.Source, i.Destination)
		},
	}
}
