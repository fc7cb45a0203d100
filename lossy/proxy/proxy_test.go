package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/lossy/proxy"
)

// A proxied is a proxy between conns of a network, which takes the place of the
// real one.
type proxied struct {
	outer  *lossy.Network
	conn   *lossy.Conn // the proxy's
	server *lossy.Conn
	opened []*lossy.Conn // by the proxy
	cancel context.CancelFunc
	done   chan struct{}

	// The results of Serve, after end.
	stats proxy.Stats
	err   error

	mu      sync.Mutex
	refused []string
}

func startProxy(t *testing.T, p *proxy.Server) *proxied {
	t.Helper()
	x := &proxied{outer: lossy.NewNetwork(), done: make(chan struct{})}
	x.conn, x.server = openAt(t, x.outer, addr("10.0.1.1:6900")), openAt(t, x.outer, addr("10.0.2.2:69"))
	p.To = x.server.AddrPort()
	listen := p.ListenPacket
	p.ListenPacket = func(ctx context.Context, network, address string) (net.PacketConn, error) {
		if listen != nil {
			return listen(ctx, network, address)
		}
		c, err := x.outer.NewConn(netip.MustParseAddrPort(address))
		if err != nil {
			return nil, err
		}
		x.opened = append(x.opened, c)
		return c, nil
	}
	trace := p.Trace
	p.Trace = &proxy.Trace{Refused: func(r proxy.Refusal) {
		x.mu.Lock()
		x.refused = append(x.refused, fmt.Sprint(r.Addr, ": ", r.Err))
		x.mu.Unlock()
		if trace != nil {
			trace.Refused(r)
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	x.cancel = cancel
	go func() {
		defer close(x.done)
		x.err = p.Serve(ctx, x.conn)
		x.stats = p.Stats()
	}()
	return x
}

// end stops the proxy and checks that it has closed what it opened.
func (x *proxied) end(t *testing.T) {
	t.Helper()
	x.cancel()
	<-x.done
	if !errors.Is(x.err, context.Canceled) {
		t.Errorf("Serve returned %v", x.err)
	}
	for _, c := range x.opened {
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v was left open", c.AddrPort())
		}
	}
	if _, err := x.conn.WriteTo([]byte("x"), x.server.LocalAddr()); err != nil {
		t.Errorf("the caller's conn is of no use any more: %v", err)
	}
}

// refusals returns what was refused since the last call.
func (x *proxied) refusals() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.refused
	x.refused = nil
	return r
}

// from reads a packet and returns it with the address that it came from.
func from(t *testing.T, c *lossy.Conn) (string, netip.AddrPort) {
	t.Helper()
	buf := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(time.Second))
	n, a, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), a
}

// TestProxy has two clients that talk to a server which answers from its own
// address, and then from others.
func TestProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := startProxy(t, &proxy.Server{Options: []lossy.Option{lossy.Delay(30 * time.Millisecond)}})
		clients := []*lossy.Conn{open(t, x.outer), open(t, x.outer)}
		var seen [2]netip.AddrPort
		for i, c := range clients {
			start := time.Now()
			send(t, c, x.conn, fmt.Sprint("hello from ", i))
			var got string
			if got, seen[i] = from(t, x.server); got != fmt.Sprint("hello from ", i) {
				t.Errorf("the server got %q", got)
			}
			x.server.WriteToUDPAddrPort([]byte("welcome"), seen[i])
			if got, at := from(t, c); got != "welcome" || at != x.conn.AddrPort() {
				t.Errorf("client %d got %q from %v", i, got, at)
			}
			if d := time.Since(start).Truncate(time.Millisecond); d != 60*time.Millisecond {
				t.Errorf("there and back it takes %v, want 60ms", d)
			}
		}
		if seen[0] == seen[1] {
			t.Error("the server takes both clients for one")
		}
		// The change of port, as with TFTP: the client answers where it heard it from.
		port := openAt(t, x.outer, addr("10.0.2.2:2000"))
		for i, c := range clients {
			port.WriteToUDPAddrPort([]byte("data"), seen[i])
			got, face := from(t, c)
			if got != "data" || face == x.conn.AddrPort() || face == port.AddrPort() {
				t.Errorf("client %d got %q from %v", i, got, face)
			}
			c.WriteToUDPAddrPort([]byte("ack"), face)
			if got, at := from(t, port); got != "ack" || at != seen[i] {
				t.Errorf("the other port got %q from %v, want it from %v", got, at, seen[i])
			}
			// Another client does not get through that port.
			clients[1-i].WriteToUDPAddrPort([]byte("I am not the one"), face)
		}
		time.Sleep(time.Second)
		if got := drain(t, port, addr("0.0.0.0:0")); len(got) != 0 {
			t.Errorf("another client's packet came through: %q", got)
		}
		x.end(t)
		if r := x.refusals(); x.stats.Packets != 8 || x.stats.Passed != 8 || len(r) != 0 {
			t.Errorf("statistics are %+v; refused %q", x.stats, r)
		}
	})
}

// TestProxyModels: losses are those of the seed, in either direction, whatever
// the ports are.
func TestProxyModels(t *testing.T) {
	run := func(port uint16, seed uint64) (up, down string) {
		synctest.Test(t, func(t *testing.T) {
			x := startProxy(t, &proxy.Server{Options: []lossy.Option{lossy.Loss(0.3), lossy.Seed(seed)}})
			c := openAt(t, x.outer, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), port))
			for i := range 60 {
				send(t, c, x.conn, string(rune('A'+i)))
				time.Sleep(time.Millisecond)
			}
			buf := make([]byte, 10)
			for {
				x.server.SetReadDeadline(time.Now().Add(time.Millisecond))
				n, a, err := x.server.ReadFromUDPAddrPort(buf)
				if err != nil {
					break
				}
				up += string(buf[:n])
				x.server.WriteToUDPAddrPort(buf[:n], a)
			}
			time.Sleep(time.Second)
			down = strings.Join(drain(t, c, x.conn.AddrPort()), "")
			x.end(t)
		})
		return up, down
	}
	up, down := run(1000, 1)
	if up2, down2 := run(2000, 1); up2 != up || down2 != down {
		t.Errorf("with another port, other packets are lost:\n%s %s\n%s %s", up, down, up2, down2)
	}
	if up2, _ := run(1000, 2); up2 == up {
		t.Error("with another seed, the same packets are lost")
	}
	if len(up) < 30 || len(up) > 55 || len(down) >= len(up) {
		t.Errorf("of 60 arrived %d, of these came back %d", len(up), len(down))
	}
}

// TestProxyIdle: a client is forgotten when it has been silent, and not before.
func TestProxyIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := startProxy(t, &proxy.Server{Idle: time.Minute, MaxClients: 1})
		a, b := open(t, x.outer), open(t, x.outer)
		hello := func(c *lossy.Conn) netip.AddrPort {
			t.Helper()
			send(t, c, x.conn, "hello")
			_, at := from(t, x.server)
			return at
		}
		first := hello(a)
		for range 5 { // what it is sent counts, too
			time.Sleep(59 * time.Second)
			x.server.WriteToUDPAddrPort([]byte("still there?"), first)
			from(t, a)
		}
		time.Sleep(59 * time.Second)
		if again := hello(a); again != first {
			t.Errorf("before a minute of silence the client has another socket")
		}
		time.Sleep(59 * time.Second) // since it sent something
		x.server.WriteToUDPAddrPort([]byte("and now?"), first)
		from(t, a)
		send(t, b, x.conn, "hello")
		time.Sleep(time.Second)
		if r := x.refusals(); len(r) != 1 || !strings.HasSuffix(r[0], ": "+proxy.ErrTooMany.Error()) {
			t.Errorf("a second client: %q", r)
		}
		time.Sleep(time.Minute)
		if second := hello(b); second == first {
			t.Error("another client has the socket of the first")
		}
		x.end(t)
	})
}

// TestProxyRefused has the cases without a socket for a packet.
func TestProxyRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := startProxy(t, &proxy.Server{})
		c := open(t, x.outer)
		send(t, c, x.conn, "hello")
		_, socket := from(t, x.server)
		for i := range 20 { // 15 besides the server itself
			openAt(t, x.outer, netip.AddrPortFrom(addr("10.0.7.7:0").Addr(), uint16(100+i))).WriteToUDPAddrPort([]byte("x"), socket)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if r := x.refusals(); len(r) != 5 {
			t.Errorf("refused are %q, want 5", r)
		}
		// The server as its own client.
		send(t, x.server, x.conn, "hello")
		time.Sleep(time.Second)
		if r := x.refusals(); len(r) != 1 || !strings.Contains(r[0], syscall.EADDRINUSE.Error()) {
			t.Errorf("the server as a client: %q", r)
		}
		x.end(t)
	})
	broken := errors.New("no more sockets")
	synctest.Test(t, func(t *testing.T) {
		x := startProxy(t, &proxy.Server{ListenPacket: func(context.Context, string, string) (net.PacketConn, error) { return nil, broken }})
		c := open(t, x.outer)
		send(t, c, x.conn, "hello")
		time.Sleep(time.Second)
		if r := x.refusals(); len(r) != 1 || !strings.HasSuffix(r[0], broken.Error()) {
			t.Errorf("refused are %q", r)
		}
		x.end(t)
	})
}

// TestProxyEndsUnderTraffic: what a server sent that was read before the end, and not
// passed on before it, does no harm.
func TestProxyEndsUnderTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var x *proxied
		x = startProxy(t, &proxy.Server{Trace: &proxy.Trace{Refused: func(proxy.Refusal) {
			x.cancel()
			synctest.Wait() // until the end waits only for whoever calls this
		}}})
		c := open(t, x.outer)
		send(t, c, x.conn, "hello")
		_, socket := from(t, x.server)
		// These are read together. The client as a server is refused, and comes first.
		c.WriteToUDPAddrPort([]byte("refused"), socket)
		x.server.WriteToUDPAddrPort([]byte("too late"), socket)
		<-x.done
		x.end(t)
		if r := x.refusals(); len(r) != 1 || x.stats.Passed != 1 {
			t.Errorf("refused %q; statistics are %+v", r, x.stats)
		}
	})
}

// TestProxyMistakes: a server that is none, and a conn that is closed.
func TestProxyMistakes(t *testing.T) {
	n := lossy.NewNetwork()
	c := open(t, n)
	for _, to := range []string{"", "10.0.0.1:0"} {
		var p proxy.Server
		if to != "" {
			p.To = addr(to)
		}
		if err := p.Serve(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), "proxy: To is ") {
			t.Errorf("to %q: %v", to, err)
		}
	}
	c.Close()
	if err := (&proxy.Server{To: addr("10.0.0.1:1")}).Serve(t.Context(), c); !errors.Is(err, net.ErrClosed) {
		t.Errorf("with a closed conn: %v", err)
	}
}

// TestProxySockets goes through real sockets, from IPv6 to IPv4.
func TestProxySockets(t *testing.T) {
	conn, err := net.ListenPacket("udp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	defer conn.Close()
	server, client := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "[::1]:0")
	defer server.Close()
	defer client.Close()
	p := &proxy.Server{To: server.LocalAddr().(*net.UDPAddr).AddrPort(), Options: []lossy.Option{lossy.Delay(time.Millisecond)}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Serve(ctx, conn) }()
	for i := range 20 {
		if _, err := client.WriteTo(fmt.Append(nil, i), conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		n, a, err := server.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		server.WriteTo(append(buf[:n:n], '!'), a)
		if got := receive(t, client); got != fmt.Sprint(i, "!") {
			t.Errorf("got %q", got)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
