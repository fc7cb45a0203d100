package p2mp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// outboxSize is how many packets are written at once.
const outboxSize = 32

// outgoing describes a packet in the outbox, for the counters.
type outgoing struct {
	peer   int    // everybody: it goes to the group; nobody: to an applicant
	seq    uint32 // 0: no DATA
	length int
	again  bool
}

// post puts a packet for one receiver into the outbox.
func (t *sending) post(i int, packet []byte) { t.postTo(t.peers[i].addr, i, packet) }

func (t *sending) postTo(to netip.AddrPort, i int, packet []byte) {
	b := t.buffer()
	t.put(datagram.Packet{Data: append(b, packet...), Addr: to}, outgoing{peer: i})
}

// postMessage puts a packet of the extended mode for one receiver into the outbox.
func (t *sending) postMessage(i int, c Category, body message) {
	t.postMessageTo(t.peers[i].addr, i, c, body)
}

func (t *sending) postMessageTo(to netip.AddrPort, i int, c Category, body message) {
	b := t.buffer()
	t.put(datagram.Packet{Data: appendMessage(b, c, body), Addr: to}, outgoing{peer: i})
}

// put fills the entry that buffer has added.
func (t *sending) put(p datagram.Packet, o outgoing) {
	t.out[len(t.out)-1] = p
	t.bulk = append(t.bulk, o)
}

// postChunk puts a chunk of the file into the outbox, for one receiver or for everybody.
func (t *sending) postChunk(now time.Time, i int, seq uint32, again bool) error {
	b := t.buffer()[:headerLen+t.mss]
	n, err := t.store.chunk(seq, b[headerLen:])
	if err != nil {
		t.out = t.out[:len(t.out)-1]
		return err
	}
	b = b[:headerLen+n]
	binary.BigEndian.PutUint32(b, seq)
	binary.BigEndian.PutUint32(b[4:], uint32(CategoryData)) // and a checksum of zero
	seal(b, t.session)
	to, deficit := t.crowd.addr, &t.crowd.deficit
	if i != everybody {
		to = t.peers[i].addr
		if !t.peers[i].flight.grouped {
			deficit = &t.peers[i].deficit
		}
	}
	t.put(datagram.Packet{Data: b, Addr: to}, outgoing{peer: i, seq: seq, length: n, again: again})
	t.share.spend(now, deficit, len(b))
	return nil
}

// buffer adds an entry to the outbox and returns its empty buffer. A full outbox is written
// first. Buffers are reused.
func (t *sending) buffer() []byte {
	if t.out == nil {
		t.out = make([]datagram.Packet, 0, outboxSize)
	}
	if len(t.out) == outboxSize {
		t.flushNow()
	}
	n := len(t.out)
	t.out = t.out[:n+1]
	if t.out[n].Data == nil {
		t.out[n].Data = make([]byte, 0, headerLen+max(t.mss, len(t.hello)))
	}
	return t.out[n].Data[:0]
}

// flushNow writes the outbox. An error ends the transfer, later.
func (t *sending) flushNow() {
	if err := t.flush(); err != nil && t.failure == nil {
		t.failure = err
	}
}

// flush writes the outbox.
func (t *sending) flush() error {
	done := 0 // packets that are counted
	left := func(until int) {
		for ; done < until; done++ {
			t.sent(t.bulk[done])
		}
	}
	err := datagram.Send(t.conn, t.out, func(i int, err error) {
		left(i)
		t.writeFailed(t.bulk[i].peer, err)
		done++
	})
	if err != nil {
		err = fmt.Errorf("p2mp: sending: %w", err)
	} else {
		left(len(t.out))
	}
	t.out, t.bulk = t.out[:0], t.bulk[:0]
	return err
}

// sent counts a packet that left.
func (t *sending) sent(o outgoing) {
	if o.peer == everybody {
		t.invitation.unsent = nil
	}
	if o.seq == 0 {
		return
	}
	to, sent, again := t.crowd.addr, &t.report.GroupSent, &t.report.GroupRetransmitted
	if o.peer != everybody {
		r := &t.report.Peers[o.peer]
		to, sent, again = r.Addr, &r.Sent, &r.Retransmitted
	}
	*sent++
	if o.again {
		*again++
	}
	if t.trace.Sent != nil {
		t.trace.Sent(PacketEvent{Addr: to, Seq: o.seq, Length: o.length, Again: o.again})
	}
}

// writeFailed records that a packet for a receiver, or for the group, could not be sent.
func (t *sending) writeFailed(i int, err error) {
	switch i {
	case nobody:
		return
	case everybody: // there may be no route to the group
		t.invitation.unsent = err
		if t.trace.WriteFailed != nil {
			t.trace.WriteFailed(PacketEvent{Addr: t.crowd.addr, Err: err})
		}
		return
	}
	p := &t.peers[i]
	if datagram.TooLong(err) && p.stage != over {
		err = fmt.Errorf("an MSS of %d bytes is too long for the way: %w", t.mss, err)
		t.leaveClassic(i)
		t.drop(i, &PeerError{Addr: p.addr, Seq: t.report.Peers[i].Chunks + 1, Err: err})
		return
	}
	p.unsent = &writeError{err}
	if t.trace.WriteFailed != nil {
		t.trace.WriteFailed(PacketEvent{Addr: p.addr, Err: err})
	}
}

// goodbye sends an ABORT to all receivers that use or may use the extended mode. It also
// sends one to an invited group, because answers to the invitation may have been lost.
func (t *sending) goodbye(ctx context.Context, err error) {
	reason := ReasonGivenUp
	switch _, incomplete := err.(*IncompleteError); {
	case ctx.Err() != nil || t.failure != nil:
		reason = ReasonCanceled
	case err != nil && !incomplete && !errors.Is(err, ErrNobody):
		reason = ReasonSource
	}
	t.out, t.bulk = t.out[:0], t.bulk[:0]
	if t.listless {
		for range 2 { // one may be lost
			t.postMessageTo(t.crowd.addr, everybody, CategoryAbort, &abort{session: t.session, reason: reason})
		}
	}
	for i := range t.peers {
		switch t.peers[i].stage {
		case extended:
			t.tell(i, reason)
		case joining, classic:
			t.withdraw(i, reason)
		}
	}
	_ = t.flush() // the transfer has ended, with or without an error
}

// withdraw sends an ABORT to a receiver that has never answered. If the HELLO still waits in
// the socket of a suspended receiver, the ABORT waits behind it.
func (t *sending) withdraw(i int, reason Reason) {
	if t.peers[i].join.tries > 0 && t.report.Peers[i].Chunks == 0 {
		t.tell(i, reason)
	}
}

func (t *sending) tell(i int, reason Reason) {
	t.postMessage(i, CategoryAbort, &abort{session: t.session, reason: reason})
}
