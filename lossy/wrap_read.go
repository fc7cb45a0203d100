package lossy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// incoming is the state of a wrapped conn for reading. There is no goroutine
// that reads ahead: of the readers, one reads the inner conn, and the others
// wait for their turn. The conn's lock guards all but judged, which does not
// change, and buf, which belongs to the one that is reading.
type incoming struct {
	judged bool // else reads go to the inner conn as they are
	chain  chain

	stats    Stats
	deadline time.Duration // the callers', or never

	heap  heap // of delayed parcels
	bytes int  // in the heap

	turn          sync.Cond
	reading       bool          // somebody reads the inner conn
	innerDeadline time.Duration // of the inner conn: earlier where a parcel is due before
	buf           []byte        // what the inner conn reads into
}

// ReadFrom reads the next datagram that the models let pass.
func (w *wrapped) ReadFrom(b []byte) (int, net.Addr, error) {
	if !w.in.judged {
		n, addr, err := w.inner.pc.ReadFrom(b)
		if w.counted && err == nil {
			w.count(&w.in.stats, 1, n)
		}
		return n, addr, w.readError(err)
	}
	n, from, addr, err := w.readJudged(b)
	if err == nil && addr == nil {
		addr = net.UDPAddrFromAddrPort(from)
	}
	return n, addr, err
}

// readError converts the error of a read of the inner conn for the caller.
func (w *wrapped) readError(err error) error {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed { // and the inner conn has a deadline until it is closed, too
		return w.inner.opError("read", nil, net.ErrClosed)
	}
	return err
}

func (w *wrapped) readJudged(b []byte) (n int, from netip.AddrPort, addr net.Addr, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.in.turn.Signal() // what this reader leaves is for the next
	if err := w.readable(); err != nil {
		return 0, from, nil, w.inner.opError("read", nil, err)
	}
	for {
		p, err := w.await()
		if err != nil {
			return 0, from, nil, err
		}
		if p != nil {
			n, from, addr = w.take(p, b)
			return n, from, addr, nil
		}
		n, from, addr, ok, err := w.readInner(b)
		if ok || err != nil {
			return n, from, addr, err
		}
	}
}

// readable returns why the conn cannot be read, or nil.
func (w *wrapped) readable() error {
	switch {
	case w.closed:
		return net.ErrClosed
	case w.in.deadline <= w.clock.now():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// await returns the first parcel whose delay is over. If it returns none, it
// is the caller's turn to read the inner conn.
func (w *wrapped) await() (*parcel, error) {
	for {
		// A parcel that is due at the deadline is in time.
		if p := w.due(); p != nil {
			return p, nil
		}
		if err := w.readable(); err != nil {
			return nil, w.inner.opError("read", nil, err)
		}
		if !w.in.reading {
			return nil, w.setInnerDeadline()
		}
		w.in.turn.Wait()
	}
}

// setInnerDeadline makes reads of the inner conn return when the callers'
// deadline passes or a parcel is due.
func (w *wrapped) setInnerDeadline() error {
	in := &w.in
	at := min(in.deadline, in.heap.next())
	if at == in.innerDeadline {
		return nil
	}
	in.innerDeadline = at
	if at == never {
		return w.inner.pc.SetReadDeadline(time.Time{})
	}
	return w.inner.pc.SetReadDeadline(w.clock.time(at))
}

// readInner reads the inner conn once. If ok, the datagram is in b; else it
// was dropped or delayed, or none came in time.
func (w *wrapped) readInner(b []byte) (n int, from netip.AddrPort, addr net.Addr, ok bool, err error) {
	if w.in.buf == nil {
		w.in.buf = make([]byte, 1<<16)
	}
	w.beginRead()
	n, from, addr, err = w.inner.read(w.in.buf)
	if again, err := w.endRead(err); again || err != nil {
		return 0, from, addr, false, err
	}
	payload, now := w.judgeRead(w.in.buf[:n], from, addr, netip.Addr{})
	if !now {
		return 0, from, addr, false, nil
	}
	return copy(b, payload), from, addr, true, nil
}

// beginRead unlocks the conn for a read of the inner one.
func (w *wrapped) beginRead() {
	w.in.reading = true
	w.mu.Unlock()
}

// endRead locks the conn after a read of the inner one that returned err. It
// returns the error for the caller, or whether to try again.
func (w *wrapped) endRead(err error) (again bool, _ error) {
	w.mu.Lock()
	w.in.reading = false
	switch {
	case w.closed:
		return false, w.inner.opError("read", nil, net.ErrClosed)
	case errors.Is(err, os.ErrDeadlineExceeded) && w.in.innerDeadline != never:
		return true, nil // the callers' deadline, or a parcel is due
	}
	return false, err
}

// SetReadDeadline sets the time from which on reads fail, those under way
// included, until another is set. The zero time is none.
func (w *wrapped) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.inner.opError("set", nil, net.ErrClosed)
	}
	if !w.in.judged {
		return w.inner.pc.SetReadDeadline(t)
	}
	// The goroutine that reads the inner conn returns in time, and wakes the next
	// of those that wait for their turn.
	w.in.deadline = w.clock.deadline(t)
	return w.setInnerDeadline()
}

// judgeRead judges a datagram, holds delayed copies, and reports whether the read
// returns the datagram now. The payload is valid until the next one is
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

// forgetArrivals drops delayed packets without a trace event, as a socket that is closed
// drops its buffer.
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
