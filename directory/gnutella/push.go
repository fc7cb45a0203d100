package gnutella

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A pushKey is a Push that waits for its connection.
type pushKey struct {
	servent GUID
	index   uint32
}

// A holder is what a QueryHit said of an HTTP server, for when it cannot be reached.
type holder struct {
	hit   Message
	index uint32
}

// holders are those of the latest QueryHits.
type holders struct {
	mu sync.Mutex
	t  table[netip.AddrPort, holder]
}

func (n *Node) remember(hit Message, index uint32) {
	h := &n.inbox.holders
	h.mu.Lock()
	defer h.mu.Unlock()
	h.t.put(hit.Addr, holder{hit, index}, maxHosts)
}

// Transport returns an http.RoundTripper for fetch.Fetcher: it connects to sources, and where that fails it
// asks the source by a Push to connect to this node's Listener (protocol 0.4, "Push").
func (n *Node) Transport() http.RoundTripper {
	return &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := n.direct(ctx, addr)
		if err == nil {
			return conn, nil
		}
		to, parseErr := netip.ParseAddrPort(addr)
		if parseErr != nil {
			return nil, err
		}
		conn, pushErr := n.pushed(ctx, to)
		if pushErr != nil {
			return nil, errors.Join(err, pushErr)
		}
		return conn, nil
	}}
}

// directTimeout is how long a direct connection may take before a Push is tried.
const directTimeout = 3 * time.Second

func (n *Node) direct(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, directTimeout)
	defer cancel()
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	return n.dial(ctx, to)
}

// pushed asks a source to connect here.
func (n *Node) pushed(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	n.inbox.holders.mu.Lock()
	h, known := n.inbox.holders.t.get(to)
	n.inbox.holders.mu.Unlock()
	if !known || n.Listener == nil {
		return nil, fmt.Errorf("gnutella: %v cannot be asked to connect: no QueryHit, or no Listener", to)
	}
	key, given := pushKey{h.hit.Servent, h.index}, make(chan net.Conn, 1)
	n.inbox.put(func(s *server) {
		s.pushes[key] = given
		s.m.AskPush(&h.hit, h.index, netip.AddrPortFrom(netip.IPv4Unspecified(), s.m.Greeting.Port()), s.send)
	})
	defer n.inbox.put(func(s *server) {
		if s.pushes[key] == given {
			delete(s.pushes, key)
		}
	})
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	select {
	case conn := <-given:
		return conn, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("gnutella: %v did not answer a Push: %w", to, context.Cause(ctx))
	case <-n.inbox.end():
		return nil, ErrClosed
	}
}

// given takes the connection that a Push asked for: GIV INDEX:SERVENT/NAME.
func (s *server) given(l *link, text string) {
	index, rest, ok1 := strings.Cut(strings.TrimPrefix(text, "GIV "), ":")
	servent, _, ok2 := strings.Cut(rest, "/")
	i, err1 := strconv.ParseUint(index, 10, 32)
	id, err2 := hex.DecodeString(servent)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || len(id) != len(GUID{}) {
		s.n.Trace.failed(l.addr, fmt.Errorf("%w: %q", ErrHandshake, text))
		l.conn.Close()
		return
	}
	key := pushKey{GUID(id), uint32(i)}
	taken := make(chan bool, 1)
	ok := s.post(func(s *server) {
		given := s.pushes[key]
		delete(s.pushes, key)
		if given != nil {
			l.conn.SetDeadline(time.Time{})
			given <- buffered{l.conn, l.in}
		}
		taken <- given != nil
	})
	if !ok || !<-taken {
		l.conn.Close()
	}
}

// A buffered is a conn of which some bytes are in a buffer.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// answerPush connects to a node that cannot reach this one, and serves it.
func (s *server) answerPush(index uint32, to netip.AddrPort) {
	_, names := s.n.shared.get()
	if s.n.Handler == nil || int(index) >= len(names) || s.pushing >= maxPushing {
		return
	}
	name := names[index]
	s.pushing++
	s.tasks.Go(func() {
		defer s.post(func(s *server) { s.pushing-- })
		conn, err := s.n.dial(s.ctx, to)
		if err != nil {
			s.n.Trace.failed(to, err)
			return
		}
		if _, err := fmt.Fprintf(conn, "GIV %d:%s/%s\n\n", index, s.m.Servent, name); err != nil {
			conn.Close()
			return
		}
		serveOne(s.ctx, conn, s.n.Handler)
	})
}

// maxPushing bounds the connections that Pushes have this node make.
const maxPushing = 16

// serveOne serves HTTP over one connection, until that ends or the context does.
func serveOne(ctx context.Context, conn net.Conn, h http.Handler) {
	l := &oneConn{conn: conn, done: make(chan struct{})}
	srv := http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			l.Close()
		}
	}}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	srv.Serve(l)
	srv.Close()
}

// A oneConn is a listener that accepts one connection, and then waits for its end.
type oneConn struct {
	conn     net.Conn
	accepted bool
	once     sync.Once
	done     chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.accepted {
		l.accepted = true
		return l.conn, nil
	}
	<-l.done
	return nil, io.EOF
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// Requests returns a handler that answers the requests of protocol 0.4, /get/INDEX/NAME/, from one that has
// the file at /NAME, such as a directory.Peer. Other requests go to h as they are.
func Requests(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/get/"); ok {
			if _, name, ok := strings.Cut(rest, "/"); ok {
				r = r.Clone(r.Context())
				r.URL.Path, r.URL.RawPath = "/"+strings.TrimSuffix(name, "/"), ""
			}
		}
		h.ServeHTTP(w, r)
	})
}
