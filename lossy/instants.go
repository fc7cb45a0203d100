package lossy

import "time"

// instants is a queue of times, oldest first.
type instants struct {
	ring[time.Duration]
}

// dropBefore removes the times before t.
func (q *instants) dropBefore(t time.Duration) {
	for q.count > 0 && q.first() < t {
		q.pop()
	}
}
