package lossy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// A Proxy puts a bad network between UDP clients and a server, real programs
// both. Clients talk to the proxy instead of the server:
//
//	client  <--->  conn | Network: Options | socket  <--->  server
//	client  <--->  conn |   both ways      | socket  <--->  server
//
// Each client has a socket of its own towards the server, so that the server
// tells them apart. When the server answers from an address other than To, as
// TFTP does with a port for each transfer, the client gets that from another
// port of the proxy, through which it reaches that address.
//
// The fields must not change while a Serve is under way. The zero value is of no
// use: a server must be given.
type Proxy struct {
	// To is the server.
	To netip.AddrPort

	// Options are those of [NewNetwork]. The Network has the addresses of the
	// clients and of the server, which a [Trace] and a [Capture] show. Random
	// numbers depend on the [Seed] and on the order in which flows appear, not
	// on the addresses.
	Options []Option

	// ListenPacket opens the sockets towards the server, and those from which a
	// client hears the server's other addresses. If it is nil, those are
	// sockets of the system.
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)

	// Clients is how many there may be at once, 1000 if it is 0.
	Clients int

	// Idle is for how long a client is remembered that neither sends nor is sent
	// anything: 5 minutes if it is 0 (RFC 4787, REQ-5).
	Idle time.Duration

	// Refused, unless nil, is told of every packet that was dropped because
	// there was no socket for it. It may be called by several goroutines at
	// once.
	Refused func(from netip.AddrPort, err error)
}

// ErrTooMany is what [Proxy.Refused] is told when there are too many clients,
// or when a client hears from too many addresses.
var ErrTooMany = errors.New("lossy: the proxy has too many clients")

const (
	defaultClients = 1000
	defaultIdle    = 5 * time.Minute

	// maxFaces bounds the addresses that one client hears from.
	maxFaces = 16

	// proxyBuffer is that of the conns in the network, whose readers only
	// write to sockets.
	proxyBuffer = 16 << 20
)

// Serve passes packets on between the clients of conn and the server, until the
// context ends or conn fails; it then returns why, and what became of the
// packets. Packets on their way are lost at the end. The conn stays the
// caller's.
func (p *Proxy) Serve(ctx context.Context, conn net.PacketConn) (Stats, error) {
	if !p.To.Addr().IsValid() || p.To.Port() == 0 {
		return Stats{}, fmt.Errorf("lossy: Proxy: %v is not the address of a server", p.To)
	}
	s, err := newProxying(ctx, p, conn)
	if err != nil {
		return Stats{}, err
	}
	err = s.serve()
	s.end()
	return s.network.Stats(), err
}

func (p *Proxy) clients() int {
	if p.Clients > 0 {
		return p.Clients
	}
	return defaultClients
}

func (p *Proxy) idle() time.Duration {
	if p.Idle > 0 {
		return p.Idle
	}
	return defaultIdle
}

func (p *Proxy) listen(ctx context.Context, host string) (net.PacketConn, error) {
	address := net.JoinHostPort(host, "0")
	if p.ListenPacket != nil {
		return p.ListenPacket(ctx, "udp", address)
	}
	return new(net.ListenConfig).ListenPacket(ctx, "udp", address)
}
