package lossy

import (
	"net"
	"net/netip"
	"time"
)

// judgeRead judges a datagram, holds what is delayed, and reports whether the
// datagram is to be returned now. Its payload is valid until the next is
// judged: some bits of b may have been flipped.
func (w *wrapped) judgeRead(b []byte, from netip.AddrPort, addr net.Addr, local netip.Addr) (payload []byte, now bool) {
	in := &w.in
	f := in.chain.flows.get(flowKey{from, w.inner.local})
	f.n++
	at := w.clock.now()
	for i, fate := range in.chain.judge(f, f.n, b, at, &in.stats) {
		switch {
		case fate.cause != "":
		case fate.delay == 0 && !now:
			payload, now = fate.bytes(b), true
			in.stats.Passed++
		default:
			w.hold(w.newParcel(f, i, &fate, b, addr, local, at), at)
		}
	}
	return payload, now
}

// hold keeps p until it is due.
func (w *wrapped) hold(p *parcel, now time.Duration) {
	in := &w.in
	if in.bytes+p.size() > maxInFlight {
		in.chain.drop(p, CauseLimit, Incoming, now, &in.stats)
		w.pool.put(p)
		return
	}
	in.bytes += p.size()
	in.heap.push(&p.event)
}

// forgetArrivals drops what nobody will read, without a word: neither does a
// socket that is closed tell what was in its buffer.
func (w *wrapped) forgetArrivals() {
	for len(w.in.heap.nodes) > 0 {
		w.pool.put(w.in.heap.pop().parcel)
	}
	w.in.bytes = 0
}

// due takes the first parcel whose delay is over, or returns nil.
func (w *wrapped) due() *parcel {
	h := &w.in.heap
	if next := h.next(); next == never || next > w.clock.now() {
		return nil
	}
	p := h.pop().parcel
	w.in.bytes -= p.size()
	return p
}

// take moves p into b.
func (w *wrapped) take(p *parcel, b []byte) (n int, from netip.AddrPort, addr net.Addr) {
	n, from, addr = copy(b, p.payload), p.flow.from, p.addr
	w.in.stats.Passed++
	w.pool.put(p)
	return n, from, addr
}
