package lossy

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// outgoing is what a wrapped conn needs for writing. The conn's lock guards
// all but judged, which does not change, and spare; what is due belongs to the
// timer's goroutine while that is sending.
type outgoing struct {
	judged   bool // else writes go to the inner conn as they are
	timeless bool // no judge needs to know what time it is
	chain    chain

	stats    Stats
	deadline time.Duration // or never

	heap    heap // of delayed parcels
	bytes   int  // in the heap, or being written by the timer's goroutine
	timer   *time.Timer
	alarm   time.Duration // when the timer goes off, or never
	sending bool          // the timer's goroutine is writing
	due     []*parcel     // what it is writing

	spare atomic.Pointer[outbox]
}

// WriteTo writes one datagram. It counts as written when it is dropped or
// delayed, too.
func (w *wrapped) WriteTo(b []byte, addr net.Addr) (int, error) {
	if !w.out.judged {
		n, err := w.inner.pc.WriteTo(b, addr)
		if w.counted && err == nil {
			w.count(&w.out.stats, 1, len(b))
		}
		return n, err
	}
	to, ok := w.destination(b, addr)
	copies, altered, err := w.judgeWrite(b, to, ok, addr)
	if err != nil {
		return 0, w.inner.opError("write", addr, err)
	}
	if !ok {
		return w.inner.pc.WriteTo(b, addr) // which knows the error
	}
	if len(altered) > 0 {
		defer w.putAltered(altered)
	}
	for i := range copies + len(altered) {
		payload := b
		if i >= copies {
			payload = altered[i-copies].payload
		}
		if _, err := w.inner.pc.WriteTo(payload, addr); err != nil {
			w.refused(copies + len(altered) - i)
			return 0, err
		}
	}
	return len(b), nil
}

// destination returns the address whose flow a datagram belongs to, and
// whether it can be sent there at all. On a conn that is not of UDP all is
// one flow.
func (w *wrapped) destination(b []byte, addr net.Addr) (to netip.AddrPort, ok bool) {
	if !w.inner.udp {
		return netip.AddrPort{}, true
	}
	to, ok = udpAddrPort(addr)
	return to, ok && len(b) <= maxPayload(to.Addr())
}

// judgeWrite judges a datagram, if it can be sent at all, and returns how
// often to write it now, and what else.
func (w *wrapped) judgeWrite(b []byte, to netip.AddrPort, sendable bool, addr net.Addr) (copies int, altered []*parcel, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.outNow()
	if err := w.writable(now); err != nil || !sendable {
		return 0, nil, err
	}
	if w.inner.udp {
		addr = nil // the caller may change it; the flow has it, too
	}
	copies, altered = w.judge(w.out.chain.flows.get(flowKey{w.inner.local, to}), b, addr, netip.Addr{}, now, nil)
	return copies, altered, nil
}

// outNow returns the time, if it matters.
func (w *wrapped) outNow() time.Duration {
	if w.out.timeless && w.out.deadline == never {
		return 0
	}
	return w.clock.now()
}

// count counts packets that were not judged.
func (w *wrapped) count(s *Stats, packets, bytes int) {
	w.mu.Lock()
	s.Packets += packets
	s.Passed += packets
	s.Bytes += bytes
	w.mu.Unlock()
}

// writable returns why the conn cannot be written to, or nil.
func (w *wrapped) writable(now time.Duration) error {
	switch {
	case w.closed:
		return net.ErrClosed
	case w.out.deadline <= now:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// judge judges a datagram of flow f, and schedules what is delayed. It returns
// how often to write the datagram now, and appends to altered what is to be
// written besides, with bits flipped; putAltered takes that back.
func (w *wrapped) judge(f *flow, b []byte, addr net.Addr, local netip.Addr, now time.Duration, altered []*parcel) (copies int, _ []*parcel) {
	f.n++
	for i, fate := range w.out.chain.judge(f, f.n, b, now, &w.out.stats) {
		switch {
		case fate.cause != "":
		case fate.delay > 0:
			w.schedule(w.newParcel(f, i, &fate, b, addr, local, now), now)
		case fate.altered != nil:
			altered = append(altered, w.newParcel(f, i, &fate, b, addr, local, now))
			w.out.stats.Passed++
		default:
			copies++
		}
	}
	w.out.stats.Passed += copies
	return copies, altered
}

// putAltered takes back parcels that have been written.
func (w *wrapped) putAltered(altered []*parcel) {
	if len(altered) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range altered {
		altered[i] = nil
		w.pool.put(p)
	}
}

// refused corrects the statistics by packets that the inner conn did not take.
func (w *wrapped) refused(packets int) {
	if !w.out.judged {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.stats.Passed -= packets
	w.out.stats.Refused += packets
}

// schedule lets p leave at its time.
func (w *wrapped) schedule(p *parcel, now time.Duration) {
	o := &w.out
	if o.bytes+p.size() > maxInFlight {
		o.chain.drop(p, CauseLimit, Outgoing, now, &o.stats)
		w.pool.put(p)
		return
	}
	o.bytes += p.size()
	o.heap.push(&p.event)
	w.setAlarm()
}

// SetWriteDeadline sets the time from which on writes fail. The inner conn
// hears of it only where nothing can be delayed: what has been scheduled
// leaves at its time.
func (w *wrapped) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.inner.opError("set", nil, net.ErrClosed)
	}
	w.out.deadline = w.clock.deadline(t)
	if !w.out.judged {
		return w.inner.pc.SetWriteDeadline(t)
	}
	return nil
}
