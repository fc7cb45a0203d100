package lossy

// A ring is a first-in first-out queue that grows as needed.
type ring[E any] struct {
	buf   []E // its length is a power of two, or zero
	start int
	count int
}

// push adds e behind all others.
func (r *ring[E]) push(e E) {
	if r.count == len(r.buf) {
		r.grow()
	}
	r.buf[(r.start+r.count)&(len(r.buf)-1)] = e
	r.count++
}

// first returns the oldest element. There must be one.
func (r *ring[E]) first() E { return r.buf[r.start] }

// pop removes the oldest element and returns it. There must be one.
func (r *ring[E]) pop() E {
	e := r.buf[r.start]
	clear(r.buf[r.start : r.start+1])
	r.start = (r.start + 1) & (len(r.buf) - 1)
	r.count--
	return e
}

// unpush removes the newest element and returns it. There must be one.
func (r *ring[E]) unpush() E {
	r.count--
	i := (r.start + r.count) & (len(r.buf) - 1)
	e := r.buf[i]
	clear(r.buf[i : i+1])
	return e
}

func (r *ring[E]) grow() {
	buf := make([]E, max(8, 2*len(r.buf)))
	n := copy(buf, r.buf[r.start:])
	copy(buf[n:], r.buf[:r.start])
	r.buf, r.start = buf, 0
}
