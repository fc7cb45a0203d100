package chord

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A server is one call of Serve. Its goroutine owns everything in it.
type server struct {
	n     *Node
	begun time.Time
	book  *book
	m     *Machine
	store *store
	proof *prover

	out    []datagram.Packet
	local  []Message // to this node itself
	buffer []byte
}

// Serve runs the node: it joins the ring, or begins one, answers other nodes, and keeps the
// ring together, until ctx ends, whose cause it returns, or Conn fails. A node that ends says nothing to
// the others, who find out within some Periods. Serve may be called once.
func (n *Node) Serve(ctx context.Context) error {
	s, err := n.newServer()
	if err != nil {
		return err
	}
	defer close(n.calls.end())
	c := datagram.Open(ctx, n.Conn, datagram.Config{ReadSize: maxPacket})
	defer c.Release()
	n.calls.mu.Lock()
	n.calls.wake = c.Wake
	n.calls.mu.Unlock()
	defer func() {
		n.calls.mu.Lock()
		n.calls.wake = nil
		n.calls.mu.Unlock()
	}()

	s.begin()
	s.turn(nil) // what was asked for before
	for {
		if err := datagram.Send(c, s.out, nil); err != nil {
			return err
		}
		s.out, s.buffer = s.out[:0], s.buffer[:0]
		var deadline time.Time
		if d := s.m.NextDeadline(); d != never {
			deadline = s.begun.Add(d)
		}
		pkts, err := c.Read(deadline)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		s.turn(pkts)
	}
}

func (n *Node) newServer() (*server, error) {
	addr, err := n.addr()
	if err != nil {
		return nil, err
	}
	settings, err := n.settings()
	if err != nil {
		return nil, err
	}
	s := &server{n: n, begun: time.Now(), book: newBook(), proof: newProver()}
	s.store = newStore(or(n.Expiry, DefaultExpiry), or(n.MaxKeys, DefaultMaxKeys), or(n.MaxHolders, DefaultMaxHolders), or(n.MaxPerAddr, DefaultMaxPerAddr))
	settings.Names, settings.Random = s.book, random{}
	s.m = NewMachine(&settings, s.book.peer(addr))
	return s, nil
}

// begin joins the ring, or makes one.
func (s *server) begin() {
	var known []Peer
	for _, a := range s.n.Join {
		if p := s.book.peer(a); p != 0 && p != s.m.self {
			known = append(known, p)
		}
	}
	switch {
	case s.n.Observe:
		s.m.bootstrap = known
	case len(known) == 0:
		s.m.Create(0)
	default:
		s.m.Join(0, known, s.send)
	}
	s.deliver(0)
}

// turn handles the packets that arrived, the requests of other goroutines, and the timers.
func (s *server) turn(pkts []datagram.Packet) {
	now, was := time.Since(s.begun), s.m.Member()
	received, malformed := 0, 0
	for _, pkt := range pkts {
		received++
		if p, err := ParsePacket(pkt.Data); err == nil {
			s.arrived(now, pkt.Addr, &p)
		} else {
			malformed++
			s.n.Trace.malformed(pkt.Addr, err)
		}
	}
	for _, r := range s.n.calls.take() {
		r(s.m, now, s.send)
	}
	if now >= s.m.NextDeadline() {
		s.m.Tick(now, s.send)
	}
	s.deliver(now)
	if !was && s.m.Member() {
		s.n.Trace.joined(s.book.addr(s.m.pred), s.book.addr(s.m.succ[0]))
	}
	s.book.sweep(s.m.InUse)
	s.count(received, malformed)
}

// arrived takes a packet from another node.
func (s *server) arrived(now time.Duration, from netip.AddrPort, p *Packet) {
	switch {
	case p.Kind.answer():
		peer := s.book.peer(from)
		if peer == 0 {
			return
		}
		msg := Message{Kind: p.Kind, Done: p.Done, Nonce: p.Nonce, Token: p.Token, Pred: s.book.peer(p.Pred)}
		if p.Kind == GetAnswer {
			msg.Holders = slices.DeleteFunc(p.Addrs, func(a netip.AddrPort) bool { return a.Port() == 0 || a.Addr().IsUnspecified() })
		} else {
			for _, a := range p.Addrs {
				if q := s.book.peer(a); q != 0 {
					msg.Peers = append(msg.Peers, q)
				}
			}
		}
		s.m.Handle(now, peer, &msg, s.send)
	case !s.m.Member():
	case p.Kind == Get || p.Kind == Put:
		s.reply(from, s.keep(now, from, p))
	case p.Kind != Notify:
		// Answered without remembering who asks.
		s.m.Handle(now, s.m.self, &Message{Kind: p.Kind, Nonce: p.Nonce, Key: p.Key}, func(_ Peer, a *Message) {
			s.reply(from, s.packet(from, a))
		})
	case s.proof.check(from, p.Token):
		if peer := s.book.peer(from); peer != 0 {
			s.m.Handle(now, peer, &Message{Kind: Notify}, s.send)
		}
	}
}

// keep answers a GET or PUT from the store.
func (s *server) keep(now time.Duration, from netip.AddrPort, p *Packet) Packet {
	a := Packet{Kind: p.Kind + 1, Nonce: p.Nonce, Token: s.proof.token(from)}
	holder := netip.AddrPortFrom(from.Addr().WithZone(""), p.Port)
	switch {
	case p.Kind == Get:
		a.Addrs = s.store.get(now, nil, p.Key, maxAddrs)
	case p.Port == 0 || !s.proof.check(from, p.Token):
	case p.Remove:
		s.store.remove(p.Key, holder)
		a.Done = true
	default:
		a.Done = s.store.put(now, p.Key, holder)
	}
	return a
}

// packet turns a message of the machine into a packet to an address.
func (s *server) packet(to netip.AddrPort, msg *Message) Packet {
	p := Packet{Kind: msg.Kind, Done: msg.Done, Remove: msg.Remove, Nonce: msg.Nonce, Key: msg.Key, Token: msg.Token}
	if msg.Kind.answer() {
		p.Token = s.proof.token(to)
		if msg.Pred != 0 {
			p.Pred = s.book.addr(msg.Pred)
		}
	}
	for _, q := range msg.Peers[:min(len(msg.Peers), maxAddrs)] {
		p.Addrs = append(p.Addrs, s.book.addr(q))
	}
	if msg.Kind == Put {
		p.Port = msg.Holders[0].Port()
	}
	return p
}

// send is the machine's Out.
func (s *server) send(to Peer, msg *Message) {
	if to == s.m.self {
		local := *msg
		local.Holders = slices.Clone(msg.Holders)
		s.local = append(s.local, local)
		return
	}
	s.reply(s.book.addr(to), s.packet(s.book.addr(to), msg))
}

// reply puts a packet among those that leave next.
func (s *server) reply(to netip.AddrPort, p Packet) {
	begin := len(s.buffer)
	b, err := p.AppendBinary(s.buffer)
	if err != nil {
		return
	}
	s.buffer = b
	s.out = append(s.out, datagram.Packet{Data: b[begin:len(b):len(b)], Addr: to})
}

// deliver answers what the node asks itself: a publication may belong on the node that makes it.
func (s *server) deliver(now time.Duration) {
	for len(s.local) > 0 {
		msg := s.local[0]
		s.local = s.local[1:]
		self := s.book.addr(s.m.self)
		p := s.packet(self, &msg)
		p.Token = s.proof.token(self)
		a := s.keep(now, self, &p)
		s.m.Handle(now, s.m.self, &Message{Kind: a.Kind, Done: a.Done, Nonce: a.Nonce, Token: a.Token, Holders: a.Addrs}, s.send)
	}
}

// count brings the statistics up to date.
func (s *server) count(received, malformed int) {
	s.n.calls.mu.Lock()
	defer s.n.calls.mu.Unlock()
	st := &s.n.stats
	st.Received += received
	st.Malformed += malformed
	st.Sent += len(s.out)
	st.Keys, st.Holders = len(s.store.keys), s.store.count
	st.Member = s.m.Member()
	st.Predecessor = netip.AddrPort{}
	if s.m.pred != 0 {
		st.Predecessor = s.book.addr(s.m.pred)
	}
	st.Successors = st.Successors[:0]
	for _, p := range s.m.succ {
		st.Successors = append(st.Successors, s.book.addr(p))
	}
}

// random is a rand.Source from the system's generator: a forged answer must guess the
// nonce of the request.
type random struct{}

func (random) Uint64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}
