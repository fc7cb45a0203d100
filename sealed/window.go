package sealed

// windowSize is the number of counters behind the newest one that are still accepted
// (RFC 6479; WireGuard uses the same number).
const windowSize = 8128

const (
	windowWords = 128 // of 64 bits; one word more than windowSize needs
	windowMask  = windowWords - 1
)

// A window records which counters of a sender id have arrived. It is the algorithm of RFC
// 6479: a ring of words that is cleared ahead, so that nothing is shifted.
type window struct {
	newest uint32
	bits   [windowWords]uint64
}

// fresh reports whether a counter has not arrived yet and is not too old.
func (w *window) fresh(counter uint32) bool {
	if counter > w.newest {
		return true
	}
	if w.newest-counter >= windowSize {
		return false
	}
	return w.bits[counter>>6&windowMask]&(1<<(counter&63)) == 0
}

// add records a counter that is fresh.
func (w *window) add(counter uint32) {
	if counter > w.newest {
		last, first := counter>>6, w.newest>>6
		for i := range min(last-first, windowWords) {
			w.bits[(first+1+i)&windowMask] = 0
		}
		w.newest = counter
	}
	w.bits[counter>>6&windowMask] |= 1 << (counter & 63)
}
