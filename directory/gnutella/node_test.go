package gnutella

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A town is a network of pipes. It lives in a synctest bubble.
type town struct {
	t         *testing.T
	mu        sync.Mutex
	listeners map[netip.AddrPort]*listener
	nodes     []*resident
	blocked   map[netip.AddrPort]bool // cannot be dialled
}

type listener struct {
	town  *town
	addr  netip.AddrPort
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

type pipeConn struct {
	net.Conn
	local, remote netip.AddrPort
}

func (c pipeConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c pipeConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	l.town.mu.Lock()
	defer l.town.mu.Unlock()
	delete(l.town.listeners, l.addr)
	return nil
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

func (v *town) listen(addr netip.AddrPort) *listener {
	l := &listener{town: v, addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.listeners[addr] = l
	return l
}

func (v *town) dialFrom(ip netip.Addr) func(context.Context, netip.AddrPort) (net.Conn, error) {
	port := uint16(40000)
	return func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		v.mu.Lock()
		l := v.listeners[to]
		port++
		from := netip.AddrPortFrom(ip, port)
		blocked := v.blocked[to]
		v.mu.Unlock()
		if l == nil || blocked {
			return nil, errors.New("connection refused")
		}
		a, b := net.Pipe()
		select {
		case l.conns <- pipeConn{b, to, from}:
			return pipeConn{a, from, to}, nil
		case <-l.done:
			return nil, errors.New("connection refused")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type resident struct {
	*Node
	ip    netip.Addr
	l     *listener
	stop  context.CancelFunc
	ended chan error
}

func newTown(t *testing.T) *town {
	return &town{t: t, listeners: make(map[netip.AddrPort]*listener), blocked: make(map[netip.AddrPort]bool)}
}

// start starts a node, which joins through one of those that are there.
func (v *town) start(n *Node) *resident {
	i := len(v.nodes) + 1
	r := &resident{Node: n, ip: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), ended: make(chan error, 1)}
	r.l = v.listen(netip.AddrPortFrom(r.ip, DefaultPort))
	n.Listener, n.Dial = r.l, v.dialFrom(r.ip)
	if i > 1 {
		n.Join = []netip.AddrPort{netip.AddrPortFrom(v.nodes[(i-2)/2].ip, DefaultPort)}
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	stopListening := context.AfterFunc(ctx, func() { r.l.Close() })
	go func() {
		defer stopListening()
		r.ended <- n.Serve(ctx)
	}()
	v.nodes = append(v.nodes, r)
	return r
}

func (r *resident) end() {
	r.stop()
	<-r.ended
}

func (v *town) close() {
	for _, r := range v.nodes {
		if r.Node != nil {
			r.end()
		}
	}
}

func (v *town) find(from *resident, name string) map[netip.AddrPort]bool {
	found := make(map[netip.AddrPort]bool)
	for s, err := range from.Locate(context.Background(), name) {
		if err != nil {
			v.t.Errorf("locate %q: %v", name, err)
			break
		}
		found[s.Addr] = true
	}
	return found
}

// TestFindEverything: every file is found from every node, and still when a third of the nodes has ended.
func TestFindEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t)
		defer v.close()
		const n = 30
		for i := range n {
			r := v.start(&Node{})
			r.Publish(context.Background(), netip.AddrPortFrom(netip.IPv4Unspecified(), 8080), []string{fmt.Sprintf("file %d", i), "everybody's"})
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		check := func(from *resident) {
			for i, r := range v.nodes {
				if r.Node == nil || r == from {
					continue
				}
				want := netip.AddrPortFrom(r.ip, 8080)
				if got := v.find(from, fmt.Sprintf("file %d", i)); len(got) != 1 || !got[want] {
					t.Errorf("file %d: %v, want %v", i, got, want)
				}
			}
		}
		check(v.nodes[0])
		check(v.nodes[n-1])
		if got := v.find(v.nodes[7], "everybody's"); len(got) != n-1 {
			t.Errorf("%d of %d have everybody's file", len(got), n-1)
		}
		begun := time.Now()
		if got := v.find(v.nodes[7], "nobody's"); len(got) != 0 || time.Since(begun) > 15*time.Second {
			t.Errorf("%v have nobody's file, after %v", got, time.Since(begun))
		}
		if got := v.find(v.nodes[7], ""); len(got) != 0 {
			t.Errorf("%v answer an empty query", got)
		}
		for i := 1; i < n; i += 3 {
			v.nodes[i].end()
			v.nodes[i].Node = nil
		}
		time.Sleep(time.Minute)
		check(v.nodes[0])
	})
}

// TestPush: a holder that cannot be connected to connects to the node that wants the file.
func TestPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t)
		defer v.close()
		files := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "contents of "+r.URL.Path) })
		for range 4 {
			v.start(&Node{Handler: Requests(files)})
		}
		time.Sleep(10 * time.Second)
		holder, asker := v.nodes[3], v.nodes[1]
		holder.Publish(context.Background(), netip.AddrPortFrom(netip.IPv4Unspecified(), 8080), []string{"a", "new.txt"})
		time.Sleep(time.Second)
		found := v.find(asker, "new.txt")
		at := netip.AddrPortFrom(holder.ip, 8080)
		if !found[at] {
			t.Fatalf("holders: %v", found)
		}
		transport := asker.Transport().(*http.Transport)
		defer transport.CloseIdleConnections()
		client := http.Client{Transport: transport}
		for _, path := range []string{"/new.txt", "/get/1/new.txt/"} {
			response, err := client.Get("http://" + at.String() + path)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if string(body) != "contents of /new.txt" {
				t.Errorf("%s: body %q", path, body)
			}
		}
	})
}

// raw connects to a node and sends a greeting.
func (v *town) raw(to *resident, greeting string) net.Conn {
	conn, err := v.dialFrom(netip.MustParseAddr("10.9.9.9"))(context.Background(), netip.AddrPortFrom(to.ip, DefaultPort))
	if err != nil {
		v.t.Fatal(err)
	}
	go io.WriteString(conn, greeting)
	return conn
}

// TestOffenders: malformed messages, floods and wrong handshakes cost the connection, and nothing else.
func TestOffenders(t *testing.T) {
	flood := func(c net.Conn) {
		for i := 0; ; i++ {
			m := Message{ID: GUID{byte(i), byte(i >> 8), byte(i >> 16)}, Type: Query, TTL: 7, Text: "x"}
			b, _ := m.AppendBinary(nil)
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		greeting string
		then     func(net.Conn)
	}{
		"no handshake":    {"GET / HTTP/1.0\r\n\r\n", nil},
		"another version": {"GNUTELLA CONNECT/0.6\n\n", nil},
		"endless":         {string(make([]byte, 1000)), nil},
		"too long":        {connectText, func(c net.Conn) { c.Write(append(make([]byte, 19), 255, 255, 255, 127)) }},
		"malformed":       {connectText, func(c net.Conn) { c.Write(append(append(make([]byte, 16), 1, 1, 1), 1, 0, 0, 0, 9)) }},
		"flood":           {connectText, flood},
		"push of nothing": {"GIV 3:00000000000000000000000000000000/x\n\n", nil},
		"push malformed":  {"GIV x\n\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newTown(t)
				defer v.close()
				r := v.start(&Node{})
				conn := v.raw(r, c.greeting)
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					io.Copy(io.Discard, conn)
				}()
				if c.then != nil {
					time.Sleep(time.Second)
					go c.then(conn)
				}
				select {
				case <-ended:
				case <-time.After(time.Minute):
					t.Error("the connection is still open after a minute")
				}
				conn.Close()
				other := v.start(&Node{})
				other.Publish(context.Background(), netip.MustParseAddrPort("0.0.0.0:80"), []string{"f"})
				time.Sleep(10 * time.Second)
				if got := v.find(r, "f"); len(got) != 1 {
					t.Errorf("afterwards: %v", got)
				}
			})
		})
	}
}

// TestNoNeighbour: a node that is alone says so.
func TestNoNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t)
		defer v.close()
		r := v.start(&Node{})
		var err error
		for _, err = range r.Locate(context.Background(), "x") {
		}
		if !errors.Is(err, ErrNoLink) {
			t.Errorf("error %v, want ErrNoLink", err)
		}
	})
}
