// Package cli holds what all example mains share: flags, exit status, the end on
// an interrupt, addresses.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/multicast"
)

// Stdout and Stderr are for text that may come from the network.
var (
	Stdout = printable.Writer(os.Stdout)
	Stderr = printable.Writer(os.Stderr)
)

// A usageError is a mistake on the command line.
type usageError struct{ error }

// Usagef returns an error that makes Main print it, and exit with status 2.
func Usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// Main runs a program: it parses flags, and calls run with a context that an
// interrupt or a request to terminate ends; a second one ends the program. An error goes to standard error, with exit status 1, or 2 if
// it is about usage.
func Main(synopsis string, run func(ctx context.Context) error) {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s\n", synopsis)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, printable.Error(err))
	var usage usageError
	if errors.As(err, &usage) {
		flag.Usage()
		os.Exit(2)
	}
	os.Exit(1)
}

// Probability checks the value of a flag.
func Probability(name string, p float64) error {
	if !(p >= 0 && p <= 1) {
		return Usagef("-%s %v: want a probability from 0 to 1", name, p)
	}
	return nil
}

// Resolve looks up HOST:PORT arguments.
func Resolve(hosts []string) ([]netip.AddrPort, error) {
	addrs := make([]netip.AddrPort, len(hosts))
	for i, h := range hosts {
		a, err := net.ResolveUDPAddr("udp", h)
		if err != nil {
			return nil, err
		}
		if a.IP == nil {
			return nil, Usagef("%s: want HOST:PORT", h)
		}
		// As packets will have it that come from there: not IPv4 in IPv6.
		addrs[i] = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	return addrs, nil
}

// ListenGroup opens a conn for a multicast group at an address of this host, joined or not.
// Where config names no interface the system's route decides.
func ListenGroup(config multicast.Config, group, at string, join bool) (*multicast.Conn, netip.AddrPort, error) {
	to, err := netip.ParseAddrPort(group)
	if err != nil || !to.Addr().IsMulticast() || to.Port() == 0 {
		return nil, to, Usagef("-group %s: want ADDR:PORT of a multicast group", group)
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return nil, to, err
	}
	if host == "" {
		if host = "0.0.0.0"; to.Addr().Is6() {
			host = "::"
		}
	}
	local, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return nil, to, Usagef("%s: want ADDR:PORT of this host", at)
	}
	var groups []multicast.Membership
	if join {
		groups = append(groups, multicast.Membership{Group: to.Addr()})
	}
	config.Unicast = true
	conn, err := config.Listen(local, groups...)
	return conn, to, err
}
