package p2mp

// A memory bounds the bytes that all reassemblies of one call hold together.
type memory struct{ used, max int64 }

// slotSize is what one entry of reassembly.slots takes.
const slotSize = 24

// take reports whether n bytes more may be held. Transfers of which nothing was written
// yet, which anybody can begin, may hold half of the memory.
func (m *memory) take(n int, begun bool) bool {
	if m == nil {
		return true
	}
	bound := m.max
	if !begun {
		bound /= 2
	}
	if m.used+int64(n) > bound {
		return false
	}
	m.used += int64(n)
	return true
}

func (m *memory) release(n int) {
	if m != nil {
		m.used -= int64(n)
	}
}

// has reports whether an early chunk, of which there can be only one at its place, is
// kept.
func (g *reassembly) has(seq uint32) bool {
	return seq-g.cum <= uint32(len(g.slots)) && g.slots[seq%uint32(len(g.slots))] != nil
}

// keep keeps a copy of an early chunk. It reports whether there is memory for it.
func (g *reassembly) keep(p Packet) bool {
	if !g.reach(p.Seq - g.cum) {
		return false
	}
	b := g.buffer()
	if b == nil {
		return false
	}
	g.slots[p.Seq%uint32(len(g.slots))] = append(b, p.Payload...)
	g.early++
	g.highest = max(g.highest, p.Seq)
	return true
}

// remove takes an early chunk out of its slot. Its buffer is reused after the next take.
func (g *reassembly) remove(seq uint32) []byte {
	slot := &g.slots[seq%uint32(len(g.slots))]
	b := *slot
	*slot = nil
	g.early--
	g.spare = append(g.spare, b)
	return b
}

// reach makes the slots at least n long. They grow with the distance over which chunks
// arrive early, so that a transfer in order costs nothing.
func (g *reassembly) reach(n uint32) bool {
	old := g.slots
	if n <= uint32(len(old)) {
		return true
	}
	size := uint32(16)
	for size < n {
		size *= 2
	}
	if !g.memory.take(slotSize*int(size), g.cum > g.base) {
		return false
	}
	g.slots = make([][]byte, size)
	for i := range old {
		// The slots hold the chunks from cum+1 on.
		seq := g.cum + 1 + uint32(i)
		g.slots[seq%size] = old[seq%uint32(len(old))]
	}
	g.memory.release(slotSize * len(old))
	return true
}

// buffer returns an empty buffer for a chunk, or nil if the memory is used up.
func (g *reassembly) buffer() []byte {
	if n := len(g.spare); n > 0 {
		b := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return b[:0]
	}
	if !g.memory.take(g.mss, g.cum > g.base) {
		return nil
	}
	return make([]byte, 0, g.mss)
}

// shrink frees the buffers that hold nothing.
func (g *reassembly) shrink() {
	g.memory.release(len(g.spare) * g.mss)
	g.spare = nil
}

// drop frees everything. No chunk may arrive afterwards.
func (g *reassembly) drop() {
	g.memory.release((g.early+len(g.spare))*g.mss + len(g.slots)*slotSize)
	g.slots, g.spare, g.early = nil, nil, 0
	g.highest = g.cum
}

// sentSlack is how far an early chunk may be beyond the highest chunk that the sender
// says it has sent. A chunk that was sent after a POLL may overtake it.
const sentSlack = 128

// limit takes the highest chunk that the sender says it has sent, and drops the early
// chunks far beyond it: the sender did not send them. A chunk that was reported is never
// dropped, because the sender would not send it again.
func (g *reassembly) limit(sent uint32) {
	g.sent = max(g.sent, sent)
	last := uint64(max(g.sent, g.cum, g.reported)) + sentSlack
	if g.sent == 0 || uint64(g.highest) <= last {
		return
	}
	for seq := uint32(last) + 1; seq <= g.highest && seq != 0; seq++ {
		if g.has(seq) {
			g.remove(seq)
		}
	}
	g.highest = uint32(last)
	if g.short > g.highest {
		g.short = 0
	}
}
