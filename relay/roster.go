package relay

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// A roster knows who is there. Delivering reads its list without a lock; joining and
// leaving replace it.
type roster struct {
	members atomic.Pointer[[]*client]

	mu      sync.Mutex
	last    uint64        // the ID given last
	reading int           // clients whose reading has not ended
	quiet   chan struct{} // closed when none is left; nil: nobody waits for that
	leaving []*client     // that are no members any more, and have not parted
	count   Stats         // what clients did that have parted
}

// all returns the clients in the order of their IDs. It is not changed.
func (r *roster) all() []*client {
	if p := r.members.Load(); p != nil {
		return *p
	}
	return nil
}

// join makes conn a client, or returns nil if there are as many as there may be.
func (r *roster) join(conn net.Conn, o options) *client {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.all()
	if o.maxClients >= 0 && len(now) >= o.maxClients {
		r.count.Refused++
		return nil
	}
	r.last++
	r.reading++
	r.count.Joined++
	c := newClient(r.last, conn, o)
	// Nobody else ever sees what is beyond the length of the list, so that appending in
	// place changes nothing for those who read it.
	next := append(now, c)
	r.members.Store(&next)
	return c
}

// heard notes that a client's reading has ended, and that all it said is delivered. The
// channel is closed when that is so for all clients.
func (r *roster) heard() (quiet <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.quiet == nil {
		r.quiet = make(chan struct{})
	}
	quiet = r.quiet
	if r.reading--; r.reading == 0 {
		close(r.quiet)
		r.quiet = nil
	}
	return quiet
}

// leave removes c, whose ID is not given again. Nobody delivers to it any more, but what
// waits for it may still be written: see settle. If more are leaving now than there may
// be clients, late is the one that has had its time.
func (r *roster) leave(c *client) (late *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(r.all()), func(o *client) bool { return o == c })
	r.members.Store(&next)
	r.leaving = append(r.leaving, c)
	if n := len(r.leaving) - 1 - c.maxClients; c.maxClients >= 0 && n >= 0 {
		late = r.leaving[n] // those before it were late when others left
	}
	return late
}

// settle takes what c has done into the sum, when that does not change any more.
func (r *roster) settle(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = slices.DeleteFunc(r.leaving, func(o *client) bool { return o == c })
	r.count.add(c.report())
}

// stats sums up the clients that are there and those that have left.
func (r *roster) stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.count
	for _, c := range r.all() {
		s.Clients++
		s.add(c.report())
	}
	for _, c := range r.leaving {
		s.add(c.report())
	}
	return s
}
