package chord

import "slices"

// A finger is a node that a look-up can jump to: the first one at or after 2^bit from the machine's own
// place, as far as is known.
type finger struct {
	bit  uint8
	peer Peer
}

// routing is what a node knows of the ring.
type routing struct {
	self  Peer
	id    ID
	names Names

	pred Peer
	// succ is the successor list, the nearest first. It is empty until the node is a
	// member, and holds only self while the node is alone. It ends where the ring is round.
	succ []Peer
	// fingers has an entry for each different finger beyond succ[0], in the order of
	// their bits: some log2 N, and not 160.
	fingers []finger
}

func (r *routing) member() bool { return len(r.succ) > 0 }

// first is the first successor, 0 if there is none.
func (r *routing) first() Peer {
	if len(r.succ) == 0 {
		return 0
	}
	return r.succ[0]
}

// setSuccessors makes first and then rest the successor list, at most n long. It ends
// before the node itself, and before what is there already.
func (r *routing) setSuccessors(n int, first Peer, rest []Peer) {
	r.succ = append(slices.Grow(r.succ[:0], n), first)
	for _, p := range rest {
		if len(r.succ) == n || p == r.self || p == 0 || slices.Contains(r.succ, p) {
			break
		}
		r.succ = append(r.succ, p)
	}
}

// remove forgets a node that does not answer.
func (r *routing) remove(p Peer) {
	is := func(q Peer) bool { return q == p }
	r.succ = slices.DeleteFunc(r.succ, is)
	r.fingers = slices.DeleteFunc(r.fingers, func(f finger) bool { return f.peer == p })
}

// lowestBit is the first bit whose finger may differ from succ[0].
func (r *routing) lowestBit() int {
	return topBit(distance(r.id, r.names.ID(r.succ[0]))) + 1
}

// setFinger notes that p is the first node at or after bit. Fingers whose interval begins before p
// are p as well, and have no entry of their own.
func (r *routing) setFinger(bit int, p Peer) (next int) {
	next = max(bit, topBit(distance(r.id, r.names.ID(p)))) + 1
	if p == r.self || p == r.succ[0] {
		p = 0
		next = Bits
	}
	r.fingers = slices.DeleteFunc(r.fingers, func(f finger) bool { return int(f.bit) >= bit && int(f.bit) < next })
	if p != 0 {
		i, _ := slices.BinarySearchFunc(r.fingers, bit, func(f finger, bit int) int { return int(f.bit) - bit })
		r.fingers = slices.Insert(r.fingers, i, finger{uint8(bit), p})
	}
	return next
}

// finger returns the entry of a bit, 0 if there is none.
func (r *routing) finger(bit int) Peer {
	for _, f := range r.fingers {
		if int(f.bit) == bit {
			return f.peer
		}
	}
	return 0
}

// preceding appends the known nodes that lie between the node itself and key, at most n of them, the one
// closest to key first. It looks at the fingers, and at the first successors of the list.
func (r *routing) preceding(list []Peer, key ID, n, successors int) []Peer {
	for _, f := range r.fingers {
		list = r.insert(list, f.peer, key, n)
	}
	for _, p := range r.succ[:min(successors, len(r.succ))] {
		list = r.insert(list, p, key, n)
	}
	return list
}

// insert puts p in its place in a list of at most n nodes.
func (r *routing) insert(list []Peer, p Peer, key ID, n int) []Peer {
	id := r.names.ID(p)
	if !between(r.id, id, key) || slices.Contains(list, p) {
		return list
	}
	i := 0
	for i < len(list) && closer(key, r.names.ID(list[i]), id) {
		i++
	}
	if i == n {
		return list
	}
	if len(list) == n {
		list = list[:n-1]
	}
	return slices.Insert(list, i, p)
}
