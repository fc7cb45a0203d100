package lossy

import (
	"slices"
	"time"
)

// maxInFlight bounds the bytes that one conn has in flight, so that a
// writer that never stops does not fill the memory. At 1 Gbit/s it is half a second.
const maxInFlight = 64 << 20

// send takes a packet from c at the instant now.
func (n *Network) send(c *Conn, f *flow, payload []byte, now time.Duration) {
	p := n.newParcel(c, f, payload, now)
	p.members = f.to.Addr().IsMulticast()
	if c.inFlight > maxInFlight {
		// This is decided at once: the instant's packets may be the ones that are
		// too many.
		n.number()
		f.n++
		p.n = f.n
		n.count(p)
		n.drop(p, CauseLimit, Outgoing, now)
		return
	}
	n.sent = append(n.sent, p)
	n.sentAt = now
}

// count counts a packet that no model judges.
func (n *Network) count(p *parcel) {
	for _, s := range []*Stats{&p.sender.egress, &p.flow.stats} {
		s.Packets++
		s.Bytes += len(p.payload)
	}
}

// number gives the packets of this instant their numbers in their flows, in
// the order in which each conn sent them. A packet to a group becomes a
// packet to each member; without members, it stays.
func (n *Network) number() {
	expanded := false
	for i := range n.sent[n.numbered:] {
		i += n.numbered
		if p := n.sent[i]; p.members && n.expand(p) {
			n.sent[i], expanded = nil, true
			n.recycle(p)
		} else {
			p.flow.n++
			p.n = p.flow.n
		}
	}
	if expanded {
		n.sent = slices.DeleteFunc(n.sent, func(p *parcel) bool { return p == nil })
	}
	n.numbered = len(n.sent)
}

// newParcel returns a parcel of c's, in flight from now on.
func (n *Network) newParcel(c *Conn, f *flow, payload []byte, now time.Duration) *parcel {
	p := n.pool.get(payload)
	p.sender, p.flow, p.sent = c, f, now
	c.inFlight += p.size()
	return p
}

// judge takes the packets of one instant through the models, in an order
// that does not depend on which goroutine came first.
func (n *Network) judge() {
	defer func() { // even if a predicate or a trace panics
		clear(n.sent)
		n.sent, n.numbered = n.sent[:0], 0
	}()
	n.number()
	slices.SortFunc(n.sent, (*parcel).compare)
	for _, p := range n.sent {
		n.judgeOne(p)
	}
}

func (n *Network) judgeOne(p *parcel) {
	if p.members {
		n.count(p)
		n.drop(p, CauseNobody, Outgoing, p.sent)
		return
	}
	n.tally = Stats{}
	n.chain.group = p.group
	fates := n.chain.judge(p.flow, p.n, p.payload, p.sent, &n.tally)
	p.sender.egress.add(&n.tally)
	p.flow.stats.add(&n.tally)
	for i := 1; i < len(fates); i++ {
		if f := &fates[i]; f.cause == "" {
			c := n.newParcel(p.sender, p.flow, f.bytes(p.payload), p.sent)
			c.n, c.copy, c.group, c.corrupted = p.n, i, p.group, f.altered != nil
			n.launch(c, f.delay)
		}
	}
	f := &fates[0]
	if f.cause != "" {
		n.recycle(p)
		return
	}
	if f.altered != nil {
		copy(p.payload, f.altered)
		p.corrupted = true
	}
	n.launch(p, f.delay)
}

// launch lets a parcel arrive after a delay of at least one nanosecond.
func (n *Network) launch(p *parcel, delay time.Duration) {
	p.at = addDelay(p.sent, max(1, delay))
	n.heap.push(&p.event)
}

// deliver lets a parcel arrive now.
func (n *Network) deliver(p *parcel) {
	c := n.hosts.conns[p.flow.to]
	if c == nil {
		n.drop(p, CauseNobody, Outgoing, p.at)
		return
	}
	c.ingress.Packets++
	c.ingress.Bytes += len(p.payload)
	if !c.room(p) {
		c.ingress.Overflowed++
		n.drop(p, CauseOverflow, Incoming, p.at)
		return
	}
	c.ingress.Passed++
	p.sender.egress.Passed++
	p.flow.stats.Passed++
	n.landed(p.sender, p.size())
	c.accept(p)
}

// drop ends a parcel that no model dropped.
func (n *Network) drop(p *parcel, cause Cause, d Direction, at time.Duration) {
	n.chain.drop(p, cause, d, at, &p.sender.egress)
	p.flow.stats.drop(cause)
	n.recycle(p)
}

// recycle takes back a parcel that is no longer in flight.
func (n *Network) recycle(p *parcel) {
	n.landed(p.sender, p.size())
	n.pool.put(p)
}

// landed notes that bytes of c's are no longer in flight. When they were the
// last of a closed conn, its statistics are complete.
func (n *Network) landed(c *Conn, bytes int) {
	c.inFlight -= bytes
	if c.closed && c.inFlight == 0 {
		n.retire(c)
	}
}

// retire adds the statistics of a closed conn to the sum of those.
func (n *Network) retire(c *Conn) {
	n.past.add(&c.egress)
	delete(n.leaving, c)
}
