package octoput

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/amplify"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A transfer is one file from one sender. After its end it is remembered for
// the linger time, without its sink and its octoblock.
type recvTransfer struct {
	recvState
	key      key
	offer    ferry.Offer
	sink     ferry.Sink
	hash     hash.Hash
	fresh    []byte // the octoblock that was acknowledged and is to be written; part of buf
	code     Code   // why it failed, or was refused; 0 if it did not
	sum      []byte // after its end, the digest of the file
	report   Report
	start    time.Time
	since    time.Time // start, without what sinks took
	progress time.Time // the latest, likewise
	expires  time.Time
	ended    time.Time

	local  netip.Addr     // the address of this host that the sender sends to
	budget amplify.Budget // of acknowledgements: no more bytes than arrived

	touched bool // it is in serving.touched
	owing   bool // it owes an acknowledgement of what is held
}

func (t *recvTransfer) underWay() bool { return t.sink != nil }

// arrived takes one packet from the conn.
func (v *recvCall) arrived(now time.Time, d datagram.Packet) {
	p, err := ParsePacket(d.Data)
	if err != nil {
		v.ignored(d.Addr, nil, err)
		return
	}
	v.local = d.Local
	t := v.transfers[key{d.Addr, p.Session}]
	if t != nil {
		t.local = d.Local
		t.budget.Allow(len(d.Data), BlockSize)
	}
	switch {
	case p.Type == Ack || p.Type == Open && p.Flags == ask:
		err = ErrType // this is the side that sends these
	case p.Type == Err:
		err = v.refused(now, d.Addr, p, t)
	case p.Type == Open:
		err = v.opened(now, d.Addr, p, t)
	case t == nil:
		err = v.unknown(d.Addr, p)
	case t.code != 0:
		v.tell(d.Addr, d.Local, p, t.code)
	case p.Type == Leg:
		err = v.leg(now, t, p)
	default:
		err = v.fin(now, t, p)
	}
	if err != nil {
		v.ignored(d.Addr, t, err)
	}
}

// unknown tells the sender of an octoleg or a FIN that its transfer is not known here.
// The answer is shorter than what it answers, and never answered.
func (v *recvCall) unknown(from netip.AddrPort, p Packet) error {
	if v.only && v.last != nil && v.last.offer.Addr != from {
		return ferry.ErrUnsolicited
	}
	v.tell(from, v.local, p, CodeUnknown)
	return ErrSession
}

// tell queues an ERR in answer to p.
func (v *recvCall) tell(to netip.AddrPort, local netip.Addr, p Packet, code Code) {
	v.answer(to, local, Packet{Type: Err, Session: p.Session, Block: p.Block, Payload: []byte{byte(code)}})
}

// opened takes an OPEN that offers a file. The error says why it is ignored.
func (v *recvCall) opened(now time.Time, from netip.AddrPort, p Packet, t *recvTransfer) error {
	o, err := ParseOpening(p.Payload)
	switch {
	case err != nil:
		return err
	case t == nil:
		return v.admit(now, from, p, o)
	case t.offer.Size != o.Size || t.offer.Name != o.Name:
		return ErrSize
	}
	t.report.Duplicates++
	t.rough = true
	if t.code != 0 {
		v.tell(from, v.local, p, t.code)
		return nil
	}
	v.received(t, PacketEvent{Type: Open, Before: t.held, After: t.held, Again: true})
	v.acknowledge(t, 0, AllLegs, true)
	return nil
}

// admit begins a transfer. The error says why p is ignored.
func (v *recvCall) admit(now time.Time, from netip.AddrPort, p Packet, o Opening) error {
	if !v.expected(from, o) {
		return ferry.ErrUnsolicited
	}
	if v.only && v.last != nil || !v.makeRoom(now, from) {
		v.tell(from, v.local, p, CodeBusy)
		return ferry.ErrUnsolicited
	}
	t := &recvTransfer{
		key:    key{from, p.Session},
		offer:  ferry.Offer{Addr: from, Session: uint64(p.Session), Name: o.Name, Size: o.Size},
		hash:   sha256.New(),
		start:  now,
		since:  now,
		local:  v.local,
		report: Report{Addr: from, Session: p.Session, Name: o.Name, Size: o.Size},
	}
	t.budget.Allow(headerLen+len(p.Payload), BlockSize)
	v.remember(t)
	sink, err := v.handler.Accept(t.offer)
	if err == nil && sink == nil {
		err = errors.New("octoput: the handler returned no sink")
	}
	if err != nil {
		v.finish(now, t, fmt.Errorf("octoput: refused: %w", err), codeOf(err, CodeRefused))
		v.tell(from, v.local, p, t.code)
		if t.code == CodeBusy { // a repeated OPEN asks the handler again
			delete(v.transfers, t.key)
		}
		return nil
	}
	t.reset(o.Size)
	t.sink = sink
	v.active++
	v.progress(now, t)
	if v.trace.Accepted != nil {
		v.trace.Accepted(TransferEvent{Addr: t.offer.Addr, Offer: t.offer})
	}
	v.received(t, PacketEvent{Type: Open})
	v.acknowledge(t, 0, AllLegs, false)
	return nil
}

// expected reports whether a file may be offered: at Get only the one that was asked
// for, under its own name, and elsewhere only one that was not the answer to a
// question.
func (v *recvCall) expected(from netip.AddrPort, o Opening) bool {
	if v.question != nil && o.Name != v.question.name {
		return false
	}
	return o.Answers == v.asked.session && (o.Answers == 0 || from == v.asked.peer)
}

// remember makes t known. Where too many ended transfers are remembered it forgets one: a
// failed or refused one if there is any, so that those that are whole are remembered, and
// of these the one that would be forgotten next.
func (v *recvCall) remember(t *recvTransfer) {
	v.last = t
	if len(v.transfers) >= 2*v.maxTransfers {
		var oldest *recvTransfer
		for _, t := range v.transfers {
			if !t.underWay() && (oldest == nil || t.forgottenBefore(oldest)) {
				oldest = t
			}
		}
		delete(v.transfers, oldest.key)
	}
	v.transfers[t.key] = t
}

// forgottenBefore is the order in which ended transfers are forgotten.
func (t *recvTransfer) forgottenBefore(u *recvTransfer) bool {
	if failed := t.code != 0; failed != (u.code != 0) {
		return failed
	}
	return t.expires.Before(u.expires)
}

// leg does what recvState says about an octoleg.
func (v *recvCall) leg(now time.Time, t *recvTransfer, p Packet) error {
	what, err := t.judge(p)
	if what == ignore {
		return err
	}
	v.answered()
	before := t.held
	if what == repeat {
		t.report.Duplicates++
		v.received(t, PacketEvent{Type: Leg, Block: p.Block, Flags: p.Flags, Before: before, After: before, Again: true})
		v.again(t, p)
		return nil
	}
	v.progress(now, t)
	if !v.write(now, t) { // before put overwrites it
		return nil
	}
	whole := t.put(p)
	v.received(t, PacketEvent{Type: Leg, Block: p.Block, Flags: p.Flags, Before: before, After: t.held})
	v.touch(t)
	if !whole {
		t.owing = t.owing || t.owes()
		return nil
	}
	t.owing = false
	v.acknowledge(t, p.Block, AllLegs, false)
	t.fresh = t.data()
	t.forward()
	return nil
}

// again acknowledges an octoleg that is known: one of the block that is due with the
// others of it, one of a finished block at once, but once only for all that arrived
// together.
func (v *recvCall) again(t *recvTransfer, p Packet) {
	if p.Block == t.block.Number {
		v.touch(t)
		t.owing = true
		return
	}
	for _, a := range v.answers {
		q, err := ParsePacket(a.Data)
		if err == nil && q.Type == Ack && a.Addr == t.offer.Addr && q.Session == p.Session && q.Block == p.Block {
			return
		}
	}
	v.acknowledge(t, p.Block, AllLegs, true)
}

// touch remembers t for flush.
func (v *recvCall) touch(t *recvTransfer) {
	if !t.touched {
		t.touched = true
		v.touched = append(v.touched, t)
	}
}

// acknowledgePart acknowledges the octolegs that have arrived of an incomplete octoblock,
// once for each batch of packets.
func (v *recvCall) acknowledgePart(t *recvTransfer) {
	if t.owing && t.underWay() && t.held != 0 {
		v.acknowledge(t, t.block.Number, t.held, false)
	}
	t.owing = false
}

// acknowledge queues an ACK.
func (v *recvCall) acknowledge(t *recvTransfer, block uint64, held Legs, again bool) {
	for range t.copies() {
		if !t.budget.Allows(headerLen) {
			return
		}
		t.budget.Sent(headerLen)
		v.answer(t.offer.Addr, t.local, Packet{Type: Ack, Flags: held, Session: t.key.session, Block: block})
		t.report.Sent++
		if again {
			t.report.Retransmitted++
		}
		if v.trace.Sent != nil {
			v.trace.Sent(PacketEvent{
				Addr:    t.offer.Addr,
				Session: t.key.session, Type: Ack, Block: block, Flags: held,
				Before: t.held, After: t.held, Again: again,
			})
		}
		again = true
	}
}

// write gives the sink the octoblock that arrived, and takes it into the digest. The
// sender prepares the next one meanwhile: the acknowledgement of an octoblock says only that
// it need not be retransmitted, and the acknowledgement of the FIN that the file is kept.
// write reports whether the transfer continues.
func (v *recvCall) write(now time.Time, t *recvTransfer) bool {
	if t.fresh == nil {
		return true
	}
	began := time.Now()
	err := write(t.sink, t.fresh)
	v.shiftDeadlines(began)
	if err != nil {
		v.fail(now, t, fmt.Errorf("octoput: writing octoblock %d: %w", t.block.Number-1, err), codeOf(err, CodeFailed))
		return false
	}
	t.hash.Write(t.fresh)
	t.report.Bytes += int64(len(t.fresh))
	t.report.Blocks++
	t.fresh = nil
	return true
}

// fin verifies and keeps the file; or says once more that it did. The error says why p
// is ignored.
func (v *recvCall) fin(now time.Time, t *recvTransfer, p Packet) error {
	if p.Block != t.plan.count()+1 || !t.all() {
		return ErrBlock
	}
	v.answered()
	v.received(t, PacketEvent{Type: Fin, Block: p.Block, Again: !t.underWay()})
	if !t.underWay() {
		if !bytes.Equal(t.sum, p.Payload) {
			return ferry.ErrDigest
		}
		t.report.Duplicates++
		t.rough = true
		v.acknowledge(t, p.Block, AllLegs, true)
		v.rest(now, t)
		return nil
	}
	if !v.write(now, t) {
		return nil
	}
	t.sum = t.hash.Sum(nil)
	if !bytes.Equal(t.sum, p.Payload) {
		v.fail(now, t, errDigest, CodeDigest)
		return nil
	}
	began := time.Now()
	err := t.sink.Commit()
	v.shiftDeadlines(began)
	if err != nil {
		v.drop(now, t, fmt.Errorf("octoput: keeping the file: %w", err), codeOf(err, CodeFailed))
		return nil
	}
	v.acknowledge(t, p.Block, AllLegs, false)
	v.complete++
	v.finish(time.Now(), t, nil, 0) // Commit may have taken its time
	return nil
}

// refused ends a transfer because its sender says so, or the asking because the server
// does. The error says why p is ignored.
func (v *recvCall) refused(now time.Time, from netip.AddrPort, p Packet, t *recvTransfer) error {
	said := &RemoteError{Addr: from, Code: Code(p.Payload[0])}
	switch {
	case t != nil && t.underWay():
		v.received(t, PacketEvent{Type: Err, Block: p.Block, Before: t.held, After: t.held})
		v.fail(now, t, said, CodeStopped)
	case v.question != nil && v.last == nil && v.asked == key{from, p.Session}:
		if said.Code == CodeBusy {
			v.question.busy = said // there may be a place when the question is repeated
			return nil
		}
		v.err = &PeerError{Addr: from, Err: said}
	case t == nil:
		return ErrSession
	}
	return nil
}

func (v *recvCall) received(t *recvTransfer, e PacketEvent) {
	if v.trace.Received != nil {
		e.Session = t.key.session
		e.Addr = t.offer.Addr
		v.trace.Received(e)
	}
}

// write fails also when w took less than it was given and kept silent about it.
func write(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// fail ends a transfer that is under way, and tells its sender, unless that is where
// the news is from.
func (v *recvCall) fail(now time.Time, t *recvTransfer, err error, code Code) {
	t.sink.Abort(err)
	v.drop(now, t, err, code)
}

// drop is fail for a sink that was told already.
func (v *recvCall) drop(now time.Time, t *recvTransfer, err error, code Code) {
	var said *RemoteError
	if !errors.As(err, &said) {
		v.tell(t.offer.Addr, t.local, Packet{Session: t.key.session, Block: t.block.Number}, code)
	}
	v.finish(now, t, err, code)
}

// finish notes how a transfer ended; err is nil when the file is whole.
func (v *recvCall) finish(now time.Time, t *recvTransfer, err error, code Code) {
	if t.underWay() {
		v.active--
	}
	t.sink, t.buf, t.fresh, t.hash = nil, nil, nil, nil
	t.code, t.ended = code, now
	if v.only {
		v.err = err
	}
	v.rest(now, t)
	t.report.Elapsed = now.Sub(t.start)
	if v.trace.Finished != nil {
		v.trace.Finished(TransferEvent{t.offer.Addr, t.offer, t.report, err})
	}
}

// rest lets t be remembered for the linger time, or longer where the call goes on anyway.
func (v *recvCall) rest(now time.Time, t *recvTransfer) {
	d := v.linger
	if v.wanted == 0 {
		d = max(d, memory)
	}
	t.expires = earlier(now.Add(d), t.ended.Add(d+confirming))
	v.schedule(t.expires)
}

// progress notes that the sender sent something new. Nothing else lets it go on for longer.
func (v *recvCall) progress(now time.Time, t *recvTransfer) {
	t.progress, t.expires = now, now.Add(v.giveUp)
	v.schedule(t.expires)
}
