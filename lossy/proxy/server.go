package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A Server passes packets on between clients and the server at To, through a
// [lossy.Network]. The fields must not change while a Serve is under way. To must
// be set; the zero value of every other field works. A Server must not be copied.
type Server struct {
	// To is the address of the server.
	To netip.AddrPort

	// Options are those of [lossy.NewNetwork]. The Network has the addresses of the
	// clients and of the server, which a [lossy.Trace] shows.
	Options []lossy.Option

	// ListenPacket opens the sockets towards the server, and those from which a
	// client hears the server's other addresses. If it is nil, they are sockets
	// of the system.
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)

	// MaxClients is the maximum number of clients at a time, 1000 if it is 0. A
	// negative number means no limit.
	MaxClients int

	// Idle is for how long a client is remembered that neither sends nor is sent
	// anything: 5 minutes if it is 0 (RFC 4787, REQ-5). A negative time means no
	// limit.
	Idle time.Duration

	// Trace reports what the proxy itself could not do. It may be nil.
	Trace *Trace

	mu      sync.Mutex
	session *session // the last Serve, whether it has ended or not
}

// A Trace has functions that the proxy calls, any of which may be nil. Several
// goroutines may call them at once.
type Trace struct {
	// Refused is called for every packet that was dropped because there was no
	// place or no socket for it.
	Refused func(Refusal)
}

// A Refusal describes a packet that was dropped.
type Refusal struct {
	Addr netip.AddrPort // the sender: a client, or an address that a server answers from
	Err  error          // the reason
}

// Stats counts what happened to the packets of a Serve.
type Stats struct {
	lossy.Stats // in the network

	Clients int // clients now
	Evicted int // clients that made room for others
	Refused int // packets for which there was no place or no socket
	Missed  int // packets that the system dropped because a receive buffer was full; counted on Linux
	Unsent  int // packets that the system refused to send
}

// ErrTooMany is the reason of a [Refusal] when there are too many clients, or when a
// client hears from too many addresses.
var ErrTooMany = errors.New("proxy: too many clients, or too many addresses that answer one client")

const (
	defaultMaxClients = 1000
	defaultIdle       = 5 * time.Minute

	// maxPorts bounds the addresses that one client hears from.
	maxPorts = 16
)

// Serve passes packets on between the clients of conn and the server, until the
// context ends or conn fails, and returns the reason. Packets on their way are
// lost at the end. The conn stays the caller's.
func (p *Server) Serve(ctx context.Context, conn net.PacketConn) error {
	if !p.To.Addr().IsValid() || p.To.Port() == 0 {
		return fmt.Errorf("proxy: To is %v; it must be the address of a server", p.To)
	}
	s, err := newSession(ctx, p, conn)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.session = s
	p.mu.Unlock()
	err = s.serve()
	s.end()
	return err
}

// Stats returns the counts of the Serve under way, or of the last one.
func (p *Server) Stats() Stats {
	p.mu.Lock()
	s := p.session
	p.mu.Unlock()
	if s == nil {
		return Stats{}
	}
	return s.stats()
}

func (p *Server) maxClients() int {
	if p.MaxClients == 0 {
		return defaultMaxClients
	}
	return p.MaxClients
}

func (p *Server) idle() time.Duration {
	if p.Idle == 0 {
		return defaultIdle
	}
	return p.Idle
}

// listen opens a socket at a host, with a large receive buffer.
func (p *Server) listen(ctx context.Context, host string) (net.PacketConn, error) {
	address := net.JoinHostPort(host, "0")
	listen := p.ListenPacket
	if listen == nil {
		listen = new(net.ListenConfig).ListenPacket
	}
	pc, err := listen(ctx, "udp", address)
	if err == nil {
		enlarge(pc)
	}
	return pc, err
}
