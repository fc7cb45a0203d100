package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/directory/chord"
	"github.com/ferrygo/ferry/directory/fetch"
	"github.com/ferrygo/ferry/directory/gnutella"
	"github.com/ferrygo/ferry/examples/internal/cli"
)

var (
	overlay       = flag.String("overlay", "central", "the `KIND` of network in which peers find each other: central (-directory), chord or gnutella")
	join          = flag.String("join", "", "with -overlay, `HOST:PORT,...` of peers to join through; without any, begin a new network")
	overlayListen = flag.String("overlay-listen", "", "with -overlay, the `address` for other peers (default port 7777 at -listen's address; a free port with -find, -get and -view)")
)

// A network is how this peer finds others, and is found.
type network struct {
	fetch.Locator
	directory.Publisher
	lookup    func(ctx context.Context, name string) ([]netip.AddrPort, error)
	view      func(ctx context.Context, w io.Writer) error
	addr      netip.AddrPort // printed with each request
	transport http.RoundTripper
	closers   []io.Closer

	node *gnutella.Node                  // for its Handler
	run  func(ctx context.Context) error // nil if there is nothing to run
	done chan error
}

// central is the network of a directory.
func central(c *directory.Client) *network {
	return &network{
		Locator: c, Publisher: c, lookup: c.Lookup, addr: c.Directory,
		view: func(ctx context.Context, w io.Writer) error { return show(ctx, w, c) },
	}
}

// openOverlay opens a network without a directory. A guest asks, and is not asked.
func openOverlay(guest bool) (*network, error) {
	known, err := cli.Resolve(fields(*join), chord.DefaultPort)
	if err != nil {
		return nil, err
	}
	if guest && *view {
		return nil, cli.Usagef("-view goes with -overlay central; in the menu of a peer, 6 shows its neighbours")
	}
	if guest && len(known) == 0 {
		return nil, cli.Usagef("-overlay %s needs -join with -view, -find and -get", *overlay)
	}
	at, err := overlayAddr(guest, known)
	if err != nil {
		return nil, err
	}
	switch *overlay {
	case "chord":
		return openChord(guest, at, known)
	case "gnutella":
		return openGnutella(at, known)
	}
	return nil, cli.Usagef("-overlay %s: want central, chord or gnutella", *overlay)
}

func openChord(guest bool, at netip.AddrPort, known []netip.AddrPort) (*network, error) {
	conn, err := key.ListenPacket("udp", at.String())
	if err != nil {
		return nil, err
	}
	n := &chord.Node{Conn: conn, Join: known, Observe: guest}
	if *verbose {
		n.Trace = chord.LogTrace(logger())
	}
	return &network{
		Locator: n, Publisher: n, lookup: first(n), addr: addrOf(conn.LocalAddr()), run: n.Serve, closers: []io.Closer{conn},
		view: func(ctx context.Context, w io.Writer) error {
			s := n.Stats()
			fmt.Fprintf(w, "predecessor %v\nsuccessors %v\nkeeps %d names of %d holders\n", s.Predecessor, s.Successors, s.Keys, s.Holders)
			return nil
		},
	}, nil
}

func openGnutella(at netip.AddrPort, known []netip.AddrPort) (*network, error) {
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, err
	}
	n := &gnutella.Node{Listener: l, Join: known}
	if *verbose {
		n.Trace = gnutella.LogTrace(logger())
	}
	return &network{
		Locator: n, Publisher: n, lookup: first(n), addr: addrOf(l.Addr()), transport: n.Transport(), node: n, run: n.Serve, closers: []io.Closer{l},
		view: func(ctx context.Context, w io.Writer) error {
			s := n.Stats()
			fmt.Fprintf(w, "neighbours %v\n%d messages received, %d forwarded, %d duplicates\n", s.Links, s.Received, s.Forwarded, s.Duplicates)
			return nil
		},
	}, nil
}

// start runs the network until ctx ends.
func (n *network) start(ctx context.Context) {
	n.done = make(chan error, 1)
	if n.run == nil {
		n.done <- nil
		return
	}
	go func() { n.done <- n.run(ctx) }()
	fmt.Fprintf(os.Stderr, "%s at %v\n", *overlay, n.addr)
}

// close waits for the end of the network, whose context has ended.
func (n *network) close() error {
	var err error
	if n.done != nil {
		if err = <-n.done; errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	for _, c := range n.closers {
		c.Close()
	}
	return err
}

// moreSources is how long -find and the menu wait for more sources after the first.
const moreSources = 5 * time.Second

// first returns a function that lists the sources that a locator finds in some seconds.
func first(l fetch.Locator) func(ctx context.Context, name string) ([]netip.AddrPort, error) {
	return func(ctx context.Context, name string) (found []netip.AddrPort, err error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for s, err := range l.Locate(ctx, name) {
			if err != nil {
				if len(found) > 0 && ctx.Err() != nil {
					break
				}
				return found, err
			}
			if found = append(found, s.Addr); len(found) == 1 {
				defer time.AfterFunc(moreSources, cancel).Stop()
			}
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%q: %w", name, fetch.ErrNoSource)
		}
		return found, nil
	}
}

// overlayAddr is the address for other peers. It names a host, because others are told of it.
func overlayAddr(guest bool, known []netip.AddrPort) (netip.AddrPort, error) {
	host, port := "", "0"
	if !guest {
		host, _, _ = net.SplitHostPort(*listen)
		port = fmt.Sprint(chord.DefaultPort)
	}
	if *overlayListen != "" {
		h, p, err := net.SplitHostPort(*overlayListen)
		if err != nil {
			return netip.AddrPort{}, cli.Usagef("-overlay-listen: %v", err)
		}
		host, port = h, p
	}
	a, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, port))
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip := a.AddrPort().Addr().Unmap()
	if !ip.IsValid() || ip.IsUnspecified() {
		if ip, err = ownAddr(known); err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(ip, a.AddrPort().Port()), nil
}

// ownAddr is this host's address on the way to the first of known, or its first address that is not a loopback one.
func ownAddr(known []netip.AddrPort) (netip.Addr, error) {
	if len(known) > 0 {
		c, err := net.Dial("udp", known[0].String()) // no packet is sent
		if err != nil {
			return netip.Addr{}, err
		}
		defer c.Close()
		return addrOf(c.LocalAddr()).Addr(), nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			return p.Addr().Unmap(), nil
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
}

func addrOf(a net.Addr) netip.AddrPort {
	p, _ := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// fields are the parts of a list with commas.
func fields(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
