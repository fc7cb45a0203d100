package lossy

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// outgoing is the state of a wrapped conn for writing. The conn's lock guards
// all but judged, which does not change, and spare; due belongs to the
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

// WriteTo writes one datagram. A datagram that is dropped or delayed
// counts as written.
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
// often to write it now, and its altered copies.
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

// judge judges a datagram of flow f, and schedules delayed copies. It returns
// how often to write the datagram now, and appends to altered the copies with flipped bits
// that are written now; putAltered takes them back.
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

// refused corrects the statistics for packets that the inner conn did not take.
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
// gets it only where nothing can be delayed: a scheduled packet
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

// setAlarm sets the timer to the first departure, unless it goes off before
// or its goroutine is at work and will set it.
func (w *wrapped) setAlarm() {
	o := &w.out
	next := o.heap.next()
	if o.sending || next >= o.alarm {
		return
	}
	o.alarm = next
	d := next - w.clock.now()
	if o.timer == nil {
		o.timer = time.AfterFunc(d, w.depart)
	} else {
		o.timer.Reset(d)
	}
}

// depart is called by the timer, in a separate goroutine. It writes the due
// packets. If the conn has been closed and nothing is left, it closes the
// inner conn.
func (w *wrapped) depart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := &w.out
	if o.sending {
		return // it had gone off when it was set again
	}
	o.alarm = never
	o.sending = true
	for w.collect() {
		w.mu.Unlock()
		w.writeDue()
		w.mu.Lock()
		w.settle()
	}
	o.sending = false
	if w.closed && o.heap.next() == never {
		w.inner.pc.Close()
		return
	}
	w.setAlarm()
}

// maxDue bounds how many parcels are written before the lock is taken again.
const maxDue = 64

// collect takes what is due from the heap, and reports whether there is any.
func (w *wrapped) collect() bool {
	o := &w.out
	o.due = o.due[:0]
	now := w.clock.now()
	for o.heap.next() <= now && len(o.due) < maxDue {
		o.due = append(o.due, o.heap.pop().parcel)
	}
	return len(o.due) > 0
}

// writeDue writes what was collected. The conn is not locked.
func (w *wrapped) writeDue() {
	if w.inner.batchWriter == nil {
		for _, p := range w.out.due {
			p.refused = w.inner.write(p.payload, p.flow, p.addr) != nil
		}
		return
	}
	box := w.takeOutbox()
	defer w.putOutbox(box)
	for i, p := range w.out.due {
		box.add(p.payload, p.flow, p.local, i)
	}
	for box.len() > 0 {
		n, err := w.inner.writeBatch(box)
		if err == nil {
			return
		}
		w.out.due[box.index[n]].refused = true
		box.skip(n + 1)
	}
}

// settle counts what was written.
func (w *wrapped) settle() {
	o := &w.out
	now := w.clock.now()
	for i, p := range o.due {
		o.due[i] = nil
		o.bytes -= p.size()
		if p.refused {
			o.chain.drop(p, CauseRefused, Outgoing, now, &o.stats)
		} else {
			o.stats.Passed++
		}
		w.pool.put(p)
	}
}

// An outbox is a batch of datagrams to be written to a wrapped conn.
type outbox struct {
	bufs  [][]byte
	to    []netip.AddrPort
	flows []*flow
	local []netip.Addr // from which address of this host
	index []int        // in the caller's batch

	altered []*parcel // whose payloads are in bufs instead of the caller's
}

func (x *outbox) add(b []byte, f *flow, local netip.Addr, index int) {
	x.bufs = append(x.bufs, b)
	x.to = append(x.to, f.to)
	x.flows = append(x.flows, f)
	x.local = append(x.local, local)
	x.index = append(x.index, index)
}

func (x *outbox) len() int { return len(x.bufs) }

// skip removes the first n datagrams.
func (x *outbox) skip(n int) {
	x.bufs, x.to, x.flows, x.local, x.index = x.bufs[n:], x.to[n:], x.flows[n:], x.local[n:], x.index[n:]
}

// takeOutbox returns an empty outbox, to be given back to putOutbox.
func (w *wrapped) takeOutbox() *outbox {
	if x := w.out.spare.Swap(nil); x != nil {
		return x
	}
	return &outbox{}
}

// putOutbox forgets the caller's buffers, and keeps the outbox for the next.
func (w *wrapped) putOutbox(x *outbox) {
	w.putAltered(x.altered)
	clear(x.bufs)
	*x = outbox{x.bufs[:0], x.to[:0], x.flows[:0], x.local[:0], x.index[:0], x.altered[:0]}
	w.out.spare.Store(x)
}
