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

// outgoing is what a packet in the outbox is, for the counters.
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

// buffer adds an entry to the outbox and returns its empty buffer. The outbox is
// written first if it is full. Buffers are used again and again.
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
	defer func() { t.out, t.bulk = t.out[:0], t.bulk[:0] }()
	for done := 0; done < len(t.out); {
		n, err := t.conn.Write(t.out[done:])
		for _, o := range t.bulk[done : done+n] {
			t.sent(o)
		}
		done += n
		if err == nil {
			continue
		}
		if err := t.writeFailed(t.bulk[done].peer, err); err != nil {
			return err
		}
		done++
	}
	return nil
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

// writeFailed sorts what ends the transfer from what loses one packet.
func (t *sending) writeFailed(i int, err error) error {
	if datagram.Fatal(err) {
		return fmt.Errorf("p2mp: sending: %w", err)
	}
	switch i {
	case nobody:
		return nil
	case everybody: // there may be no way to the group: then it reaches nobody
		t.invitation.unsent = err
		if t.trace.WriteFailed != nil {
			t.trace.WriteFailed(PacketEvent{Addr: t.crowd.addr, Err: err})
		}
		return nil
	}
	p := &t.peers[i]
	switch {
	case datagram.TooLong(err) && p.stage != over:
		err = fmt.Errorf("an MSS of %d bytes is too long for the way: %w", t.mss, err)
		t.leaveClassic(i)
		t.drop(i, &PeerError{Addr: p.addr, Seq: t.report.Peers[i].Chunks + 1, Err: err})
		return nil
	}
	p.unsent = &writeError{err}
	if t.trace.WriteFailed != nil {
		t.trace.WriteFailed(PacketEvent{Addr: p.addr, Err: err})
	}
	return nil
}

// goodbye tells receivers that are of the extended mode, or may be, that nothing more
// will come; and all who heard an invitation, for their answers may have been lost.
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
	t.flush() // it has failed already
}

// withdraw takes back the HELLO that went to a receiver that was never heard from. It
// may wait in a socket that nobody reads just now; the ABORT waits behind it.
func (t *sending) withdraw(i int, reason Reason) {
	if t.peers[i].join.tries > 0 && t.report.Peers[i].Chunks == 0 {
		t.tell(i, reason)
	}
}

func (t *sending) tell(i int, reason Reason) {
	t.postMessage(i, CategoryAbort, &abort{session: t.session, reason: reason})
}
