package p2mp

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// A transfer is what comes from one sender in the classic mode. After its end it is
// remembered for the linger time, without its sink.
type transfer struct {
	inbound
	offer   ferry.Offer
	sink    ferry.Sink
	failed  bool // or refused: nothing is answered
	report  Report
	start   time.Time
	expires time.Time
}

func (t *transfer) underWay() bool { return t.sink != nil }

// admit begins a transfer with chunk 1 from an address that has none. The error says
// why p is ignored.
func (v *serving) admit(now time.Time, from netip.AddrPort, p Packet) error {
	switch {
	case v.only && v.begun:
		return ferry.ErrUnsolicited
	case p.Seq != 1:
		return ErrSequence
	case v.full():
		return ferry.ErrBusy
	}
	t := &transfer{
		inbound: newInbound(v.seed),
		offer:   ferry.Offer{Addr: from, Unnamed: true, Size: -1},
		start:   now,
		report:  Report{Peers: []PeerReport{{Addr: from, State: Receiving}}},
	}
	v.remember(t)
	sink, err := v.accept(t.offer)
	if err != nil {
		t.taken(p) // so that the sender's next tries do not ask the handler again
		v.finish(t, fmt.Errorf("p2mp: refused: %w", err))
		return nil
	}
	t.sink = sink
	v.active++
	v.extend(now, t, v.giveUp)
	if v.trace.Accepted != nil {
		v.trace.Accepted(t.offer)
	}
	return v.chunk(now, t, p)
}

// remember makes t known, and forgets the finished transfer that would have been
// forgotten next where there are too many.
func (v *serving) remember(t *transfer) {
	v.begun, v.lastReport = true, &t.report
	if len(v.transfers)/2 >= v.room {
		var oldest *transfer
		for _, t := range v.transfers {
			if !t.underWay() && (oldest == nil || t.expires.Before(oldest.expires)) {
				oldest = t
			}
		}
		if oldest != nil {
			delete(v.transfers, oldest.offer.Addr)
		}
	}
	v.transfers[t.offer.Addr] = t
}

// chunk does what the state machine says about a chunk of a known sender.
func (v *serving) chunk(now time.Time, t *transfer, p Packet) error {
	what, err := t.judge(p)
	if t.failed && (what == repeat || what == ignore) {
		return nil // the sender cannot know, and goes on trying
	}
	switch what {
	case deliver:
		v.extend(now, t, v.giveUp)
		v.deliver(now, t, p)
	case repeat:
		t.report.Peers[0].Duplicates++
		v.acknowledge(t, p, true)
		if t.underWay() {
			v.extend(now, t, v.giveUp)
		} else {
			v.extend(now, t, v.linger)
			v.quietUntil(now, v.linger)
		}
	case broken:
		v.fail(t, errRestarted)
	case anew:
		return v.restart(now, t, p)
	case resumed:
		if err := v.restart(now, t, Packet{Seq: 1, Category: CategoryData, Payload: t.held}); err != nil {
			return err
		}
		return v.chunk(now, v.transfers[t.offer.Addr], p)
	}
	return err
}

// restart begins the sender's next transfer, and ends t if it has not ended.
func (v *serving) restart(now time.Time, t *transfer, first Packet) error {
	if t.underWay() {
		v.fail(t, errRestarted)
	}
	if v.only || v.full() {
		return ferry.ErrBusy
	}
	delete(v.transfers, t.offer.Addr)
	if err := v.admit(now, t.offer.Addr, first); err != nil {
		return err
	}
	v.transfers[t.offer.Addr].before = t.first
	return nil
}

// deliver writes a chunk and acknowledges it; the last one not before the sink has the
// file whole and safe.
func (v *serving) deliver(now time.Time, t *transfer, p Packet) {
	last := t.taken(p)
	if err := write(t.sink, p.Payload); err != nil {
		v.fail(t, fmt.Errorf("p2mp: writing chunk %d: %w", p.Seq, err))
		return
	}
	if last {
		if err := t.sink.Commit(); err != nil {
			v.finish(t, &commitError{err})
			return
		}
	}
	t.report.Bytes += int64(len(p.Payload))
	t.report.Chunks++
	v.acknowledge(t, p, false)
	if last {
		v.complete++
		v.finish(t, nil)
	}
}

// write fails also when w took less than it was given and kept silent about it.
func write(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// fail ends a transfer that is under way.
func (v *serving) fail(t *transfer, err error) {
	t.sink.Abort(err)
	v.finish(t, err)
}

// finish notes how a transfer ended; err is nil when the file is whole.
func (v *serving) finish(t *transfer, err error) {
	now := time.Now() // the sink may have taken its time
	if t.underWay() {
		v.active--
		t.sink = nil
	}
	t.over = true
	t.failed = err != nil
	v.err = err
	v.extend(now, t, v.linger)
	if err == nil {
		v.quietUntil(now, v.linger)
	}
	t.report.Elapsed = now.Sub(t.start)
	peer := &t.report.Peers[0]
	peer.State, peer.Err = Complete, err
	if err != nil {
		peer.State = Dropped
	} else {
		peer.Elapsed = t.report.Elapsed
	}
	peer.Bytes, peer.Chunks = t.report.Bytes, t.report.Chunks
	if v.trace.Finished != nil {
		v.trace.Finished(t.offer, t.report.clone(), err)
	}
}

// extend lets t expire after d, from now.
func (v *serving) extend(now time.Time, t *transfer, d time.Duration) {
	t.expires = now.Add(d)
	v.wake = earlier(v.wake, t.expires)
}
