package tftp

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A sending is the half of a transfer that has the file, at either side.
type sending struct {
	*conversation
	out    outbound
	chunks *chunker
}

// newSending prepares to send src by a plan.
func newSending(c *conversation, src ferry.Source, strategy Strategy, s Settings) *sending {
	room := s.WindowSize
	if c.num.wide {
		room = wideWindow
	}
	t := &sending{
		conversation: c,
		chunks:       newChunker(src, c.request.Mode == Netascii, c.num, s.BlockSize, room),
		out: outbound{
			Flight: newFlight(c.num, c.num.wide, room, senderTimer(s)),
			plan:   strategy.Begin(), budget: &c.budget, packetLen: headerLen(c.num.wide) + s.BlockSize,
		},
	}
	return t
}

// strategyFor is how blocks are sent: a Wide client acknowledges each, and leaves the
// rest to the sender; any other says by windowsize what it wants.
func strategyFor(wide bool, own Strategy, s Settings) Strategy {
	switch {
	case !wide:
		return Window{Size: s.WindowSize}
	case own != nil:
		return own
	}
	return Adaptive{}
}

// run sends until the other side has acknowledged the last block.
func (t *sending) run() error {
	defer func() { t.report.RTT = t.out.RTT() }()
	for {
		if t.askedAgain() {
			renew(&t.budget, t.out.packetLen)
		}
		wake, err := t.shoot()
		if err != nil {
			return err
		}
		t.readAhead(wake)
		p, err := t.receive(t.until(wake))
		now := time.Now()
		for ok := err == nil; ok && err == nil; p, ok, err = t.take() {
			t.arrived(now, p)
		}
		switch {
		case t.out.over():
			return nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if err := t.silence(now); err != nil {
			return t.unconfirmed(err)
		}
	}
}

// mostBatch is how many blocks are written before it is looked what has arrived.
const mostBatch = 64

// shoot writes what the plan wants to be sent now.
func (t *sending) shoot() (wake time.Time, err error) {
	now := time.Now()
	for len(t.batch) < mostBatch {
		block, again, w := t.out.next(now)
		wake = w
		if block == 0 {
			return wake, t.flush()
		}
		if !t.chunks.has(block) {
			before := now
			if err := t.read(block); err != nil {
				return wake, err
			}
			now = time.Now() // a source may take its time
			t.excuse(before, now)
		}
		t.queue(now, block, again)
	}
	// There may be more to send: only look at what has arrived.
	return now, t.flush()
}

// read gets a fresh block from the source. The error tells the other side no
// more than that it failed.
func (t *sending) read(block int64) error {
	if err := t.chunks.want(block); err != nil {
		return fmt.Errorf("tftp: reading block %d: %w", block, err)
	}
	return nil
}

// readAhead reads what the next ACK will ask for while that is on its way.
func (t *sending) readAhead(wake time.Time) {
	if now := time.Now(); wake.After(now) {
		t.chunks.prepare(t.out.fresh)
		t.out.away = absence{now, time.Now()}
		t.excuse(now, t.out.away.until)
	}
}

func (t *sending) queue(now time.Time, block int64, again bool) {
	t.batch = append(t.batch, datagram.Packet{Data: t.chunks.packet(block), Addr: t.peer})
	n := t.chunks.length(block)
	t.out.sent(now, block, n < t.chunks.size)
	t.report.Sent++
	if again {
		t.report.SentAgain++
	}
	if t.trace.Sent != nil {
		t.trace.Sent(t.peer, block, n, again)
	}
}

// arrived takes one packet from the other side.
func (t *sending) arrived(now time.Time, p Packet) {
	if p.Op != ACK {
		t.unexpected(p)
		return
	}
	before := t.out.first
	a, block, sample := t.out.acked(now, p.Block)
	switch a {
	case future:
		t.report.Bad++
		t.bad(t.peer, ErrBlock)
	case stale, repeated:
		t.report.Duplicates++
		t.touch()
	case fresh:
		t.hear(now)
		t.touch()
		t.count(before, block)
		if t.trace.Acked != nil {
			t.trace.Acked(t.peer, block, t.report.Bytes, sample)
		}
	}
}

// count adds what an ACK acknowledged.
func (t *sending) count(before, block int64) {
	if t.out.selective {
		before = block
	}
	t.report.Blocks += block - before + 1
	t.report.Bytes += (block - before) * int64(t.chunks.size)
	t.report.Bytes += int64(t.chunks.length(block))
}

// unconfirmed tells silence after the last block from silence before it.
func (t *sending) unconfirmed(err error) error {
	if t.out.last != 0 && t.out.first == t.out.last {
		return fmt.Errorf("%w: block %d, the last, not acknowledged in %v", ferry.ErrUnconfirmed, t.out.last, t.giveUp)
	}
	return fmt.Errorf("%w, lacks block %d and what follows", err, t.out.first)
}
