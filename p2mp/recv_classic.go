package p2mp

import (
	"errors"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// classicLinger is how long a receiver answers after the end of a classic transfer: the
// sender tells nothing of its timer, which is about 0.1 s in the P2MP-FTP report and at
// most a second here.
const classicLinger = time.Second

var errNoClassic = errors.New("p2mp: the classic mode is off")

// classicData takes a chunk of the classic mode.
func (l *recvLoop) classicData(now time.Time, d datagram.Packet, p Packet) error {
	if s := l.latest[d.Addr]; p.Seq == 1 && s != nil && s.state == underWay && s.halfOpen() {
		// The sender does not know yet that this receiver has answered its HELLO.
		s.heard(d)
		l.answer(now, s, 0)
		return nil
	}
	if l.noClassic {
		return errNoClassic
	}
	if t := l.all[transferKey{d.Addr, 0}]; t != nil {
		t.local = d.Local
		return l.data(now, t, p)
	}
	return l.classicOpen(now, d, p)
}

// classicOpen begins a transfer with a chunk 1.
func (l *recvLoop) classicOpen(now time.Time, d datagram.Packet, p Packet) error {
	switch {
	case l.single && l.begun && !l.yieldsAny(now):
		return ferry.ErrUnsolicited
	case p.Seq != 1:
		return ErrSequence
	case len(p.Payload) == 0 && !l.mayBeEmpty(now, d.Addr.Addr()):
		return ferry.ErrBusy
	}
	t := newTransfer(now, d, 0, ferry.Offer{Addr: d.Addr, Unnamed: true, Size: -1})
	order := newInOrder(l.seed)
	t.chunks, t.linger = order, l.lingerOr(classicLinger)
	if err := l.admit(now, t, func() error { return nil }); err != nil {
		return err
	}
	if t.state == failed {
		// The sender's retries must not ask the handler again.
		order.taken(p)
		order.over = true
		return nil
	}
	return l.data(now, t, p)
}

// restart begins the next transfer of a classic sender, and ends t if it has not ended.
func (l *recvLoop) restart(now time.Time, t *transfer, first Packet) error {
	if t.state == underWay {
		l.fail(now, t, errRestarted, 0)
	}
	if l.single || t.state == committing || l.satisfied() {
		return ferry.ErrBusy
	}
	l.forget(t)
	if err := l.classicOpen(now, datagram.Packet{Addr: t.key.from, Local: t.local}, first); err != nil {
		return err
	}
	l.all[t.key].chunks.(*inOrder).before = t.chunks.(*inOrder).first
	return nil
}

// saved is called when chunks of t were written. In the classic mode the chunk is
// acknowledged, unless it is the last: that one is acknowledged when the file is kept.
func (l *recvLoop) saved(now time.Time, t *transfer) {
	order, ok := t.chunks.(*inOrder)
	switch {
	case !ok:
	case order.over:
		l.commit(now, t)
	default:
		l.acknowledge(t, order.next-1, false)
	}
}

// confirm tells the sender that its file is kept.
func (l *recvLoop) confirm(now time.Time, t *transfer) {
	if t.session != nil {
		l.answer(now, t, t.session.number)
		return
	}
	l.acknowledge(t, t.chunks.(*inOrder).next-1, false)
}

// acknowledge queues an ACK of a chunk.
func (l *recvLoop) acknowledge(t *transfer, seq uint32, again bool) {
	peer := t.peer()
	peer.Sent++
	if again {
		peer.Retransmitted++
	}
	start := len(l.bytes)
	l.bytes, _ = Packet{Seq: seq, Category: CategoryAck}.AppendBinary(l.bytes)
	l.queue(t.key.from, t.local, start)
}
