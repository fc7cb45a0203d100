package lossy

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// proxying is one Serve of a Proxy.
type proxying struct {
	*Proxy
	ctx     context.Context
	cancel  context.CancelFunc
	network *Network
	conn    net.PacketConn
	host    string // of conn
	done    sync.WaitGroup

	mu      sync.Mutex
	clients map[netip.AddrPort]*client
	servers map[netip.AddrPort]*server
}

// A server is an address that clients hear from, as a conn of the network.
type server struct {
	addr    netip.AddrPort
	udpAddr *net.UDPAddr
	inside  *Conn
	users   int // clients
}

func newProxying(ctx context.Context, p *Proxy, conn net.PacketConn) (*proxying, error) {
	to := unmap(p.To)
	c := *p
	c.To = to
	s := &proxying{
		Proxy:   &c,
		network: NewNetwork(append([]Option{optionFunc(func(c *config) { c.proxy = true })}, p.Options...)...),
		conn:    conn,
		clients: make(map[netip.AddrPort]*client),
		servers: make(map[netip.AddrPort]*server),
	}
	if a, ok := udpAddrPort(conn.LocalAddr()); ok {
		s.host = a.Addr().String()
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.use(to); err != nil { // for as long as it serves
		s.cancel()
		return nil, err
	}
	return s, nil
}

// serve reads what the clients send to the conn.
func (s *proxying) serve() error {
	in := datagram.Open(s.ctx, s.conn, datagram.Config{})
	defer in.Release()
	for {
		pkts, err := in.Read(time.Time{})
		if err != nil {
			return err
		}
		for _, p := range pkts {
			if c := s.client(p.Addr); c != nil {
				c.send(p.Data, s.To)
			}
		}
	}
}

// end closes everything, and waits for all goroutines. The server stays among the
// servers, because until they are over clients may still have packets of it.
func (s *proxying) end() {
	s.cancel()
	s.mu.Lock()
	to := s.servers[s.To]
	s.mu.Unlock()
	to.inside.Close()
	s.done.Wait()
}

// refuse tells of a packet that could not be passed on.
func (s *proxying) refuse(from netip.AddrPort, err error) {
	if s.Refused != nil {
		s.Refused(from, err)
	}
}

// client returns the client at an address, a new one if need be, or nil if
// there cannot be one.
func (s *proxying) client(addr netip.AddrPort) *client {
	s.mu.Lock()
	c, err := s.clients[addr], ErrTooMany
	if c == nil && len(s.clients) < s.Proxy.clients() {
		if c, err = s.newClient(addr); c != nil {
			s.clients[addr] = c
		}
	}
	s.mu.Unlock()
	if c == nil {
		s.refuse(addr, err)
	}
	return c
}

// use returns the server at an address for one more client. The lock is held.
func (s *proxying) use(addr netip.AddrPort) (*server, error) {
	v := s.servers[addr]
	if v == nil {
		inside, err := s.open(addr)
		if err != nil {
			return nil, err
		}
		v = &server{addr: addr, udpAddr: net.UDPAddrFromAddrPort(addr), inside: inside}
		s.servers[addr] = v
		s.done.Go(func() { s.toServer(v) })
	}
	v.users++
	return v, nil
}

// release undoes use. The lock is held.
func (s *proxying) release(addr netip.AddrPort) {
	v := s.servers[addr]
	if v.users--; v.users == 0 {
		delete(s.servers, addr)
		v.inside.Close()
	}
}

// open opens a conn of the network at the address of a client or a server.
func (s *proxying) open(addr netip.AddrPort) (*Conn, error) {
	c, err := s.network.NewConn(addr)
	if err != nil {
		return nil, err
	}
	return c, c.SetReadBuffer(proxyBuffer)
}

// toServer takes what arrives in the network for a server, and sends it there
// from the socket of the client that it is from.
func (s *proxying) toServer(v *server) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := v.inside.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		c := s.clients[from]
		s.mu.Unlock()
		if c != nil {
			c.socket.WriteTo(buf[:n], v.udpAddr) // an error is a loss
		}
	}
}
