package gnutella

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A server is one call of Serve. Its goroutine owns the machine and the links; others send it
// events.
type server struct {
	ctx    context.Context
	n      *Node
	m      Machine
	links  map[Link]*link
	next   Link
	events chan func(*server)
	tasks  sync.WaitGroup

	dialing map[netip.AddrPort]bool
	pinged  time.Time
	asked   map[*question]bool
	pushes  map[pushKey]chan net.Conn // Pushes that wait for their connection
	pushing int                       // connections that Pushes of others had this node make
}

func newServer(ctx context.Context, n *Node) *server {
	s := &server{
		ctx: ctx, n: n, links: make(map[Link]*link), events: make(chan func(*server), 64),
		dialing: make(map[netip.AddrPort]bool), asked: make(map[*question]bool), pushes: make(map[pushKey]chan net.Conn),
	}
	s.m.Random = random{}
	s.m.Servent = s.m.guid()
	if n.Listener != nil {
		if a, ok := n.Listener.Addr().(*net.TCPAddr); ok {
			s.m.Greeting = a.AddrPort()
		} else if a, err := netip.ParseAddrPort(n.Listener.Addr().String()); err == nil {
			s.m.Greeting = a
		}
		if !s.m.Greeting.Addr().Is4() && s.m.Greeting.Addr().IsUnspecified() {
			s.m.Greeting = netip.AddrPortFrom(netip.IPv4Unspecified(), s.m.Greeting.Port())
		}
	}
	s.m.Match, s.m.Pushed = s.match, s.answerPush
	return s
}

// run handles events until the context ends.
func (s *server) run() {
	ticker := time.NewTicker(dialPeriod)
	defer ticker.Stop()
	s.tick()
	for {
		select {
		case <-s.ctx.Done():
			return
		case f := <-s.events:
			f(s)
		case <-s.n.inbox.signal():
			for _, f := range s.n.inbox.take() {
				f(s)
			}
		case <-ticker.C:
			s.tick()
		}
		s.report()
	}
}

// close ends the links, and waits for all goroutines.
func (s *server) close() {
	for _, l := range s.links {
		l.conn.Close()
		s.down(l, context.Cause(s.ctx))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.tasks.Wait()
	}()
	for {
		select {
		case f := <-s.events: // a link that came up is closed
			f(s)
		case <-done:
			return
		}
	}
}

// post sends an event, unless Serve has ended.
func (s *server) post(f func(*server)) bool {
	select {
	case s.events <- f:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// report brings the statistics up to date.
func (s *server) report() {
	b := &s.n.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Counts = s.m.Counts
	b.stats.Links = b.stats.Links[:0]
	for _, l := range s.links {
		b.stats.Links = append(b.stats.Links, l.addr)
	}
}

// tick looks for neighbours, and keeps those that there are.
func (s *server) tick() {
	if time.Since(s.pinged) >= pingPeriod {
		s.pinged = time.Now()
		s.m.Discover(2, s.send)
	}
	for want := or(s.n.MaxLinks, DefaultMaxLinks) - len(s.links) - len(s.dialing); want > 0; want-- {
		addr, ok := s.candidate()
		if !ok {
			return
		}
		s.dialing[addr] = true
		s.tasks.Go(func() { s.dial(addr) })
	}
}

// candidate is an address to connect to: one of Join, or one that a Pong named.
func (s *server) candidate() (netip.AddrPort, bool) {
	for _, a := range s.n.Join {
		if s.new(a) {
			return a, true
		}
	}
	for {
		a, ok := s.m.Host()
		if !ok || s.new(a) {
			return a, ok
		}
	}
}

// new reports whether an address is that of no neighbour and not this node's own.
func (s *server) new(a netip.AddrPort) bool {
	if s.dialing[a] || a == s.m.Greeting || a.Port() == 0 {
		return false
	}
	for _, l := range s.links {
		if l.addr == a || l.own.Addr() == a.Addr() && s.m.Greeting.Port() == a.Port() {
			return false
		}
	}
	return true
}

// match answers queries from what is shared.
func (s *server) match(text string) []Result {
	i, ok := s.n.shared.find(text)
	if !ok || i > math.MaxInt32 {
		return nil
	}
	r := Result{Index: uint32(i), Name: text}
	if s.n.Size != nil {
		r.Size = uint32(min(max(s.n.Size(text), 0), math.MaxUint32))
	}
	return []Result{r}
}

// send is the machine's Out. An address without IP stands for the link's own.
func (s *server) send(to Link, m *Message) {
	l := s.links[to]
	if l == nil {
		return
	}
	msg := *m
	if (m.Type == Pong || m.Type == QueryHit || m.Type == Push) && m.Addr.Addr().IsUnspecified() {
		msg.Addr = netip.AddrPortFrom(l.own.Addr(), m.Addr.Port())
	}
	b, err := msg.AppendBinary(nil)
	if err != nil {
		return // an address that protocol 0.4 cannot name
	}
	select {
	case l.queue <- b:
	default: // a neighbour that does not read loses messages, as the protocol's own servents do
		l.lost++
	}
}

// random is a rand.Source from the system's generator.
type random struct{}

func (random) Uint64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}
