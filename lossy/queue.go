package lossy

// defaultReadBuffer is Linux's net.core.rmem_default.
const defaultReadBuffer = 212992

// A queue has the datagrams that wait to be read, oldest first.
type queue struct {
	limit int // bytes
	bytes int

	ring  []*parcel // its length is a power of two, or zero
	first int
	count int
}

// push adds p, unless there is no room for it.
func (q *queue) push(p *parcel) bool {
	if q.count > 0 && q.bytes+p.size() > q.limit {
		return false
	}
	if q.count == len(q.ring) {
		q.grow()
	}
	q.ring[(q.first+q.count)&(len(q.ring)-1)] = p
	q.count++
	q.bytes += p.size()
	return true
}

// pop removes the oldest datagram and returns it. There must be one.
func (q *queue) pop() *parcel {
	p := q.ring[q.first]
	q.ring[q.first] = nil
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.count--
	q.bytes -= p.size()
	return p
}

func (q *queue) grow() {
	ring := make([]*parcel, max(8, 2*len(q.ring)))
	n := copy(ring, q.ring[q.first:])
	copy(ring[n:], q.ring[:q.first])
	q.ring, q.first = ring, 0
}
