package lossy

// defaultReadBuffer is Linux's net.core.rmem_default.
const defaultReadBuffer = 212992

// A queue has the datagrams that wait to be read, oldest first.
type queue struct {
	limit int // bytes
	bytes int
	ring[*parcel]
}

// room reports whether p may be added. One parcel always may.
func (q *queue) room(p *parcel) bool {
	return q.count == 0 || q.bytes+p.size() <= q.limit
}

func (q *queue) push(p *parcel) {
	q.ring.push(p)
	q.bytes += p.size()
}

func (q *queue) pop() *parcel {
	p := q.ring.pop()
	q.bytes -= p.size()
	return p
}
