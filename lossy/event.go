package lossy

import "time"

// A kind orders the events of one instant.
type kind uint8

const (
	arrival  kind = iota // a parcel leaves a wrapped conn, or arrives
	deadline             // of a reader, after that instant's arrivals
)

// An event is something that will happen.
type event struct {
	at     time.Duration
	place  int // in the heap, from 1; 0 when it is not there
	kind   kind
	parcel *parcel // of an arrival
	conn   *Conn   // of a deadline
}

// compare orders the events of one instant, whoever made them first.
func (e *event) compare(f *event) int {
	switch {
	case e.kind != f.kind:
		return int(e.kind) - int(f.kind)
	case e.kind == deadline:
		return e.conn.local.Compare(f.conn.local)
	}
	return e.parcel.compare(f.parcel)
}
