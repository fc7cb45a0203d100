package lossy

import (
	"net/netip"
	"time"
)

// A kind orders the events of one instant.
type kind uint8

const (
	arrival  kind = iota // a parcel leaves the wrapped conn or arrives in the network
	deadline             // of a reader, after that instant's arrivals
)

// An event is something that will happen. It knows its place in the heap, so
// that it can be moved or taken out.
type event struct {
	at    time.Duration
	place int // in the heap, from 1; 0 when it is not there

	// What follows orders the events of one instant, whoever made them first.
	kind     kind
	to, from netip.AddrPort
	n, copy  int

	parcel *parcel // an arrival's
	conn   *Conn   // a deadline's
}

// before is the total order of events.
func (e *event) before(f *event) bool {
	if e.at != f.at {
		return e.at < f.at
	}
	return e.compare(f) < 0
}

// compare orders events of the same instant.
func (e *event) compare(f *event) int {
	if e.kind != f.kind {
		return int(e.kind) - int(f.kind)
	}
	if c := e.to.Compare(f.to); c != 0 {
		return c
	}
	if c := e.from.Compare(f.from); c != 0 {
		return c
	}
	if e.n != f.n {
		return e.n - f.n
	}
	return e.copy - f.copy
}

// A heap is a priority queue of events. Four children to a node make it half
// as deep as a binary one, for more comparisons between neighbours in memory.
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

// pop removes the first event and returns it. The heap must have one.
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
	if i == end {
		return
	}
	if i > 0 && last.before(h.nodes[(i-1)/4]) {
		h.up(i, last)
	} else {
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
	for {
		child := 4*i + 1
		if child >= len(h.nodes) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(h.nodes)); c++ {
			if h.nodes[c].before(h.nodes[least]) {
				least = c
			}
		}
		if !h.nodes[least].before(n) {
			break
		}
		h.set(i, h.nodes[least])
		i = least
	}
	h.set(i, n)
}

func (h *heap) set(i int, n node) {
	h.nodes[i] = n
	n.place = i + 1
}
