package lossy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A client is one of a Proxy.
type client struct {
	*proxying
	addr    netip.AddrPort
	udpAddr *net.UDPAddr
	ctx     context.Context
	cancel  context.CancelFunc
	inside  *Conn          // the client in the network
	socket  net.PacketConn // towards the server
	last    atomic.Int64   // when it was last sent or sent anything: Unix nanoseconds

	// faces are the conns from which the client hears the server's addresses.
	// The lock of the proxying guards them.
	faces map[netip.AddrPort]net.PacketConn
}

// newClient starts what passes on the packets of a client. The lock is held.
func (s *proxying) newClient(addr netip.AddrPort) (*client, error) {
	if s.ctx.Err() != nil {
		return nil, s.ctx.Err()
	}
	host := "0.0.0.0"
	if s.To.Addr().Is6() {
		host = "::"
	}
	socket, err := s.listen(s.ctx, host)
	if err != nil {
		return nil, err
	}
	inside, err := s.open(addr)
	if err != nil {
		socket.Close()
		return nil, err
	}
	c := &client{
		proxying: s,
		addr:     addr,
		udpAddr:  net.UDPAddrFromAddrPort(addr),
		inside:   inside,
		socket:   socket,
		faces:    map[netip.AddrPort]net.PacketConn{s.To: s.conn},
	}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.touch()
	s.done.Go(c.fromServers)
	s.done.Go(c.toClient)
	return c, nil
}

// touch notes that the client is in use.
func (c *client) touch() { c.last.Store(time.Now().UnixNano()) }

// expires is when the client will have been idle for too long.
func (c *client) expires() time.Time { return time.Unix(0, c.last.Load()).Add(c.idle()) }

// send lets a packet of the client go through the network.
func (c *client) send(b []byte, to netip.AddrPort) {
	c.touch()
	c.inside.WriteToUDPAddrPort(b, to)
}

// fromServers takes what servers send to the client's socket, until the client
// is idle for too long or all ends; and then forgets the client.
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
			v.inside.WriteToUDPAddrPort(p.Data, c.addr)
		}
	}
	in.Release()
	c.forget()
}

// server returns the server at an address, and opens a conn from which the
// client will hear it, if it has none.
func (c *client) server(addr netip.AddrPort) (*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faces[addr] != nil {
		return c.servers[addr], nil
	}
	if len(c.faces) >= maxFaces {
		return nil, ErrTooMany
	}
	face, err := c.listen(c.ctx, c.host)
	if err != nil {
		return nil, err
	}
	v, err := c.use(addr)
	if err != nil {
		face.Close()
		return nil, err
	}
	c.faces[addr] = face
	c.done.Go(func() { c.fromClient(face, addr) })
	return v, nil
}

// fromClient takes what the client sends to one of its faces.
func (c *client) fromClient(face net.PacketConn, to netip.AddrPort) {
	defer face.Close()
	in := datagram.Open(c.ctx, face, datagram.Config{Batch: 8})
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
		n, from, err := c.inside.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		face := c.faces[from]
		c.mu.Unlock()
		if face != nil {
			face.WriteTo(buf[:n], c.udpAddr) // an error is a loss
		}
	}
}

// forget ends what newClient began.
func (c *client) forget() {
	c.cancel()
	c.inside.Close()
	c.socket.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.clients, c.addr)
	for addr := range c.faces {
		if addr != c.To {
			c.release(addr)
		}
	}
}
