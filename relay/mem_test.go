package relay

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A memListener is a net.Listener in memory, for bubbles of testing/synctest.
type memListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// dial connects to the listener. Nothing is buffered: a write waits for its read.
func (l *memListener) dial() net.Conn {
	here, there := net.Pipe()
	l.conns <- there
	return here
}

// A hall is a Server in memory, in a bubble, and its clients.
type hall struct {
	t      *testing.T
	server *Server
	l      *memListener
	cancel context.CancelFunc
	ended  chan error
}

func newHall(t *testing.T, s *Server) *hall {
	ctx, cancel := context.WithCancel(t.Context())
	h := &hall{t: t, server: s, l: newMemListener(), cancel: cancel, ended: make(chan error, 1)}
	go func() { h.ended <- s.Serve(ctx, h.l) }()
	return h
}

// close ends the server and everything in it.
func (h *hall) close() {
	h.cancel()
	<-h.ended
}

// A guest is a client of a hall. Its reading goroutine collects the deliveries.
type guest struct {
	net.Conn
	t     *testing.T
	lines chan string // closed at the end
}

func (h *hall) enter() *guest {
	g := &guest{Conn: h.l.dial(), t: h.t, lines: make(chan string, 1000)}
	go func() {
		defer close(g.lines)
		for in := bufio.NewReader(g.Conn); ; {
			line, err := in.ReadString('\n')
			if line != "" {
				g.lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	synctest.Wait()
	return g
}

// say writes bytes and waits until all goroutines are blocked.
func (g *guest) say(text string) {
	g.t.Helper()
	if _, err := io.WriteString(g.Conn, text); err != nil {
		g.t.Errorf("writing %q: %v", text, err)
	}
	synctest.Wait()
}

// heard returns the bytes that arrived since the last call, and "EOF" at the end.
func (g *guest) heard() string {
	synctest.Wait()
	var b strings.Builder
	for {
		select {
		case line, ok := <-g.lines:
			if !ok {
				return b.String() + "EOF"
			}
			b.WriteString(line)
		default:
			return b.String()
		}
	}
}

func (g *guest) expect(want string) {
	g.t.Helper()
	if got := g.heard(); got != want {
		g.t.Errorf("heard %q, want %q", got, want)
	}
}

// after lets virtual time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// departures collects the errors of Trace.Left.
type departures struct {
	mu   sync.Mutex
	errs []error
}

func (d *departures) trace() *Trace {
	return &Trace{Left: func(_ Client, _ ClientReport, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.errs = append(d.errs, err)
	}}
}

// all returns the errors so far.
func (d *departures) all() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errs
}
