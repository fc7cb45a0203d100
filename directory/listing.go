package directory

import (
	"slices"
	"strconv"
	"time"
)

// A listing is what a view shows, as it stands in the answer. To write it down takes as
// long as hundreds of datagrams, and anybody can ask for it with six bytes: so it is
// shared by those who ask at about the same time.
type listing struct {
	peers []byte
	ends  []int // where each peer's part ends
	total int   // of the peers that there are

	made    time.Time
	changes uint64    // of the registry before that
	next    time.Time // when another may be made because something has changed
}

const (
	// listingAge is how old the times may be that a listing shows.
	listingAge = 100 * time.Millisecond
	// listingPause is between two listings on average, if there are many changes;
	// listingBurst of them may be made without. Then what has changed shows that much
	// later.
	listingPause = 5 * time.Millisecond
	listingBurst = 20
)

// minListed is the length of a peer without files in a listing, at least.
const minListed = len("1.2.3.4 1 1234567890.123456 0 ")

// stale reports whether a new listing must be made, given the number of changes of the
// registry.
func (l *listing) stale(now time.Time, changes uint64) bool {
	if changes == l.changes {
		return now.Sub(l.made) >= listingAge
	}
	return !now.Before(l.next)
}

// make writes down what the registry holds, in at most most bytes.
func (l *listing) make(now time.Time, r *registry, most int) {
	l.peers, l.ends, l.total = l.peers[:0], l.ends[:0], len(r.peers)
	l.made, l.changes = now, r.changes
	if earliest := now.Add(-listingBurst * listingPause); l.next.Before(earliest) {
		l.next = earliest
	}
	l.next = l.next.Add(listingPause)
	// Many peers of one host must not keep those of others out.
	share, shown := max(most/minListed/max(len(r.hosts), 1), 1), make(map[*host]int)
	r.visit(now, func(m *member, files func(func(string) bool)) bool {
		if shown[m.host]++; shown[m.host] > share {
			return true
		}
		b := appendAddr(l.peers, m.addr)
		b = append(appendTime(b, m.heard), ' ')
		b = append(strconv.AppendInt(b, int64(len(m.files)), 10), ' ')
		for name := range files {
			if b = append(AppendField(b, name), ' '); len(b) > most {
				break
			}
		}
		if len(b) > most {
			return false
		}
		l.peers, l.ends = b, append(l.ends, len(b))
		return true
	})
}

// append appends as many peers as room has room for.
func (l *listing) append(b []byte, room int) []byte {
	n, _ := slices.BinarySearch(l.ends, room+1)
	if n == 0 {
		return b
	}
	return append(b, l.peers[:l.ends[n-1]]...)
}

// listing is the answer to a view, of at most most bytes: as many peers as that holds.
// It is valid until the next.
func (d *dispatcher) listing(now time.Time, key []byte, most int) []byte {
	if d.shown.stale(now, d.registry.changes) {
		d.shown.make(now, d.registry, d.limits.answer)
	}
	b := append(append(d.body[:0], key...), ' ')
	b = append(strconv.AppendInt(b, int64(d.shown.total), 10), ' ')
	d.body = d.shown.append(b, most-len(b))
	return d.body
}
