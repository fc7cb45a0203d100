package relay

import "fmt"

const (
	// perDelivery is what a delivery costs in a queue beside its bytes.
	perDelivery = 64

	// One write takes at most so many bytes, or one delivery, and so many deliveries.
	mostWritten  = 64 << 10
	mostVectored = 256
)

// A queue holds what waits for one client, at most limit bytes of it. It knows no conn
// and no lock.
//
// An empty queue has room for anything, so that a limit can be small and a message long.
type queue struct {
	limit int
	items []delivery // from head on
	head  int

	waiting int // bytes in items
	flying  int // bytes that take returned, until they are written

	// lost counts the messages dropped since the client was last told.
	lost    int
	notices []byte // the line that tells it
}

func (d delivery) cost() int { return cap(d.data) + perDelivery }

func (q *queue) bytes() int  { return q.waiting + q.flying }
func (q *queue) empty() bool { return q.head == len(q.items) && q.lost == 0 }

// fits reports whether there is room for d.
func (q *queue) fits(d delivery) bool {
	return q.bytes() == 0 || q.bytes()+d.cost() <= q.limit
}

// roomy reports whether a full queue has emptied so far that those who wait for it
// are woken: not for every little piece.
func (q *queue) roomy() bool { return q.bytes() <= q.limit/2 }

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

// displace pushes d, and drops as many of the oldest as must go. It returns how
// many messages that were. If what is being written leaves no room, d itself is lost.
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
		// What is lost is always older than what waits.
		q.notices = appendNotice(q.notices[:0], fmt.Sprintf("%d messages lost", q.lost))
		q.lost = 0
		bufs = append(bufs, q.notices)
	}
	size := 0
	for len(bufs) < mostVectored && q.head < len(q.items) {
		if size > 0 && size+len(q.items[q.head].data) > mostWritten {
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

// wrote says that what take returned is out of the way.
func (q *queue) wrote() { q.flying = 0 }
