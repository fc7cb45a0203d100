package p2mp

import (
	"encoding/binary"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// A classicSending is the part of a transfer that serves the receivers of the classic
// protocol, in lock-step.
type classicSending struct {
	steps   lockstep
	peers   []int // of steps.peers: their index in sending.peers
	deficit int   // of their share of the rate
	begun   bool
	over    bool
	first   int    // length of chunk 1
	length  int    // of the chunk in flight
	packet  []byte // the chunk in flight
	shots   []shot // that are due,
	buffer  []shot // in a buffer that is used again and again
}

// active reports whether chunks are still needed here.
func (c *classicSending) active() bool { return c.begun && !c.over }

// becomeClassic takes a receiver into the lock-step.
func (t *sending) becomeClassic(i int) {
	t.peers[i].stage = classic
	if t.trace.Joined != nil {
		t.trace.Joined(PacketEvent{Addr: t.peers[i].addr, Extended: false})
	}
}

// workClassic does what the lock-step has to do at now.
func (t *sending) workClassic(now time.Time) (wake time.Time, err error) {
	c := &t.classic
	if c.over {
		return time.Time{}, nil
	}
	if !c.begun {
		t.gatherClassic(now)
		if len(c.peers) == 0 {
			c.over = true
			return time.Time{}, nil
		}
	}
	for {
		if c.shootSome(t, now); len(c.shots) > 0 {
			if !t.share.may(now, c.deficit) {
				return t.share.next, nil
			}
			return now, nil // answers first: they must find room in the socket
		}
		if c.steps.seq == 0 || c.steps.settled() {
			if c.steps.seq > 0 && (c.steps.last || !c.steps.alive()) {
				t.endClassic()
				return time.Time{}, nil
			}
			if ready, err := t.loadClassic(now); !ready {
				return time.Time{}, err
			}
		}
		var given []int
		c.buffer, given, wake = c.steps.next(now, c.buffer[:0])
		c.shots = c.buffer
		for _, i := range given {
			t.giveClassic(i)
		}
		if t.failure != nil {
			return wake, nil
		}
		if len(c.shots) == 0 && !c.steps.settled() {
			return wake, nil
		}
	}
}

// shootSome posts a batch of the shots that are due.
func (c *classicSending) shootSome(t *sending, now time.Time) {
	for n := 0; n < 2*outboxSize && len(c.shots) > 0; n++ {
		s := c.shots[0]
		if c.steps.spares(s) {
			c.shots = c.shots[1:]
			continue
		}
		if !t.share.may(now, c.deficit) {
			return
		}
		c.shots = c.shots[1:]
		t.shoot(s)
		t.share.spend(now, &c.deficit, len(c.packet))
		c.steps.sent(now, s)
	}
}

// gatherClassic begins the lock-step with all receivers that did not answer a HELLO.
func (t *sending) gatherClassic(now time.Time) {
	c := &t.classic
	c.begun = true
	c.steps = lockstep{
		policy: t.policy,
		join:   max(t.join-now.Sub(t.start), 0),
		giveUp: t.giveUp,
	}
	for i := range t.peers {
		if t.peers[i].stage == classic {
			c.peers = append(c.peers, i)
			c.steps.peers = append(c.steps.peers, steppingPeer{addr: t.peers[i].addr, rtt: rtt.Estimator{Config: t.peers[i].timer}})
		}
	}
}

// loadClassic puts the next chunk in flight, if the source has it yet.
func (t *sending) loadClassic(now time.Time) (ready bool, err error) {
	c := &t.classic
	seq := c.steps.seq + 1
	if t.store.at == nil {
		if uint64(seq) > uint64(t.lowest())+uint64(t.window) {
			return false, nil // receivers of the extended mode are a window behind
		}
		if err := t.store.fill(seq); err != nil {
			return false, err
		}
	}
	if c.packet == nil {
		c.packet = make([]byte, headerLen+t.mss)
	}
	b := c.packet[:headerLen+t.mss]
	if c.length, err = t.store.chunk(seq, b[headerLen:]); err != nil {
		return false, err
	}
	b = b[:headerLen+c.length]
	binary.BigEndian.PutUint32(b, seq)
	binary.BigEndian.PutUint32(b[4:], uint32(CategoryData)) // and a checksum of zero
	seal(b, 0)
	c.packet = b
	if seq == 1 {
		c.first = c.length
	}
	c.steps.begin(now, c.length < c.first || c.length == 0)
	return true, nil
}

func (t *sending) shoot(s shot) {
	c := &t.classic
	i := c.peers[s.peer]
	if s.again && t.trace.Timeout != nil {
		t.trace.Timeout(PacketEvent{Addr: t.peers[i].addr, Seq: c.steps.seq})
	}
	b := t.buffer()
	t.out[len(t.out)-1] = datagram.Packet{Data: append(b, c.packet...), Addr: t.peers[i].addr}
	t.bulk = append(t.bulk, outgoing{peer: i, seq: c.steps.seq, length: c.length, again: s.again})
}

// acked takes an acknowledgement.
func (t *sending) acked(now time.Time, i int, seq uint32) error {
	c, p, r := &t.classic, &t.peers[i], &t.report.Peers[i]
	switch {
	case seq == 0 && p.stage == joining:
		t.becomeClassic(i) // its answer to a HELLO that it did not understand
		return nil
	case seq == 0, p.stage != classic && p.stage != over, !c.begun:
		return ErrSequence
	}
	for k, of := range c.peers {
		if of != i {
			continue
		}
		switch answer, sample := c.steps.acked(now, k, seq); answer {
		case future:
			return ErrSequence
		case stale:
			r.Duplicates++
		case fresh:
			t.progress(now, i, seq, sample)
		}
		return nil
	}
	return ErrSequence
}

// progress records that a receiver of the classic protocol has one more chunk.
func (t *sending) progress(now time.Time, i int, seq uint32, sample time.Duration) {
	c, r := &t.classic, &t.report.Peers[i]
	r.State = Receiving
	r.Chunks++
	r.Bytes += int64(c.length)
	if c.steps.last {
		r.State = Complete
		r.Elapsed = now.Sub(t.start)
	}
	if t.trace.Acked != nil {
		t.trace.Acked(PacketEvent{Addr: r.Addr, Seq: seq, Total: r.Bytes, RTT: sample})
	}
}

// giveClassic gives up the k-th receiver of the lock-step.
func (t *sending) giveClassic(k int) {
	i := t.classic.peers[k]
	steps := &t.classic.steps
	e := &PeerError{Addr: t.peers[i].addr, Seq: steps.seq, Silence: t.giveUp, Err: ferry.ErrSilent}
	switch {
	case t.report.Peers[i].Chunks == 0:
		e.Err, e.Silence = ferry.ErrNoAnswer, t.join
		t.withdraw(i, ReasonGivenUp)
	case steps.last:
		e.Err = ferry.ErrUnconfirmed
	}
	t.drop(i, e)
}

// endClassic ends the lock-step after the last chunk.
func (t *sending) endClassic() {
	t.classic.over = true
	for _, i := range t.classic.peers {
		if p := &t.peers[i]; p.stage == classic {
			p.stage = over
		}
	}
}

// fill adds to the report what the lock-step knows.
func (c *classicSending) fill(r *Report) {
	for k, i := range c.peers {
		p := &r.Peers[i]
		if srtt := c.steps.peers[k].rtt.SRTT(); srtt > 0 {
			p.RTT = srtt
		}
	}
}
