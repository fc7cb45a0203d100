package tftp

import (
	"errors"
	"time"
)

// linger acknowledges repeated blocks for a time, because the last ACK may be lost: "a
// courteous client" is ready to send it again (UDP file delivery assignment, "About TFTP",
// point 9).
func (t *receiver) linger(d time.Duration) {
	start := time.Now()
	end := start.Add(d)
	for now := start; now.Before(end) && now.Sub(start) < maxLingers*d; now = time.Now() {
		p, err := t.receive(end)
		ok := err == nil
		for ; ok && err == nil; p, ok, err = t.take() {
			if t.acknowledgeAgain(p) {
				end = time.Now().Add(d)
			}
		}
		if err = errors.Join(err, t.flush()); err != nil {
			return // the time is over, or the other side has sent an ERROR
		}
	}
}

// maxLingers bounds the lingering when blocks are repeated again and again, as a multiple of
// its normal time.
const maxLingers = 8

// acknowledgeAgain acknowledges p if it is a block that has arrived before.
func (t *receiver) acknowledgeAgain(p Packet) bool {
	if p.Op != DATA {
		return false
	}
	block := t.num.near(p.Block, t.in.last)
	switch {
	case block < 1 || block > t.in.last:
		return false
	case t.in.selective:
		t.ack(block)
	case block == t.in.last:
		t.ack(block)
	}
	t.report.Duplicates++
	return true
}

// lingerTime is how long to linger, as a multiple of the time that the other side waits
// before it sends again, as far as that is known. It is eight times, because both the last
// ACK and the block that asks for it again can be lost. It is twice after many blocks
// without a loss. It is two seconds at most, and one second where no round trip was
// measured. The estimate is used without its back-off, which says how long this side has
// waited and not how long the other side will.
func (t *receiver) lingerTime() time.Duration {
	timer := t.in.timer
	if !timer.Measured() {
		return time.Second
	}
	timer.Sample(timer.SRTT())
	timer.Min = minRTO
	times := time.Duration(8)
	if t.report.Blocks >= lossFreeBlocks && !t.lossSeen {
		times = 2
	}
	return min(times*timer.RTO(), 2*time.Second)
}

// lossFreeBlocks is how many blocks in a row, without a loss, show that losses are rare.
const lossFreeBlocks = 200
