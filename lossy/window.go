package lossy

import "time"

// times is a queue of instants, oldest first, in a ring that grows as needed.
type times struct {
	ring  []time.Duration // its length is a power of two, or zero
	first int
	count int
}

// push adds t behind all others.
func (q *times) push(t time.Duration) {
	if q.count == len(q.ring) {
		q.grow()
	}
	q.ring[(q.first+q.count)&(len(q.ring)-1)] = t
	q.count++
}

// dropBefore removes the instants before t.
func (q *times) dropBefore(t time.Duration) {
	for q.count > 0 && q.ring[q.first] < t {
		q.pop()
	}
}

// pop removes the oldest instant.
func (q *times) pop() {
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.count--
}

func (q *times) grow() {
	ring := make([]time.Duration, max(8, 2*len(q.ring)))
	n := copy(ring, q.ring[q.first:])
	copy(ring[n:], q.ring[:q.first])
	q.ring, q.first = ring, 0
}
