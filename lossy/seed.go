package lossy

import "net/netip"

// A hash is a running hash of 64-bit words, the same on every machine and in
// every run. Its steps are those of the generator SplitMix64 (Steele, Lea and
// Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), whose
// output function spreads every bit of the state over all bits of the result.
type hash uint64

func (h *hash) word(w uint64) uint64 {
	z := uint64(*h) ^ w
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	*h = hash(z)
	return z
}

func (h *hash) bytes(b []byte) {
	h.word(uint64(len(b)))
	for _, c := range b {
		h.word(uint64(c))
	}
}

func (h *hash) addrPort(a netip.AddrPort) {
	h.bytes(a.Addr().AsSlice())
	h.bytes([]byte(a.Addr().Zone()))
	h.word(uint64(a.Port()))
}

// seedByAddress gives every flow of a network a stream of its own: it depends
// on the seed and on the flow's addresses and on nothing else.
func seedByAddress(seed uint64) func(flowKey) (hi, lo uint64) {
	return func(k flowKey) (hi, lo uint64) {
		var h hash
		h.word(seed)
		h.addrPort(k.from)
		h.addrPort(k.to)
		return h.word(0), h.word(1)
	}
}

// seedByOrder gives the flows of a wrapped conn streams by the order in which
// they appear, because the ports of real sockets change from run to run.
func seedByOrder(seed uint64, d Direction) func(flowKey) (hi, lo uint64) {
	order := uint64(0)
	return func(flowKey) (hi, lo uint64) {
		var h hash
		h.word(seed)
		h.word(uint64(d))
		h.word(order)
		order++
		return h.word(0), h.word(1)
	}
}
