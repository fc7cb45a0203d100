package p2mp

import (
	"bytes"
	"hash/maphash"
)

// An inbound decides what a receiver does with the chunks of one sender: the order, the
// repetitions, the end. It reads no socket and no clock.
//
// The classic packet carries nothing that tells one transfer from the next, so what
// repeats is told from what is new by looking: at the numbers, and at digests of chunk
// 1 and of the latest chunk.
type inbound struct {
	next  uint32 // the chunk that is due; 0 after chunk 2^32-1
	limit int    // length of chunk 1, which none after it exceeds
	over  bool   // the last chunk was taken

	seed          maphash.Seed
	first, latest uint64 // digests of chunk 1 and of chunk next-1
	before        uint64 // that of chunk 1 of the same sender's transfer before this; 0: none

	// held is chunk 1, when it came again after the end: a late copy, or the beginning
	// of the same sender's next transfer. What follows tells.
	held []byte
}

func newInbound(seed maphash.Seed) inbound { return inbound{next: 1, seed: seed} }

// A verdict is what to do with a chunk.
type verdict int

const (
	deliver verdict = iota // call taken, write it, acknowledge it
	repeat                 // known: acknowledge it again
	ignore                 // no answer
	anew                   // the sender began another transfer, with this chunk 1
	resumed                // the sender began another transfer, with held and this chunk 2
	broken                 // the sender sends another file than it began with
)

// judge says what to do with a DATA packet. The error says why it is ignored.
func (t *inbound) judge(p Packet) (verdict, error) {
	switch {
	case t.over:
		return t.judgeLate(p)
	case p.Seq == t.next:
		if p.Seq > 1 && len(p.Payload) > t.limit {
			return ignore, ErrLength
		}
		return deliver, nil
	case p.Seq > t.next && t.next != 0:
		return ignore, ErrSequence
	case p.Seq == t.next-1 && t.digest(p) == t.latest:
		return repeat, nil
	case p.Seq == 1:
		return t.judgeFirst(p)
	case p.Seq == t.next-1:
		return broken, nil
	}
	// In lock-step nobody waits for an acknowledgement of an earlier chunk. To give one
	// could help a sender that began again with a file that is only alike to mix the
	// two.
	return ignore, ErrSequence
}

// judgeFirst judges a chunk 1 that comes in mid-file, when chunk 2 was taken already.
func (t *inbound) judgeFirst(p Packet) (verdict, error) {
	switch t.digest(p) {
	case t.first, t.before: // a late copy, of this transfer's or of the one before
		return ignore, ErrSequence
	}
	return anew, nil
}

// judgeLate judges what arrives after the end: "a courteous client should be ready to
// acknowledge" once more, but only what it really had.
func (t *inbound) judgeLate(p Packet) (verdict, error) {
	switch {
	case p.Seq == t.next-1 && t.digest(p) == t.latest:
		return repeat, nil
	case p.Seq == 1 && t.digest(p) == t.first:
		t.held = bytes.Clone(p.Payload)
		return repeat, nil
	case p.Seq == 1 && t.digest(p) == t.before:
		return ignore, ErrSequence
	case p.Seq == 1:
		return anew, nil
	case p.Seq == 2 && len(t.held) > 0 && len(p.Payload) <= len(t.held):
		return resumed, nil
	}
	return ignore, ErrSequence
}

// taken notes that the chunk judged deliver is being written. It reports whether that
// was the last one: shorter than the first, or empty.
func (t *inbound) taken(p Packet) (last bool) {
	t.latest = t.digest(p)
	if p.Seq == 1 {
		t.first, t.limit = t.latest, len(p.Payload)
	}
	t.next++
	t.over = len(p.Payload) < t.limit || t.limit == 0
	return t.over
}

func (t *inbound) digest(p Packet) uint64 { return maphash.Bytes(t.seed, p.Payload) }
