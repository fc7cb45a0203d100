package lossy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// ReadFrom returns the next datagram that the models let pass.
func (w *wrapped) ReadFrom(b []byte) (int, net.Addr, error) {
	if !w.judges.ingress {
		n, addr, err := w.pc.ReadFrom(b)
		return n, addr, w.readError(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.turn.Signal() // whatever this reader leaves is for the next
	if err := w.readable(); err != nil {
		return 0, nil, w.opError("read", nil, err)
	}
	for {
		if p := w.due(); p != nil {
			return w.take(p, b)
		}
		if err := w.readable(); err != nil {
			return 0, nil, w.opError("read", nil, err)
		}
		if w.reading {
			w.turn.Wait()
			continue
		}
		if n, addr, ok, err := w.readInner(b); ok || err != nil {
			return n, addr, err
		}
	}
}

// readError returns the error of a read of pc as the caller is to see it.
func (w *wrapped) readError(err error) error {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed { // and pc only later, so that its reads were ended by a deadline
		return w.opError("read", nil, net.ErrClosed)
	}
	return err
}

// readable returns why the conn cannot be read, or nil.
func (w *wrapped) readable() error {
	if w.closed {
		return net.ErrClosed
	}
	if !w.readDeadline.IsZero() && !time.Now().Before(w.readDeadline) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// due takes the first packet whose delay is over, or returns nil.
func (w *wrapped) due() *parcel {
	if w.arrivals.next() > time.Since(w.start) {
		return nil
	}
	p := w.arrivals.pop().parcel
	w.arriving -= p.size()
	return p
}

func (w *wrapped) take(p *parcel, b []byte) (int, net.Addr, error) {
	n, addr := copy(b, p.payload), p.addr
	w.ingress.stats.Passed++
	w.pool.put(p)
	return n, addr, nil
}

// readInner reads pc once, with the conn unlocked meanwhile. If ok, the
// datagram is in b; otherwise it was dropped or delayed, or there was none in
// time.
func (w *wrapped) readInner(b []byte) (n int, addr net.Addr, ok bool, err error) {
	if err := w.setInnerDeadline(); err != nil {
		return 0, nil, false, err
	}
	if w.scratch == nil {
		w.scratch = make([]byte, 1<<16)
	}
	w.reading = true
	w.mu.Unlock()
	n, addr, err = w.pc.ReadFrom(w.scratch)
	w.mu.Lock()
	w.reading = false
	switch {
	case w.closed:
		return 0, nil, false, w.opError("read", nil, net.ErrClosed)
	case err != nil && errors.Is(err, os.ErrDeadlineExceeded) && !w.innerDeadline.IsZero():
		return 0, nil, false, nil // the caller's deadline or a packet that is due
	case err != nil:
		return n, addr, false, err
	}
	n, ok = w.judgeRead(b, w.scratch[:n], addr)
	return n, addr, ok, nil
}

// setInnerDeadline makes pc's reads return when the caller's deadline passes
// or a packet is due.
func (w *wrapped) setInnerDeadline() error {
	at := w.readDeadline
	if next := w.arrivals.next(); next != never {
		if due := w.start.Add(next); at.IsZero() || due.Before(at) {
			at = due
		}
	}
	if at.Equal(w.innerDeadline) {
		return nil
	}
	w.innerDeadline = at
	return w.pc.SetReadDeadline(at)
}

// judgeRead judges a datagram and holds what is delayed. If it is for now, it
// is put into b, and ok.
func (w *wrapped) judgeRead(b, payload []byte, addr net.Addr) (n int, ok bool) {
	var from netip.AddrPort
	if a, is := addr.(*net.UDPAddr); is {
		from = unmap(a.AddrPort())
	}
	f := w.ingress.flows.get(flowKey{from, w.local})
	f.n++
	at := time.Since(w.start)
	for _, fate := range w.ingress.judge(f, f.n, payload, at) {
		switch {
		case fate.cause != "":
		case fate.delay == 0 && !ok:
			n, ok = copy(b, payload), true
			w.ingress.stats.Passed++
		default:
			w.hold(f, payload, addr, addDelay(at, fate.delay))
		}
	}
	return n, ok
}

// hold keeps a copy of a datagram until it is due.
func (w *wrapped) hold(f *flow, payload []byte, addr net.Addr, at time.Duration) {
	p := w.pool.get(payload)
	p.at, p.flow, p.addr = at, f, addr
	if w.arriving+p.size() > maxInFlight {
		w.ingress.drop(p, CauseLimit, Incoming, at)
		w.pool.put(p)
		return
	}
	w.seq++
	p.n = w.seq
	w.arriving += p.size()
	w.arrivals.push(&p.event)
}

// SetReadDeadline sets the time from which on reads fail.
func (w *wrapped) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.opError("set", nil, net.ErrClosed)
	}
	w.readDeadline = t
	if w.judges.ingress {
		w.turn.Broadcast()
		return w.setInnerDeadline()
	}
	return w.pc.SetReadDeadline(t)
}
