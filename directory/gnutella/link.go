package gnutella

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// The handshake of protocol 0.4.
const (
	connectText = "GNUTELLA CONNECT/0.4\n\n"
	okText      = "GNUTELLA OK\n\n"
)

// maxQueue bounds the messages that wait for a neighbour to read.
const maxQueue = 512

// A link is a connection to a neighbour.
type link struct {
	id    Link
	conn  net.Conn
	in    *bufio.Reader
	addr  netip.AddrPort // where the neighbour was dialled, or connects from
	own   netip.AddrPort // this end's
	queue chan []byte
	lost  int
}

func addrPort(a net.Addr) netip.AddrPort {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func newLink(conn net.Conn) *link {
	return &link{conn: conn, in: bufio.NewReader(conn), addr: addrPort(conn.RemoteAddr()), own: addrPort(conn.LocalAddr()), queue: make(chan []byte, maxQueue)}
}

// dial connects to a node, and makes it a neighbour.
func (s *server) dial(addr netip.AddrPort) {
	conn, err := s.n.dial(s.ctx, addr)
	var l *link
	if err == nil {
		l = newLink(conn)
		l.addr = addr
		err = l.greet()
	}
	s.post(func(s *server) {
		delete(s.dialing, addr)
		if err == nil {
			s.up(l)
		}
	})
	if err != nil {
		s.n.Trace.failed(addr, err)
	}
	if err != nil && conn != nil || s.ctx.Err() != nil && conn != nil {
		conn.Close()
	}
}

func (n *Node) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if n.Dial != nil {
		return n.Dial(ctx, addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr.String())
}

// greet is the dialling side of the handshake.
func (l *link) greet() error {
	l.conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if _, err := io.WriteString(l.conn, connectText); err != nil {
		return err
	}
	got := make([]byte, len(okText))
	if _, err := io.ReadFull(l.in, got); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if string(got) != okText {
		return fmt.Errorf("%w: the answer is %q", ErrHandshake, got)
	}
	return nil
}

// accept takes connections until the listener fails.
func (s *server) accept() error {
	slots := make(chan struct{}, 2*or(s.n.Accept, DefaultAccept))
	for {
		conn, err := s.n.Listener.Accept()
		if err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() && s.ctx.Err() == nil {
				continue
			}
			return err
		}
		select {
		case slots <- struct{}{}:
			s.tasks.Go(func() {
				defer func() { <-slots }()
				s.welcome(newLink(conn))
			})
		default:
			conn.Close()
		}
	}
}

// welcome is the accepting side of the handshake: a neighbour, or the answer to a Push.
func (s *server) welcome(l *link) {
	stop := context.AfterFunc(s.ctx, func() { l.conn.Close() })
	defer stop()
	l.conn.SetDeadline(time.Now().Add(handshakeTimeout))
	text, err := readGreeting(l.in)
	switch {
	case err == nil && text == connectText:
		_, err = io.WriteString(l.conn, okText)
	case err == nil && strings.HasPrefix(text, "GIV "):
		s.given(l, text)
		return
	case err == nil:
		err = fmt.Errorf("%w: it begins with %q", ErrHandshake, text)
	}
	if err != nil {
		s.n.Trace.failed(l.addr, err)
		l.conn.Close()
		return
	}
	if !s.post(func(s *server) { s.admit(l) }) {
		l.conn.Close()
	}
}

// readGreeting reads up to an empty line, 200 bytes at most.
func readGreeting(r *bufio.Reader) (string, error) {
	var b []byte
	for len(b) < 200 {
		c, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		if b = append(b, c); strings.HasSuffix(string(b), "\n\n") {
			return string(b), nil
		}
	}
	return "", ErrHandshake
}

// admit takes a neighbour that has connected, unless there are enough.
func (s *server) admit(l *link) {
	if len(s.links) >= or(s.n.MaxLinks, DefaultMaxLinks)+or(s.n.Accept, DefaultAccept) {
		l.conn.Close()
		return
	}
	s.up(l)
}

// up begins to use a link.
func (s *server) up(l *link) {
	if s.ctx.Err() != nil {
		l.conn.Close()
		return
	}
	s.next++
	l.id = s.next
	s.links[l.id] = l
	s.m.Connected(l.id)
	l.conn.SetDeadline(time.Time{})
	s.tasks.Go(func() { l.write() })
	s.tasks.Go(func() {
		err := l.read(s)
		l.conn.Close()
		s.post(func(s *server) { s.down(l, err) })
	})
	s.n.Trace.connected(l.addr)
	s.m.Discover(2, func(to Link, m *Message) {
		if to == l.id {
			s.send(to, m)
		}
	})
	for q := range s.asked { // who asked before there were neighbours asks this one
		s.send(l.id, &Message{ID: q.id, Type: Query, TTL: DefaultTTL, Text: q.name})
	}
}

// down ends a link.
func (s *server) down(l *link, err error) {
	if s.links[l.id] != l {
		return
	}
	delete(s.links, l.id)
	s.m.Disconnected(l.id)
	close(l.queue)
	s.n.Trace.disconnected(l.addr, err)
}

// write sends what is queued.
func (l *link) write() {
	for b := range l.queue {
		l.conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if _, err := l.conn.Write(b); err != nil {
			l.conn.Close()
			for range l.queue {
			}
			return
		}
	}
}

// read passes on what arrives.
func (l *link) read(s *server) error {
	var header [HeaderSize]byte
	payload := make([]byte, 0, 512)
	limit := rate{perSecond: float64(or(s.n.MaxRate, DefaultMaxRate))}
	for {
		l.conn.SetReadDeadline(time.Now().Add(silence))
		if _, err := io.ReadFull(l.in, header[:]); err != nil {
			return err
		}
		m, n, err := ParseHeader(header[:])
		if err != nil {
			return err
		}
		payload = append(payload[:0], make([]byte, n)...)
		if _, err := io.ReadFull(l.in, payload); err != nil {
			return err
		}
		if err := m.ParsePayload(payload); err != nil {
			return err
		}
		if s.n.MaxRate >= 0 && !limit.allow(time.Now()) {
			return ErrFlood
		}
		if !s.post(func(s *server) {
			if s.links[l.id] == l {
				s.m.Handle(l.id, &m, s.send)
			}
		}) {
			return ErrClosed
		}
	}
}

// A rate is a token bucket of ten seconds.
type rate struct {
	perSecond float64
	tokens    float64
	at        time.Time
}

func (r *rate) allow(now time.Time) bool {
	if r.at.IsZero() {
		r.at, r.tokens = now, 10*r.perSecond
	}
	r.tokens = min(r.tokens+now.Sub(r.at).Seconds()*r.perSecond, 10*r.perSecond) - 1
	r.at = now
	return r.tokens >= 0
}
