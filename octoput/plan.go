package octoput

import (
	"fmt"
	"iter"
)

// The sizes of CPSC 441 assignment 2, "Technical Requirements", paragraph 3.
const (
	// LegsPerBlock is how many octolegs make an octoblock, of whatever size.
	LegsPerBlock = 8
	// MaxLegSize is the length of an octoleg in a full octoblock, in bytes.
	MaxLegSize = 1111
	// BlockSize is the length of a full octoblock, in bytes.
	BlockSize = LegsPerBlock * MaxLegSize
)

// blank fills up a tiny octoblock: "the blank space character" (CPSC 441
// assignment 2, "Technical Requirements", paragraph 4).
const blank = ' '

// A Kind says how an octoblock's size comes about.
type Kind uint8

// The kinds of octoblocks. A file has any number of full ones, then at most one partial
// one, then at most one tiny one.
const (
	Full    Kind = iota + 1 // eight octolegs of 1111 bytes
	Partial                 // eight octolegs of equal size, as large as what is left allows
	Tiny                    // eight octolegs of one byte, the last 1 to 7 of them blanks
)

// String returns "full", "partial" or "tiny".
func (k Kind) String() string {
	switch k {
	case Full:
		return "full"
	case Partial:
		return "partial"
	case Tiny:
		return "tiny"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A Block is one octoblock of the plan for a file.
type Block struct {
	Number  uint64 // from 1
	Kind    Kind
	Offset  int64 // of its first byte in the file
	LegSize int   // the length of each of its octolegs in bytes, 1 to 1111
	Pad     int   // the bytes at its end that are blanks and not the file's, 0 to 7
}

// Size is the length of the block in bytes, blanks included: 8 to 8888.
func (b Block) Size() int { return LegsPerBlock * b.LegSize }

// Data is how many bytes of the file the block holds: 1 to 8888.
func (b Block) Data() int { return b.Size() - b.Pad }

// Blocks is the plan for a file of size bytes: its octoblocks in order. Sender and
// receiver derive it from the size alone (CPSC 441 assignment 2, "Technical
// Requirements", paragraphs 4 and 5). A file of 0 bytes has none, and neither has a
// negative size.
func Blocks(size int64) iter.Seq[Block] {
	return func(yield func(Block) bool) {
		p := plan(size)
		for n := uint64(1); n <= p.count(); n++ {
			if !yield(p.block(n)) {
				return
			}
		}
	}
}

// A plan is the size of a file, and answers for its octoblocks without walking through
// them.
type plan int64

// full is how many octoblocks are full.
func (p plan) full() uint64 { return uint64(max(0, p)) / BlockSize }

// rest is what the full ones leave.
func (p plan) rest() int { return int(max(0, p) % BlockSize) }

// count is how many octoblocks there are.
func (p plan) count() uint64 {
	n := p.full()
	if p.rest() >= LegsPerBlock {
		n++
	}
	if p.rest()%LegsPerBlock > 0 {
		n++
	}
	return n
}

// block returns octoblock n, which must be 1 to count.
func (p plan) block(n uint64) Block {
	b := Block{Number: n, Kind: Full, Offset: int64(n-1) * BlockSize, LegSize: MaxLegSize}
	if n <= p.full() {
		return b
	}
	rest := p.rest()
	b.Offset = int64(p.full()) * BlockSize
	if rest >= LegsPerBlock && n == p.full()+1 {
		b.Kind, b.LegSize = Partial, rest/LegsPerBlock
		return b
	}
	left := rest % LegsPerBlock
	b.Offset += int64(rest - left)
	b.Kind, b.LegSize, b.Pad = Tiny, 1, LegsPerBlock-left
	return b
}
