package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

// A client is an address that sends to the proxy.
type client struct {
	*session
	addr     netip.AddrPort
	udpAddr  *net.UDPAddr
	ctx      context.Context
	cancel   context.CancelFunc
	endpoint *lossy.Conn    // the client in the network
	socket   net.PacketConn // towards the server

	began    time.Time
	last     atomic.Int64 // when it last sent or was sent anything: Unix nanoseconds
	answered atomic.Bool  // it was sent something
	proven   atomic.Bool  // it has sent something since

	// The lock of the session guards what follows.
	local   netip.Addr               // the address of this host that the client sends to
	ports   map[netip.AddrPort]*port // from which the client hears each address of a server
	removed bool
}

// A port is a conn of the proxy as one client's goroutine writes to it.
type port struct {
	net.PacketConn
	batch datagram.BatchWriter // nil if it has none
	buf   [1][]byte
	to    [1]netip.AddrPort
	local [1]netip.Addr
}

func newPort(pc net.PacketConn) *port {
	_, batch := datagram.Batches(pc)
	return &port{PacketConn: pc, batch: batch}
}

// write sends a packet from an address of this host, if the conn can choose.
func (p *port) write(b []byte, to *net.UDPAddr, local netip.Addr) error {
	if p.batch == nil {
		_, err := p.WriteTo(b, to)
		return err
	}
	p.buf[0], p.to[0], p.local[0] = b, to.AddrPort(), local
	_, err := p.batch.WriteBatch(p.buf[:], p.to[:], p.local[:])
	return err
}

// newClient opens a client and starts its goroutines. The lock is held.
func (s *session) newClient(addr netip.AddrPort) (*client, error) {
	if s.ctx.Err() != nil {
		return nil, s.ctx.Err()
	}
	host := "0.0.0.0"
	if s.to.Addr().Is6() {
		host = "::"
	}
	socket, err := s.listen(s.ctx, host)
	if err != nil {
		return nil, err
	}
	endpoint, err := s.open(addr)
	if err != nil {
		socket.Close()
		return nil, err
	}
	c := &client{
		session:  s,
		addr:     addr,
		udpAddr:  net.UDPAddrFromAddrPort(addr),
		endpoint: endpoint,
		socket:   socket,
		began:    time.Now(),
		ports:    map[netip.AddrPort]*port{s.to: newPort(s.conn)},
	}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.touch()
	s.done.Go(c.fromServers)
	s.done.Go(c.toClient)
	return c, nil
}

// touch notes that the client is in use.
func (c *client) touch() { c.last.Store(time.Now().UnixNano()) }

// expires returns when the client will have been idle for too long, zero for never.
func (c *client) expires() time.Time {
	if c.idle() < 0 {
		return time.Time{}
	}
	return time.Unix(0, c.last.Load()).Add(c.idle())
}

// send writes a packet of the client to the network.
func (c *client) send(b []byte, to netip.AddrPort) {
	c.touch()
	if c.answered.Load() {
		c.proven.Store(true)
	}
	c.endpoint.WriteToUDPAddrPort(b, to)
}

// fromServers takes what servers send to the client's socket, until the client
// has been idle for too long, makes room, or the session ends. Then it removes the
// client.
func (c *client) fromServers() {
	in := datagram.Open(c.ctx, c.socket, datagram.Config{Batch: 8})
	for {
		pkts, err := in.Read(c.expires())
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(c.expires()) {
			continue
		}
		if err != nil {
			break
		}
		for _, p := range pkts {
			c.touch()
			v, err := c.server(p.Addr)
			if err != nil {
				c.refuse(p.Addr, err)
				continue
			}
			v.endpoint.WriteToUDPAddrPort(p.Data, c.addr)
		}
	}
	in.Release()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove()
}

// server returns the server at an address, and opens a port from which the
// client will hear it, if it has none.
func (c *client) server(addr netip.AddrPort) (*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.removed:
		return nil, net.ErrClosed
	case c.ports[addr] != nil:
		return c.servers[addr], nil
	case len(c.ports) >= maxPorts:
		return nil, ErrTooMany
	}
	port, err := c.listen(c.ctx, c.host)
	if err != nil {
		return nil, err
	}
	v, err := c.use(addr)
	if err != nil {
		port.Close()
		return nil, err
	}
	c.ports[addr] = newPort(port)
	c.done.Go(func() { c.fromClient(port, addr) })
	return v, nil
}

// fromClient takes what the client sends to one of its ports.
func (c *client) fromClient(port net.PacketConn, to netip.AddrPort) {
	in := datagram.Open(c.ctx, port, datagram.Config{Batch: 8})
	defer in.Release()
	for {
		pkts, err := in.Read(time.Time{})
		if err != nil {
			return
		}
		for _, p := range pkts {
			if p.Addr == c.addr {
				c.send(p.Data, to)
			}
		}
	}
}

// toClient takes what arrives in the network for the client.
func (c *client) toClient() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.endpoint.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		port, local := c.ports[from], c.local
		c.mu.Unlock()
		if port != nil {
			c.answered.Store(true)
			c.count(port.write(buf[:n], c.udpAddr, local))
		}
	}
}

// remove ends a client: its place, its descriptors and its address in the network
// are free at once, and its goroutines end. The lock is held.
func (c *client) remove() {
	if c.removed {
		return
	}
	c.removed = true
	c.missed += c.drops()
	delete(c.clients, c.addr)
	c.cancel()
	c.endpoint.Close()
	c.socket.Close()
	for addr, port := range c.ports {
		if addr != c.to {
			port.Close()
			c.release(addr)
		}
	}
}

// drops returns how many packets the system dropped at the client's sockets. The
// lock is held.
func (c *client) drops() (n int) {
	n = drops(c.socket)
	for addr, port := range c.ports {
		if addr != c.to {
			n += drops(port.PacketConn)
		}
	}
	return n
}
