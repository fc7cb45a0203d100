package lossy

import (
	"net/netip"
	"sync"
	"time"
)

// A Network is an in-memory network of UDP-like conns, every two of which are
// joined by a link in each direction. NewNetwork makes one. Hosts are IP
// addresses: conns that differ in the port only are at the same host.
//
// It works in real time, and inside a bubble of [testing/synctest] in virtual
// time; the network and its conns must then be made inside the bubble.
// It starts no goroutine and need not be closed.
//
// Its methods may be called by any number of goroutines.
type Network struct {
	clock clock

	mu    sync.Mutex
	timer *time.Timer
	alarm time.Duration // when the timer goes off, or never
	hosts hosts
	chain chain
	heap  heap
	pool  pool

	leaving map[*Conn]struct{} // closed, with packets in flight
	past    Stats              // of the conns closed before

	// The packets written at the instant sentAt. They are judged when no more of that
	// instant can follow: one nanosecond later, or, if that makes no visible
	// difference, at the next event.
	sent     []*parcel
	sentAt   time.Duration
	least    time.Duration // until any of them can arrive
	numbered int           // how many of them have their numbers

	tally Stats // of the packet being judged

	groups groups
	mixed  bool // packets may go from one IP version to the other
}

// NewNetwork returns a network without conns. Models apply to every link,
// with separate state for each link. Without models it is perfect: packets
// are lost only to full receive queues, and a packet takes one nanosecond.
func NewNetwork(options ...Option) *Network {
	c := newConfig("NewNetwork", true, options)
	n := &Network{clock: startClock(), alarm: never, hosts: newHosts(), leaving: make(map[*Conn]struct{}), groups: make(groups)}
	n.chain = chain{
		flows: flowTable{
			parts:  c.egress,
			links:  make(map[hop][]*part),
			shared: make(map[*part]judge),
			seed:   seedByAddress(c.seed),
		},
		watch: c.watch(),
		clock: n.clock,
	}
	if n.mixed = c.forSockets; n.mixed {
		n.chain.flows.seed = seedByOrder(c.seed, Outgoing)
	}
	n.changed()
	return n
}

// changed takes note of other models.
func (n *Network) changed() {
	n.chain.flows.version++
	if n.least = n.chain.flows.least(); n.chain.watch != nil {
		n.least = 0 // a trace is called at once
	}
}

// NewConn opens a conn at an address. Port 0 stands for a free one; an
// address without an IP, or with 0.0.0.0, for the next of 10.0.0.1, 10.0.0.2
// and so on at which no conn is open ([::] for the next of fd00::1 and so on).
// An address in use and a multicast address are errors.
func (n *Network) NewConn(addr netip.AddrPort) (*Conn, error) {
	n.enter()
	defer n.leave()
	addr, err := n.hosts.choose(addr)
	if err != nil {
		return nil, err
	}
	c := newConn(n, addr)
	n.hosts.open(c)
	return c, nil
}

// Stats returns the sums over all links, those of closed conns included.
func (n *Network) Stats() Stats {
	n.enter()
	defer n.leave()
	sum := n.past
	for _, c := range n.hosts.conns {
		sum.add(&c.egress)
	}
	for c := range n.leaving {
		sum.add(&c.egress)
	}
	return sum
}

// enter locks the network and brings it up to now. The timer and every method do all
// that is due before anything else: a method therefore finds the same in every run.
func (n *Network) enter() (now time.Duration) {
	n.mu.Lock()
	done := false
	defer func() {
		if !done { // a predicate or a trace panicked: its goroutine may have conns to close
			n.mu.Unlock()
		}
	}()
	now = n.clock.now()
	n.advance(now)
	done = true
	return now
}

// leave sets the timer to the next event and unlocks the network.
func (n *Network) leave() {
	if next := n.next(); next < n.alarm || next == never {
		n.setAlarm(next)
	}
	n.mu.Unlock()
}

// next returns when something will happen, or never.
func (n *Network) next() time.Duration {
	if len(n.sent) > 0 {
		return min(n.heap.next(), addDelay(n.sentAt, max(1, n.least)))
	}
	return n.heap.next()
}

func (n *Network) setAlarm(at time.Duration) {
	switch {
	case at == n.alarm:
	case at == never:
		n.timer.Stop()
	case n.timer == nil:
		n.timer = time.AfterFunc(at-n.clock.now(), n.fire)
	default:
		n.timer.Reset(at - n.clock.now())
	}
	n.alarm = at
}

// fire is called by the timer, in a separate goroutine.
func (n *Network) fire() {
	n.mu.Lock() // not enter: this timer has gone off
	n.alarm = never
	n.advance(n.clock.now())
	n.leave()
}

// advance does everything that is due until now, in order: at each instant
// first it judges the packets sent in the instant before, then come the arrivals,
// then the deadlines.
func (n *Network) advance(now time.Duration) {
	for {
		next := n.heap.next()
		switch {
		case len(n.sent) > 0 && n.sentAt < min(next, now):
			n.judge()
		case next <= now && next != never:
			n.happen(n.heap.pop())
		default:
			return
		}
	}
}

func (n *Network) happen(e *event) {
	if e.kind == deadline {
		e.conn.expire()
		return
	}
	n.deliver(e.parcel)
}
