package lossy

import (
	"net"
	"net/netip"
	"os"
	"time"
)

// WriteTo judges one datagram. One that is dropped or delayed counts as
// written.
func (w *wrapped) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, ok := w.destination(b, addr)
	if !ok || !w.judges.egress {
		// Not judged, or not sendable: pc knows the error.
		if err := w.writable(); err != nil {
			return 0, w.opError("write", addr, err)
		}
		return w.pc.WriteTo(b, addr)
	}
	now, err := w.judgeWrite(b, to, addr)
	if err != nil {
		return 0, w.opError("write", addr, err)
	}
	for i := range now {
		if n, err := w.pc.WriteTo(b, addr); i == 0 && err != nil {
			return n, err
		}
	}
	return len(b), nil
}

// destination returns the address whose flow a datagram belongs to, and
// whether it can be sent at all. What is not of UDP is all one flow.
func (w *wrapped) destination(b []byte, addr net.Addr) (netip.AddrPort, bool) {
	if !w.udp {
		return netip.AddrPort{}, true
	}
	a, ok := addr.(*net.UDPAddr)
	if !ok || a == nil || len(b) > 65535-20-8 {
		return netip.AddrPort{}, false
	}
	return unmap(a.AddrPort()), true
}

// writable returns why the conn cannot write, or nil.
func (w *wrapped) writable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writableLocked()
}

func (w *wrapped) writableLocked() error {
	if w.closed {
		return net.ErrClosed
	}
	if !w.writeDeadline.IsZero() && !time.Now().Before(w.writeDeadline) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// judgeWrite judges a datagram, schedules what is delayed, and returns how
// often the caller must write it now.
func (w *wrapped) judgeWrite(b []byte, to netip.AddrPort, addr net.Addr) (now int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.writableLocked(); err != nil {
		return 0, err
	}
	f := w.egress.flows.get(flowKey{w.local, to})
	f.n++
	at := time.Since(w.start)
	for _, fate := range w.egress.judge(f, f.n, b, at) {
		switch {
		case fate.cause != "":
		case fate.delay == 0:
			now++
		default:
			w.schedule(f, b, addr, addDelay(at, fate.delay))
		}
	}
	w.egress.stats.Passed += now
	return now, nil
}

// schedule lets a copy of b leave later.
func (w *wrapped) schedule(f *flow, b []byte, addr net.Addr, at time.Duration) {
	p := w.pool.get(b)
	p.at, p.flow = at, f
	if w.departing+p.size() > maxInFlight {
		w.egress.drop(p, CauseLimit, Outgoing, at)
		w.pool.put(p)
		return
	}
	p.addr = w.ownAddr(f, addr)
	w.seq++
	p.n = w.seq
	w.departing += p.size()
	w.departures.push(&p.event)
	if !w.sending && w.departures.next() < w.alarm {
		w.setAlarm(w.departures.next())
	}
}

// ownAddr returns an address equal to addr that the caller cannot change.
func (w *wrapped) ownAddr(f *flow, addr net.Addr) net.Addr {
	if !w.udp {
		return addr
	}
	if f.addr == nil {
		f.addr = net.UDPAddrFromAddrPort(f.to)
	}
	return f.addr
}

func (w *wrapped) setAlarm(at time.Duration) {
	w.alarm = at
	d := at - time.Since(w.start)
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.depart)
	} else {
		w.timer.Reset(d)
	}
}

// depart is what the timer calls, in a goroutine of its own. It writes what
// is due. If the conn has been closed and nothing is left, it closes pc.
func (w *wrapped) depart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sending {
		return // a timer that had gone off when it was set again
	}
	w.alarm = never
	w.sending = true
	for w.departures.next() <= time.Since(w.start) {
		w.writeOut(w.departures.pop().parcel)
	}
	w.sending = false
	switch next := w.departures.next(); {
	case next != never:
		w.setAlarm(next)
	case w.closed:
		w.pc.Close()
	}
}

// writeOut writes a parcel, with the conn unlocked meanwhile.
func (w *wrapped) writeOut(p *parcel) {
	w.mu.Unlock()
	_, err := w.pc.WriteTo(p.payload, p.addr)
	w.mu.Lock()
	w.departing -= p.size()
	if err != nil {
		w.egress.drop(p, CauseNobody, Outgoing, p.at)
	} else {
		w.egress.stats.Passed++
	}
	w.pool.put(p)
}
