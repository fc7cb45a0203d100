package directory

// A queue is a list of things by the time that they were last touched. Taking one out
// from anywhere and putting it at the end cost the same however long it is.
type queue[T any] struct{ oldest, newest *node[T] }

// A node is a place in a queue. The thing that owns it contains it.
type node[T any] struct {
	owner        *T
	older, newer *node[T]
	in           bool
}

// touch moves n to the end, or puts it there.
func (q *queue[T]) touch(n *node[T]) {
	if q.newest == n {
		return
	}
	q.remove(n)
	n.older, n.in = q.newest, true
	if q.newest != nil {
		q.newest.newer = n
	} else {
		q.oldest = n
	}
	q.newest = n
}

// remove takes n out, if it is in.
func (q *queue[T]) remove(n *node[T]) {
	if !n.in {
		return
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		q.oldest = n.newer
	}
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		q.newest = n.older
	}
	n.older, n.newer, n.in = nil, nil, false
}
