package lossy

import (
	"slices"
	"sync"
	"time"
)

// A Network is an in-memory network of UDP-like conns, every two of which are
// joined by a link in each direction. NewNetwork makes one.
//
// It works in real time, and inside a bubble of [testing/synctest] in virtual
// time; there, the network and its conns must be made inside the bubble, too.
// It has no goroutine of its own and need not be closed.
//
// Its methods may be called by any number of goroutines.
type Network struct {
	start time.Time // of the clock; all times are since then

	mu    sync.Mutex
	timer *time.Timer
	alarm time.Duration // when the timer goes off, or never
	conns conns
	chain chain
	heap  heap
	pool  pool

	// What was written at the instant sentAt. It is judged one nanosecond
	// later, when no more of that instant can follow.
	sent   []*parcel
	sentAt time.Duration
}

// NewNetwork returns a network without conns. Models apply to every link,
// each link having a state of its own. Without models it is perfect: nothing
// is lost but to full receive queues, and a packet takes one nanosecond.
func NewNetwork(options ...Option) *Network {
	c := newConfig("NewNetwork", true, options)
	start := time.Now()
	return &Network{
		start: start,
		alarm: never,
		conns: newConns(),
		chain: newChain(c.egress, c, Outgoing, start, make(map[*part]judge)),
	}
}

// Stats returns the sums over all links.
func (n *Network) Stats() Stats {
	n.enter()
	defer n.leave()
	return n.chain.stats
}

// enter locks the network and brings it up to now. Whoever comes first at an
// instant, be it the timer or any method, does all that is due until then:
// hence a method finds the same in every run.
func (n *Network) enter() (now time.Duration) {
	n.mu.Lock()
	now = time.Since(n.start)
	n.advance(now)
	return now
}

// leave sets the timer to what comes next and unlocks the network.
func (n *Network) leave() {
	next := n.next()
	if next != n.alarm {
		n.setAlarm(next)
	}
	n.mu.Unlock()
}

// next returns when something will happen, or never.
func (n *Network) next() time.Duration {
	next := n.heap.next()
	if len(n.sent) > 0 {
		next = min(next, n.sentAt+1)
	}
	return next
}

func (n *Network) setAlarm(at time.Duration) {
	n.alarm = at
	switch {
	case at == never:
		n.timer.Stop()
	case n.timer == nil:
		n.timer = time.AfterFunc(at-time.Since(n.start), n.fire)
	default:
		n.timer.Reset(at - time.Since(n.start))
	}
}

// fire is what the timer calls, in a goroutine of its own.
func (n *Network) fire() {
	n.mu.Lock()
	n.alarm = never
	n.advance(time.Since(n.start))
	n.leave()
}

// advance does everything that is due until now, in order: at each instant
// first the judging of what was sent in the one before, then the arrivals,
// then the deadlines.
func (n *Network) advance(now time.Duration) {
	for {
		next := n.heap.next()
		switch {
		case len(n.sent) > 0 && n.sentAt < min(next, now):
			n.judge()
		case next <= now:
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

// send takes a packet at the instant now.
func (n *Network) send(c *Conn, f *flow, payload []byte, now time.Duration) {
	f.n++
	p := n.pool.get(payload)
	p.sender, p.flow, p.sent = c, f, now
	p.from, p.to, p.n, p.copy = f.from, f.to, f.n, 0
	if c.inFlight+p.size() > maxInFlight {
		// This cannot wait for its turn among the instant's packets:
		// they are what there are too many of.
		n.chain.refuse(p, now)
		n.pool.put(p)
		return
	}
	c.inFlight += p.size()
	n.sent = append(n.sent, p)
	n.sentAt = now
}

// judge takes what was sent at one instant through the models, in an order
// that does not depend on which goroutine came first.
func (n *Network) judge() {
	slices.SortFunc(n.sent, func(a, b *parcel) int { return a.compare(&b.event) })
	for i, p := range n.sent {
		n.sent[i] = nil
		n.judgeOne(p)
	}
	n.sent = n.sent[:0]
}

func (n *Network) judgeOne(p *parcel) {
	fates := n.chain.judge(p.flow, p.n, p.payload, p.sent)
	for i, f := range fates[1:] {
		if f.cause == "" {
			n.launch(n.copyOf(p, i+1), f.delay)
		}
	}
	if fates[0].cause != "" {
		n.discard(p)
		return
	}
	n.launch(p, fates[0].delay)
}

// copyOf returns a copy of p, to be launched.
func (n *Network) copyOf(p *parcel, number int) *parcel {
	c := n.pool.get(p.payload)
	c.sender, c.flow, c.sent = p.sender, p.flow, p.sent
	c.from, c.to, c.n, c.copy = p.from, p.to, p.n, number
	c.sender.inFlight += c.size()
	return c
}

// launch lets a parcel arrive after a delay of at least one nanosecond.
func (n *Network) launch(p *parcel, delay time.Duration) {
	p.at = addDelay(p.sent, max(1, delay))
	n.heap.push(&p.event)
}

// deliver lets a parcel arrive now.
func (n *Network) deliver(p *parcel) {
	c := n.conns.at(p.to)
	switch {
	case c == nil:
		n.chain.drop(p, CauseNobody, Outgoing, p.at)
		n.discard(p)
	case !c.accept(p):
		n.chain.drop(p, CauseOverflow, Incoming, p.at)
		n.discard(p)
	default:
		n.chain.stats.Passed++
	}
}

// maxInFlight bounds what one conn may have on its way, in bytes, so that a
// writer that never stops fills no memory. At 1 Gbit/s it is half a second.
const maxInFlight = 64 << 20

// discard recycles a parcel that is in flight no more.
func (n *Network) discard(p *parcel) {
	p.sender.inFlight -= p.size()
	n.pool.put(p)
}
