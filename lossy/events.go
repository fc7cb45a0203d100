package lossy

import (
	"math"
	"time"
)

// A kind orders the events of one instant.
type kind uint8

const (
	arrival  kind = iota // a parcel leaves a wrapped conn, or arrives
	deadline             // of a reader, after that instant's arrivals
)

// An event is something that happens at a time.
type event struct {
	at     time.Duration
	place  int // in the heap, from 1; 0 when it is not there
	kind   kind
	parcel *parcel // of an arrival
	conn   *Conn   // of a deadline
}

// compare orders the events of one instant, independently of the order in which they were
// made.
func (e *event) compare(f *event) int {
	switch {
	case e.kind != f.kind:
		return int(e.kind) - int(f.kind)
	case e.kind == deadline:
		return e.conn.local.Compare(f.conn.local)
	}
	return e.parcel.compare(f.parcel)
}

// A heap is a priority queue of events. Four children to a node make it half
// as deep as a binary one, and comparisons are between neighbours in memory.
type heap struct {
	nodes []node
}

// A node holds the time beside the event: most comparisons need no more.
type node struct {
	at time.Duration
	*event
}

func (a node) before(b node) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.compare(b.event) < 0
}

// next returns the time of the first event, or never.
func (h *heap) next() time.Duration {
	if len(h.nodes) == 0 {
		return never
	}
	return h.nodes[0].at
}

// push adds an event that is in no heap.
func (h *heap) push(e *event) {
	h.nodes = append(h.nodes, node{})
	h.up(len(h.nodes)-1, node{e.at, e})
}

// pop removes the first event and returns it. There must be one.
func (h *heap) pop() *event {
	e := h.nodes[0].event
	h.remove(e)
	return e
}

// remove takes e out, if it is there.
func (h *heap) remove(e *event) {
	if e.place == 0 {
		return
	}
	i := e.place - 1
	e.place = 0
	end := len(h.nodes) - 1
	last := h.nodes[end]
	h.nodes[end] = node{}
	h.nodes = h.nodes[:end]
	switch {
	case i == end:
	case i > 0 && last.before(h.nodes[(i-1)/4]):
		h.up(i, last)
	default:
		h.down(i, last)
	}
}

// up puts n at place i or above.
func (h *heap) up(i int, n node) {
	for i > 0 {
		parent := (i - 1) / 4
		if !n.before(h.nodes[parent]) {
			break
		}
		h.set(i, h.nodes[parent])
		i = parent
	}
	h.set(i, n)
}

// down puts n at place i or below.
func (h *heap) down(i int, n node) {
	for 4*i+1 < len(h.nodes) {
		child := h.leastChild(i)
		if !h.nodes[child].before(n) {
			break
		}
		h.set(i, h.nodes[child])
		i = child
	}
	h.set(i, n)
}

// leastChild returns the first of the children of place i, which has some.
func (h *heap) leastChild(i int) int {
	first := 4*i + 1
	least := first
	for c := first + 1; c < min(first+4, len(h.nodes)); c++ {
		if h.nodes[c].before(h.nodes[least]) {
			least = c
		}
	}
	return least
}

func (h *heap) set(i int, n node) {
	h.nodes[i] = n
	n.place = i + 1
}

// A clock tells the time since it was started. Durations are compared and
// sorted faster than Times, and a monotonic clock is in them.
type clock struct {
	start time.Time
}

func startClock() clock { return clock{time.Now()} }

func (c clock) now() time.Duration { return time.Since(c.start) }

// time converts a time to calendar time.
func (c clock) time(at time.Duration) time.Time { return c.start.Add(at) }

// deadline returns the time of a deadline. The zero Time is never.
func (c clock) deadline(t time.Time) time.Duration {
	if t.IsZero() {
		return never
	}
	return t.Sub(c.start)
}

// never is a time that does not come.
const never time.Duration = math.MaxInt64

// addDelay returns t+d, or never if that is too much for a Duration. d is not
// negative.
func addDelay(t, d time.Duration) time.Duration {
	if d > never-t {
		return never
	}
	return t + d
}
