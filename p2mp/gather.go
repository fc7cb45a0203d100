package p2mp

import "math"

// A gather decides what a receiver of the extended mode does with chunks: which to
// write now, or with others that came together, and which to keep until those before
// have come. What is to be written now is called written here. It reads no socket and
// no clock.
type gather struct {
	mss  int
	size int64 // negative: not known yet

	cum      uint32   // all chunks up to this one were written
	slots    [][]byte // chunk n, if it waits, is at n%len; a nil entry waits for one
	spare    [][]byte // buffers to use again
	highest  uint32   // the highest chunk kept or written
	short    uint32   // the chunk that was shorter than mss and must be the last; 0: none yet
	bytes    int64    // written
	received uint32   // DATA packets, copies included

	bitmap []byte // of the latest status
}

// A fate is what becomes of a chunk.
type fate int

const (
	due   fate = iota // the next one: write it, then what is ready
	early             // kept until those before it have come
	known             // came before
	away              // beyond the window: it will come again
)

// window is how many chunks after cum are kept.
func (g *gather) window() uint32 { return uint32(len(g.slots)) }

// begin starts after the first cum chunks.
func (g *gather) begin(cum uint32, window int) {
	g.cum, g.highest = cum, cum
	g.bytes = int64(cum) * int64(g.mss)
	if g.size >= 0 {
		g.bytes = min(g.bytes, g.size)
		window = max(1, min(window, int(min(g.chunks(), maxWindow))))
	}
	g.slots = make([][]byte, window)
}

// chunks is how many there are, if the size is known.
func (g *gather) chunks() uint32 {
	return uint32((g.size + int64(g.mss) - 1) / int64(g.mss))
}

// complete reports whether everything was written.
func (g *gather) complete() bool { return g.size >= 0 && g.bytes == g.size }

// take judges a chunk. The payload is copied if it has to wait. After due the caller
// takes the payload, to write it, calls wrote, and does the same with what ready
// returns.
func (g *gather) take(p Packet) (fate, error) {
	if !g.fits(p) {
		return away, ErrLength
	}
	g.received++
	slot := &g.slots[p.Seq%g.window()]
	switch {
	case p.Seq <= g.cum:
		return known, nil
	case p.Seq-g.cum > g.window():
		return away, nil
	case p.Seq == g.cum+1:
		return due, nil
	case *slot != nil:
		return known, nil
	}
	*slot = append(g.buffer(), p.Payload...)
	g.highest = max(g.highest, p.Seq)
	return early, nil
}

// fits reports whether a chunk has a length that its number allows: mss but for the
// last one.
func (g *gather) fits(p Packet) bool {
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

// wrote notes that chunk cum+1, of n bytes, was written.
func (g *gather) wrote(n int) {
	g.cum++
	g.bytes += int64(n)
	g.highest = max(g.highest, g.cum)
}

// ready returns chunk cum+1 if it waits, and nil otherwise. It is valid until the next
// call of take.
func (g *gather) ready() []byte {
	slot := &g.slots[(g.cum+1)%g.window()]
	b := *slot
	if b != nil && g.highest > g.cum {
		*slot = nil
		g.spare = append(g.spare, b)
		return b
	}
	return nil
}

func (g *gather) buffer() []byte {
	if n := len(g.spare); n > 0 {
		b := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, g.mss)
}

// end takes the size that a FIN tells. It reports whether that agrees with what has
// come.
func (g *gather) end(size int64) bool {
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
	// A chunk that waits was taken at a time when any could be the last.
	if last := g.slots[g.chunks()%g.window()]; last != nil && g.highest == g.chunks() {
		return int64(len(last)) == size-int64(g.chunks()-1)*int64(g.mss)
	}
	return true
}

// fill puts into s what is held.
func (g *gather) fill(s *status) {
	s.cum, s.space, s.received = g.cum, g.window(), g.received
	g.bitmap = g.bitmap[:0]
	for seq := g.cum + 2; seq <= g.highest && seq != 0; seq++ {
		i := seq - g.cum - 2
		if i%8 == 0 {
			g.bitmap = append(g.bitmap, 0)
		}
		if g.slots[seq%g.window()] != nil {
			g.bitmap[i/8] |= 0x80 >> (i % 8)
		}
	}
	s.held = g.bitmap
}
