package proxy

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

// endpointBuffer is the receive buffer of the conns in the network, whose
// readers only write to sockets.
const endpointBuffer = 16 << 20

// A session is one Serve of a Server.
type session struct {
	*Server
	to      netip.AddrPort
	ctx     context.Context
	cancel  context.CancelFunc
	network *lossy.Network
	conn    net.PacketConn
	host    string // of conn
	done    sync.WaitGroup
	unsent  atomic.Int64

	mu      sync.Mutex
	clients map[netip.AddrPort]*client
	servers map[netip.AddrPort]*server
	noRoom  time.Time // until then it is known that no client makes room
	evicted int
	refused int
	missed  int // at sockets that are closed
}

// A server is an address that clients hear from, as a conn of the network.
type server struct {
	udpAddr  *net.UDPAddr
	endpoint *lossy.Conn
	users    int // clients
}

func newSession(ctx context.Context, p *Server, conn net.PacketConn) (*session, error) {
	s := &session{
		Server:  p,
		to:      unmap(p.To),
		network: lossy.NewNetwork(slices.Concat([]lossy.Option{lossy.ForSockets()}, p.Options)...),
		conn:    conn,
		clients: make(map[netip.AddrPort]*client),
		servers: make(map[netip.AddrPort]*server),
	}
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		s.host = unmap(a.AddrPort()).Addr().String()
	}
	enlarge(conn)
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.use(s.to); err != nil { // until the session ends
		s.cancel()
		return nil, err
	}
	return s, nil
}

// serve reads what the clients send to the conn.
func (s *session) serve() error {
	in := datagram.Open(s.ctx, s.conn, datagram.Config{Local: true})
	defer in.Release()
	for {
		pkts, err := in.Read(time.Time{})
		if err != nil {
			return err
		}
		for _, p := range pkts {
			if c := s.client(p.Addr, p.Local); c != nil {
				c.send(p.Data, s.to)
			}
		}
	}
}

// end closes everything, and waits for all goroutines. The server stays in the
// map, because clients may still have packets of it until their goroutines end.
func (s *session) end() {
	s.cancel()
	s.mu.Lock()
	to := s.servers[s.to]
	s.mu.Unlock()
	to.endpoint.Close()
	s.done.Wait()
	s.mu.Lock()
	s.missed += drops(s.conn)
	s.conn = nil // the caller's again
	s.mu.Unlock()
}

func (s *session) stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := Stats{
		Stats:   s.network.Stats(),
		Clients: len(s.clients),
		Evicted: s.evicted,
		Refused: s.refused,
		Missed:  s.missed + drops(s.conn),
		Unsent:  int(s.unsent.Load()),
	}
	for _, c := range s.clients {
		sum.Missed += c.drops()
	}
	return sum
}

// refuse counts and reports a packet that could not be passed on.
func (s *session) refuse(from netip.AddrPort, err error) {
	s.mu.Lock()
	s.refused++
	s.mu.Unlock()
	if t := s.Trace; t != nil && t.Refused != nil {
		t.Refused(Refusal{Addr: from, Err: err})
	}
}

// client returns the client at an address, which has sent to the address local of this
// host: a new one if need be, or nil if there cannot be one.
func (s *session) client(addr netip.AddrPort, local netip.Addr) *client {
	var err error
	s.mu.Lock()
	c := s.clients[addr]
	if c == nil {
		c, err = s.admit(addr)
	}
	if c != nil {
		c.local = local
	}
	s.mu.Unlock()
	if err != nil {
		s.refuse(addr, err)
	}
	return c
}

// use returns the server at an address for one more client. The lock is held.
func (s *session) use(addr netip.AddrPort) (*server, error) {
	v := s.servers[addr]
	if v == nil {
		endpoint, err := s.open(addr)
		if err != nil {
			return nil, err
		}
		v = &server{udpAddr: net.UDPAddrFromAddrPort(addr), endpoint: endpoint}
		s.servers[addr] = v
		s.done.Go(func() { s.toServer(v) })
	}
	v.users++
	return v, nil
}

// release undoes use. The lock is held.
func (s *session) release(addr netip.AddrPort) {
	v := s.servers[addr]
	if v.users--; v.users == 0 {
		delete(s.servers, addr)
		v.endpoint.Close()
	}
}

// open opens a conn of the network at the address of a client or a server.
func (s *session) open(addr netip.AddrPort) (*lossy.Conn, error) {
	c, err := s.network.NewConn(addr)
	if err != nil {
		return nil, err
	}
	return c, c.SetReadBuffer(endpointBuffer)
}

// toServer takes what arrives in the network for a server, and sends it there
// from the socket of the client that it is from.
func (s *session) toServer(v *server) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := v.endpoint.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		c := s.clients[from]
		s.mu.Unlock()
		if c != nil {
			_, err := c.socket.WriteTo(buf[:n], v.udpAddr)
			s.count(err)
		}
	}
}

// count counts a packet if it could not be sent.
func (s *session) count(err error) {
	if err != nil && s.ctx.Err() == nil {
		s.unsent.Add(1)
	}
}

// unmap gives an IPv4 address its 4-byte form.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
