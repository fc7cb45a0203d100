package relay

import "fmt"

const (
	// perDelivery is what a delivery costs in a queue beside its bytes.
	perDelivery = 64

	// One write takes at most maxWritten bytes, or one delivery, and at most maxVectored deliveries.
	maxWritten  = 64 << 10
	maxVectored = 256
)

// A queue holds what waits for one client. It uses no conn and no lock.
type queue struct {
	limit int
	items []delivery // from head on
	head  int

	waiting int // bytes in items
	flying  int // bytes that take returned and that are being written

	// lost counts the messages dropped since the client was last told.
	lost    int
	notices []byte // the line that tells it
}

func (d delivery) cost() int { return cap(d.data) + perDelivery }

func (q *queue) bytes() int  { return q.waiting + q.flying }
func (q *queue) empty() bool { return q.head == len(q.items) && q.lost == 0 }

// full reports whether more waits than should.
func (q *queue) full() bool { return q.bytes() > q.limit }

// halfFree reports whether a queue that was full has room again: not for every little piece.
func (q *queue) halfFree() bool { return q.bytes() <= q.limit/2 }

// push adds d.
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

// pop removes the oldest delivery, of which there is one.
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

// displace pushes d, and drops the oldest deliveries until there is room for it. It returns how many messages that
// were. If what is being written leaves no room, d itself is lost.
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

// take appends to bufs what to write next, and returns how many messages that is. It is
// called again only after wrote.
func (q *queue) take(bufs [][]byte) (_ [][]byte, messages int) {
	if q.lost > 0 {
		// What was lost is always older than what waits.
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

// wrote notes that what take returned is written.
func (q *queue) wrote() { q.flying = 0 }
