package p2mp

import (
	"bytes"
	"hash/maphash"
)

// An inOrder decides what a receiver of the classic mode does with the chunks of one
// sender. It keeps none: the sender repeats a chunk until it is acknowledged. An inOrder
// reads no socket and no clock.
//
// A classic packet carries nothing that identifies a transfer. An inOrder therefore tells
// duplicates from new chunks by their numbers, and by hashes of chunk 1 and of the latest
// chunk.
type inOrder struct {
	next  uint32 // the chunk that is due; 0 after chunk 2^32-1
	limit int    // length of chunk 1; no later chunk is longer
	over  bool   // the last chunk was taken

	seed          maphash.Seed
	first, latest uint64 // hashes of chunk 1 and of chunk next-1
	before        uint64 // hash of chunk 1 of the sender's previous transfer; 0: none

	// held is a chunk 1 that arrived again after the end. It is either a late duplicate or
	// the beginning of the sender's next transfer; the chunk that follows decides.
	held []byte
}

func newInOrder(seed maphash.Seed) *inOrder { return &inOrder{next: 1, seed: seed} }

// take decides what happens to a chunk. After due, the caller takes the payload. The
// error says why a chunk is ignored.
func (t *inOrder) take(p Packet) (verdict, error) {
	what, err := t.judge(p)
	if what == due {
		t.taken(p)
	}
	return what, err
}

// ready returns nil: no chunk is kept.
func (t *inOrder) ready() []byte { return nil }

// drop notes that the transfer has ended.
func (t *inOrder) drop() { t.over = true }

// judge says what to do with a DATA packet. The error says why it is ignored.
func (t *inOrder) judge(p Packet) (verdict, error) {
	switch {
	case t.over:
		return t.judgeLate(p)
	case p.Seq == t.next:
		if p.Seq > 1 && len(p.Payload) > t.limit {
			return away, ErrLength
		}
		return due, nil
	case p.Seq > t.next && t.next != 0:
		return away, ErrSequence
	case p.Seq == t.next-1 && t.hash(p) == t.latest:
		return known, nil
	case p.Seq == 1:
		return t.judgeFirst(p)
	case p.Seq == t.next-1:
		return broken, nil
	}
	// No sender in lock-step waits for the acknowledgement of an earlier chunk. If such a
	// chunk were acknowledged, a sender that began again with a similar file might mix the
	// two files.
	return away, ErrSequence
}

// judgeFirst judges a chunk 1 that arrives after chunk 2 was taken.
func (t *inOrder) judgeFirst(p Packet) (verdict, error) {
	switch t.hash(p) {
	case t.first, t.before: // a late duplicate, of this transfer's chunk or of the previous one's
		return away, ErrSequence
	}
	return anew, nil
}

// judgeLate judges a chunk that arrives after the end. The last chunk is acknowledged
// again: its acknowledgement may be lost.
func (t *inOrder) judgeLate(p Packet) (verdict, error) {
	switch {
	case p.Seq == t.next-1 && t.hash(p) == t.latest:
		return known, nil
	case p.Seq == 1 && t.hash(p) == t.first:
		t.held = bytes.Clone(p.Payload)
		return known, nil
	case p.Seq == 1 && t.hash(p) == t.before:
		return away, ErrSequence
	case p.Seq == 1:
		return anew, nil
	case p.Seq == 2 && len(t.held) > 0 && len(p.Payload) <= len(t.held):
		return resumed, nil
	}
	return away, ErrSequence
}

// taken notes that the chunk that is due was passed on. It reports whether the chunk is the
// last: shorter than chunk 1, or empty.
func (t *inOrder) taken(p Packet) (last bool) {
	t.latest = t.hash(p)
	if p.Seq == 1 {
		t.first, t.limit = t.latest, len(p.Payload)
	}
	t.next++
	t.over = len(p.Payload) < t.limit || t.limit == 0
	return t.over
}

func (t *inOrder) hash(p Packet) uint64 { return maphash.Bytes(t.seed, p.Payload) }
