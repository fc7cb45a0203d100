package tftp

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ferrygo/ferry"
)

// A receiver is the side of a transfer that gets the file. Its methods run in the transfer's
// goroutine.
type receiver struct {
	*transfer
	in   *inbound
	sink ferry.Sink
	out  *lazyWriter // to the sink
	text *netasciiWriter
	size int64 // of the file, as it was announced; negative: unknown, or ignored
	max  int64 // the largest file that is accepted; 0: no limit

	opener   []byte        // the packet that is repeated until the first block arrives; nil: ACK 0
	opening  handshake     // when to repeat it
	repeat   time.Time     // when to repeat the latest ACK
	pause    time.Duration // the time from its last transmission until then
	latest   int64         // the block of the latest ACK
	again    bool          // a block was repeated, so its ACK must be repeated
	lossSeen bool          // blocks arrived out of order, late or twice
	told     bool          // Commit or Abort was called
	done     bool          // Commit has succeeded
}

// writeBehind is how many bytes are buffered before they are written to the sink. maxBuffered
// is how many may be buffered while an ACK is due, which must not wait for the sink.
const (
	writeBehind = 64 << 10
	maxBuffered = 4 * writeBehind
)

// newReceiver prepares to receive into sink. opener is the packet that is repeated until the
// first block arrives: an OACK at a server, or nil, which means ACK 0.
func newReceiver(c *transfer, sink ferry.Sink, s Settings, opener []byte) *receiver {
	t := &receiver{
		transfer: c,
		in:       newInbound(c.num, c.num.wide, s, receiverTimer(s, c.num.wide)),
		sink:     sink, opener: opener, size: s.Size,
	}
	t.opening = handshake{budget: &c.budget, length: max(len(opener), headerLen(c.num.wide))}
	t.opening.timer.Config = senderTimer(s)
	t.out = &lazyWriter{sink: sink, size: min(writeBehind+s.WindowSize*s.BlockSize, maxBuffered)}
	if c.request.Mode == Netascii {
		t.size = -1 // the size on the wire differs
		t.text = &netasciiWriter{w: t.out}
	}
	return t
}

// run receives until the file is whole and the sink has committed it. If it fails it calls
// Abort. The caller lingers afterwards.
func (t *receiver) run() (err error) {
	err = errPanic
	defer func() {
		t.report.RTT = t.in.timer.SRTT()
		if err != nil {
			t.abort(err)
		}
	}()
	return t.loop()
}

// abort calls the sink's Abort, unless Commit or Abort was called before.
func (t *receiver) abort(err error) {
	if !t.told {
		t.told = true
		t.sink.Abort(err)
	}
}

// errPanic is the error of a transfer whose sink panicked.
var errPanic = errors.New("tftp: panic")

func (t *receiver) loop() error {
	for {
		now := time.Now()
		wake := t.queueDue(now)
		switch err := t.flush(); {
		case t.done:
			return nil // the file is kept, whether the last ACK arrives or not
		case err != nil:
			return err
		}
		if err := t.flushSink(); err != nil {
			return err
		}
		if err := t.checkTimeout(now); err != nil {
			return err
		}
		p, err := t.receive(t.wakeBy(wake))
		now = time.Now()
		for ok := err == nil; ok && err == nil; p, ok, err = t.take() {
			if err := t.arrived(now, p); err != nil {
				return err
			}
		}
		t.addOwnTime(now, time.Now())
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !t.done {
			return err
		}
	}
}

// queueDue queues the ACKs that are due at now, and returns when the next one may be due.
func (t *receiver) queueDue(now time.Time) (wake time.Time) {
	block, ok, wake := t.in.due(now)
	switch {
	case ok:
		t.acknowledge(now, block, false)
		wake = time.Time{}
	case t.again:
		t.acknowledge(now, t.in.acked, true)
	}
	t.again = false
	if t.in.next == 1 && t.in.holds == 0 && t.latest == 0 {
		return earlier(wake, t.open(now))
	}
	if !t.repeat.IsZero() && !now.Before(t.repeat) {
		t.acknowledge(now, t.latest, true)
	}
	return earlier(wake, t.repeat)
}

// open queues the opener if it is due, until the first block arrives.
func (t *receiver) open(now time.Time) (wake time.Time) {
	if t.askedAgain() {
		grantAgain(&t.budget, t.opening.length)
	}
	send, wake := t.opening.next(now)
	if !send {
		return wake
	}
	if t.opener != nil {
		t.queue(t.opener)
		t.in.acknowledged(now, 0, t.opening.tries > 1)
		return wake
	}
	t.acknowledge(now, 0, t.opening.tries > 1)
	return wake
}

// acknowledge queues an ACK.
func (t *receiver) acknowledge(now time.Time, block int64, again bool) {
	t.ack(block)
	t.in.acknowledged(now, block, again)
	t.latest = block
	// The time between repetitions doubles without a limit. Some senders (tftp-hpa's client)
	// start their own timer of five seconds again with each ACK that they receive.
	if t.pause *= 2; !again {
		t.pause = 0
	}
	t.pause = max(t.pause, 2*t.in.timer.RTO())
	t.repeat = now.Add(t.pause)
	t.report.Sent++
	if again {
		t.lossSeen = true
		t.report.Retransmitted++
	}
	if t.trace.Acknowledged != nil {
		t.trace.Acknowledged(PacketEvent{Addr: t.peer, Block: block, Again: again})
	}
}

// arrived processes one packet from the other side. An error ends the transfer.
func (t *receiver) arrived(now time.Time, p Packet) error {
	switch {
	case p.Op == OACK && t.request.client && t.in.next == 1:
		t.opening.sent = time.Time{} // our ACK 0 was lost: repeat it now
		return nil
	case p.Op != DATA:
		t.unexpected(p)
		return nil
	case t.in.next == 1 && t.in.holds == 0 && t.looksNarrow(p):
		return t.wrongWidth()
	case t.num.toOne && p.Block == 0:
		return &peerError{CodeIllegal, "block 1 follows the highest number here", ErrBlock}
	case len(p.Payload) > t.in.blockSize:
		return &peerError{CodeIllegal, "block too long", fmt.Errorf("%w: %w", ErrMalformed, ErrLength)}
	}
	verdict, block := t.in.classify(now, p.Block, p.Payload)
	t.lossSeen = t.lossSeen || verdict != deliver
	switch verdict {
	case ignore:
		t.report.Unexpected++
		t.ignored(t.peer, ErrBlock)
		return nil
	case known:
		t.report.Duplicates++
		t.noteHeard()
		t.again = t.again || block == t.in.acked
	case keep, deliver:
		t.progressed(now)
		t.noteHeard()
		t.pause = 2 * t.in.timer.RTO()
		t.repeat = now.Add(t.pause)
		if verdict == deliver {
			if err := t.deliver(now, p.Payload); err != nil {
				return err
			}
		}
	}
	if t.trace.Received != nil {
		t.trace.Received(PacketEvent{
			Addr: t.peer, Block: block, Length: len(p.Payload), Again: verdict == known, Total: t.report.Bytes,
		})
	}
	if t.in.selective {
		t.again = false
		t.acknowledge(now, block, verdict == known)
	}
	return nil
}

// looksNarrow reports whether the first DATA has a block number of the other width. Block 1 in
// two bytes, read as four, is far from 1. Block 1 in four bytes, read as two, is block 0.
func (t *receiver) looksNarrow(p Packet) bool {
	if t.num.wide {
		return p.Block>>16 == 1
	}
	return p.Block == 0 && len(p.Payload) >= 2
}

// deliver writes the next block and the held blocks that follow it, and commits after the
// last one.
func (t *receiver) deliver(now time.Time, payload []byte) error {
	for ok := true; ok; payload, ok = t.in.takeHeld() {
		if err := t.checkSize(t.report.Bytes+int64(len(payload)), false); err != nil {
			return err
		}
		if err := t.write(payload); err != nil {
			return fmt.Errorf("tftp: writing block %d: %w", t.in.next, err)
		}
		t.in.taken(now)
		t.report.Blocks++
		t.report.Bytes += int64(len(payload))
	}
	if !t.in.over() {
		return nil
	}
	if err := t.checkSize(t.report.Bytes, true); err != nil {
		return err
	}
	if err := t.commit(); err != nil {
		return fmt.Errorf("tftp: keeping the file: %w", err)
	}
	return nil
}

// checkSize compares the number of bytes that have arrived with the announced size and with
// the maximum. over says that the file has ended.
func (t *receiver) checkSize(have int64, over bool) error {
	switch {
	case t.max > 0 && have > t.max:
		return tooLarge(t.max)
	case t.size >= 0 && (have > t.size || over && have < t.size):
		return &peerError{CodeUndefined, fmt.Sprintf("%d bytes arrived, and %d were announced", have, t.size), ferry.ErrSize}
	}
	return nil
}

// tooLarge returns the error for a file of more than max bytes.
func tooLarge(max int64) error {
	return &peerError{CodeDiskFull, fmt.Sprintf("at most %d bytes are accepted", max), ferry.ErrTooLarge}
}

func (t *receiver) write(b []byte) error {
	if t.text != nil {
		return write(t.text, b)
	}
	return write(t.out, b)
}

// flushSink writes the buffer to the sink, if it is full enough. The ACK has been sent before,
// so that the next window arrives meanwhile.
func (t *receiver) flushSink() error {
	if t.out.Buffered() < writeBehind {
		return nil
	}
	before := time.Now()
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("tftp: writing before block %d: %w", t.in.next, err)
	}
	now := time.Now()
	t.addOwnTime(before, now)
	t.in.away = absence{before, now}
	return nil
}

// commit writes the rest to the sink and calls its Commit.
func (t *receiver) commit() error {
	var err error
	if t.text != nil {
		err = t.text.Close()
	}
	if err = errors.Join(err, t.out.Flush()); err != nil {
		return err
	}
	t.told = true
	if err := t.sink.Commit(); err != nil {
		return err
	}
	t.done = true
	return nil
}
