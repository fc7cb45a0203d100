package relay

import "fmt"

const (
	// perDelivery is the overhead of a delivery in a queue, in bytes.
	perDelivery = 64

	// One write has at most maxVectored deliveries and maxWritten bytes; a longer delivery is written alone.
	maxWritten  = 64 << 10
	maxVectored = 256
)

// A queue holds the deliveries that wait for one client. It uses no conn and no lock.
type queue struct {
	limit int
	items []delivery // from head on
	head  int

	waiting int // bytes in items
	flying  int // bytes that are being written

	lost    int    // messages dropped since the last notice
	notices []byte // the buffer of that notice
}

func (d delivery) cost() int { return cap(d.data) + perDelivery }

func (q *queue) bytes() int  { return q.waiting + q.flying }
func (q *queue) empty() bool { return q.head == len(q.items) && q.lost == 0 }

// full reports whether the queue exceeds its limit.
func (q *queue) full() bool { return q.bytes() > q.limit }

// halfFree reports whether a queue that was full counts as having room again. Half of it makes wake-ups rare.
func (q *queue) halfFree() bool { return q.bytes() <= q.limit/2 }

// push adds d at the end.
func (q *queue) push(d delivery) {
	if q.head > 0 && q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > len(q.items)/2 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, d)
	q.waiting += d.cost()
}

// pop removes the oldest delivery. The queue must not be empty.
func (q *queue) pop() delivery {
	d := q.items[q.head]
	q.items[q.head] = delivery{}
	q.head++
	q.waiting -= d.cost()
	return d
}

// fits reports whether there is room for d. An empty queue has room for anything.
func (q *queue) fits(d delivery) bool {
	return q.bytes() == 0 || q.bytes()+d.cost() <= q.limit
}

// displace drops the oldest deliveries until there is room for d, and pushes d. It returns the number of dropped messages.
// If the bytes that are being written leave no room, d itself is dropped.
func (q *queue) displace(d delivery) (lost int) {
	for !q.fits(d) && q.head < len(q.items) {
		lost += q.pop().messages
	}
	if q.fits(d) {
		q.push(d)
	} else {
		lost += d.messages
	}
	q.lost += lost
	return lost
}

// take appends the next deliveries to bufs, and returns their number of messages. Call wrote before the next take.
func (q *queue) take(bufs [][]byte) (_ [][]byte, messages int) {
	if q.lost > 0 {
		// Lost messages are older than all waiting ones.
		q.notices = appendNotice(q.notices[:0], fmt.Sprintf("%d messages lost", q.lost))
		q.lost = 0
		bufs = append(bufs, q.notices)
	}
	size := 0
	for len(bufs) < maxVectored && q.head < len(q.items) {
		if size > 0 && size+len(q.items[q.head].data) > maxWritten {
			break
		}
		d := q.pop()
		size += len(d.data)
		q.flying += d.cost()
		messages += d.messages
		bufs = append(bufs, d.data)
	}
	return bufs, messages
}

// wrote notes that the result of take was written.
func (q *queue) wrote() { q.flying = 0 }
