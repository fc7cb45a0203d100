package p2mp

import "math"

// A reassembly decides what a receiver of the extended mode does with chunks. The next
// chunk in order is written at once. A chunk that arrives early is kept in memory until
// the chunks before it have arrived. A reassembly reads no socket and no clock.
type reassembly struct {
	mss    int
	size   int64 // negative: not known yet
	window uint32
	memory *memory // nil: no common bound

	base     uint32   // chunks that were held at the beginning
	cum      uint32   // all chunks up to this one were passed on
	slots    [][]byte // an early chunk n is at n%len; nil: not here
	early    int      // chunks in slots
	spare    [][]byte // buffers for reuse
	highest  uint32   // the highest chunk kept or passed on
	short    uint32   // the chunk that was shorter than mss and must be the last; 0: none yet
	sent     uint32   // the highest chunk that the sender says it has sent; 0: unknown
	reported uint32   // the highest early chunk that was reported
	bytes    int64    // passed on
	received uint32   // DATA packets, duplicates included

	bitmap []byte // of the latest status
}

// A verdict is what happens to a chunk.
type verdict int

const (
	due   verdict = iota // the next in order: write it, and then the chunks that ready returns
	early                // kept until the chunks before it have arrived
	known                // a duplicate
	away                 // dropped: it will be sent again

	// In the classic mode only; see inOrder.
	anew    // the sender began another transfer, with this chunk 1
	resumed // the sender began another transfer, with inOrder.held and this chunk 2
	broken  // the sender sends another file than it began with
)

// begin starts after the first cum chunks. At most window chunks after the next one are
// kept.
func (g *reassembly) begin(cum uint32, window int) {
	g.base, g.cum, g.highest = cum, cum, cum
	g.bytes = int64(cum) * int64(g.mss)
	if g.size >= 0 {
		g.bytes = min(g.bytes, g.size)
		window = max(1, min(window, int(min(g.chunks(), maxWindow))))
	}
	g.window = uint32(window)
}

// chunks is the number of chunks of a file whose size is known.
func (g *reassembly) chunks() uint32 {
	return uint32((g.size + int64(g.mss) - 1) / int64(g.mss))
}

// complete reports whether all chunks were passed on.
func (g *reassembly) complete() bool { return g.size >= 0 && g.bytes == g.size }

// take decides what happens to a chunk. It copies the payload of a chunk that it keeps.
// After due, the caller takes the payload and then each chunk that ready returns.
func (g *reassembly) take(p Packet) (verdict, error) {
	if !g.fits(p) {
		return away, ErrLength
	}
	g.received++
	switch {
	case p.Seq <= g.cum:
		return known, nil
	case p.Seq-g.cum > g.window:
		return away, nil
	case p.Seq == g.cum+1:
		g.passed(len(p.Payload))
		return due, nil
	case g.has(p.Seq):
		return known, nil
	}
	if !g.keep(p) {
		return away, nil
	}
	return early, nil
}

// fits reports whether a chunk has a length that its number allows: mss, except for the
// last one.
func (g *reassembly) fits(p Packet) bool {
	n := len(p.Payload)
	switch {
	case n == 0 || n > g.mss:
		return false
	case g.size >= 0:
		offset := int64(p.Seq-1) * int64(g.mss)
		return offset < g.size && int64(n) == min(int64(g.mss), g.size-offset)
	case g.short != 0 && (p.Seq > g.short || p.Seq < g.short && n < g.mss):
		return false
	case n < g.mss && p.Seq < g.highest:
		return false
	case n < g.mss:
		g.short = p.Seq
	}
	return true
}

// passed notes that chunk cum+1, of n bytes, was passed on.
func (g *reassembly) passed(n int) {
	g.cum++
	g.bytes += int64(n)
	g.highest = max(g.highest, g.cum)
}

// ready passes on chunk cum+1 if it is kept, and returns nil otherwise. The bytes are
// valid until the next call of take.
func (g *reassembly) ready() []byte {
	if g.early == 0 || !g.has(g.cum+1) {
		return nil
	}
	b := g.remove(g.cum + 1)
	g.passed(len(b))
	return b
}

// end takes the size that a FIN tells. It reports whether the size agrees with the
// chunks that have arrived.
func (g *reassembly) end(size int64) bool {
	g.sent = math.MaxUint32
	if g.size >= 0 {
		return size == g.size
	}
	if size/int64(g.mss) >= math.MaxUint32 {
		return false
	}
	g.size = size
	n := g.chunks()
	if g.bytes > size || g.highest > n || g.short != 0 && g.short != n || g.cum == n && g.bytes != size {
		return false
	}
	// An early chunk was kept at a time when any chunk could be the last.
	if n > g.cum && g.has(n) {
		return int64(len(g.slots[n%uint32(len(g.slots))])) == size-int64(n-1)*int64(g.mss)
	}
	return true
}

// fill sets the fields of s that say what is held. A chunk beyond the highest that was
// sent is not reported: a sender that reads of one ignores the whole report.
func (g *reassembly) fill(s *status) {
	s.cum, s.space, s.received = g.cum, g.window, g.received
	g.bitmap = g.bitmap[:0]
	last := g.highest
	if g.sent != 0 {
		last = min(last, g.sent)
	}
	g.reported = max(g.reported, last)
	for seq := g.cum + 2; seq <= last && seq != 0; seq++ {
		i := seq - g.cum - 2
		if i%8 == 0 {
			g.bitmap = append(g.bitmap, 0)
		}
		if g.has(seq) {
			g.bitmap[i/8] |= 0x80 >> (i % 8)
		}
	}
	s.held = g.bitmap
}
