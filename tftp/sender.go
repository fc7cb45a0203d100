package tftp

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A sender is the side of a transfer that has the file. Its methods run in the transfer's
// goroutine.
type sender struct {
	*transfer
	out    outbound
	chunks *chunker
}

// newSender prepares to send src.
func newSender(c *transfer, src ferry.Source, strategy Strategy, s Settings) *sender {
	room := s.WindowSize
	if c.num.wide {
		room = wideWindow
	}
	t := &sender{
		transfer: c,
		chunks:   newChunker(src, c.request.Mode == Netascii, c.num, s.BlockSize, room),
		out: outbound{
			Flight: newFlight(c.num, c.num.wide, room, senderTimer(s)),
			plan:   strategy.Begin(), budget: &c.budget, packetLen: headerLen(c.num.wide) + s.BlockSize,
		},
	}
	return t
}

// strategyFor returns the strategy of a sender: a Wide receiver leaves it to the sender, and
// any other has asked for a window.
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
func (t *sender) run() error {
	defer func() { t.report.RTT = t.out.RTT() }()
	for {
		if t.askedAgain() {
			grantAgain(&t.budget, t.out.packetLen)
		}
		wake, err := t.sendDue()
		if err != nil {
			return err
		}
		t.readAhead(wake)
		p, err := t.receive(t.wakeBy(wake))
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
		if err := t.checkTimeout(now); err != nil {
			return t.unconfirmed(err)
		}
	}
}

// maxBatch is how many blocks are written before the conn is read again.
const maxBatch = 64

// sendDue writes what the plan wants to send now.
func (t *sender) sendDue() (wake time.Time, err error) {
	now := time.Now()
	for len(t.batch) < maxBatch {
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
			now = time.Now() // the source may be slow
			t.addOwnTime(before, now)
		}
		t.queueBlock(now, block, again)
	}
	// There may be more to send, so the next read does not wait.
	return now, t.flush()
}

// read reads a new block from the source.
func (t *sender) read(block int64) error {
	if err := t.chunks.want(block); err != nil {
		return fmt.Errorf("tftp: reading block %d: %w", block, err)
	}
	return nil
}

// readAhead reads the next window from the source while the ACK is on its way.
func (t *sender) readAhead(wake time.Time) {
	if now := time.Now(); wake.After(now) {
		t.chunks.prepare(t.out.fresh)
		t.out.away = absence{now, time.Now()}
		t.addOwnTime(now, t.out.away.until)
	}
}

// queueBlock adds a DATA to the batch.
func (t *sender) queueBlock(now time.Time, block int64, again bool) {
	t.batch = append(t.batch, datagram.Packet{Data: t.chunks.packet(block), Addr: t.peer})
	n := t.chunks.length(block)
	t.out.sent(now, block, n < t.chunks.size)
	t.report.Sent++
	if again {
		t.report.Retransmitted++
	}
	if t.trace.Sent != nil {
		t.trace.Sent(PacketEvent{Addr: t.peer, Block: block, Length: n, Again: again})
	}
}

// arrived processes one packet from the other side.
func (t *sender) arrived(now time.Time, p Packet) {
	if p.Op != ACK {
		t.unexpected(p)
		return
	}
	before := t.out.first
	a, block, sample := t.out.acked(now, p.Block)
	switch a {
	case future:
		t.report.Unexpected++
		t.ignored(t.peer, ErrBlock)
	case stale, repeated:
		t.report.Duplicates++
		t.noteHeard()
	case fresh:
		t.progressed(now)
		t.noteHeard()
		t.count(before, block)
		if t.trace.Acked != nil {
			t.trace.Acked(PacketEvent{Addr: t.peer, Block: block, Total: t.report.Bytes, RTT: max(0, sample)})
		}
	}
}

// count adds the blocks and bytes that an ACK acknowledges.
func (t *sender) count(before, block int64) {
	if t.out.selective {
		before = block
	}
	t.report.Blocks += block - before + 1
	t.report.Bytes += (block - before) * int64(t.chunks.size)
	t.report.Bytes += int64(t.chunks.length(block))
}

// unconfirmed turns silence after the last block into ferry.ErrUnconfirmed.
func (t *sender) unconfirmed(err error) error {
	if t.out.last != 0 && t.out.first == t.out.last {
		return fmt.Errorf("%w: block %d, the last, not acknowledged in %v", ferry.ErrUnconfirmed, t.out.last, t.giveUp)
	}
	return fmt.Errorf("%w, block %d and those after it are not acknowledged", err, t.out.first)
}
