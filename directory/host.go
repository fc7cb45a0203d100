package directory

import (
	"net/netip"
	"time"
)

// A host is what a registry knows of one IP address that has peers, or that has proved that
// it receives what is sent there. A /64 of IPv6 is one host.
type host struct {
	addr    netip.Addr
	peers   int
	entries int
	only    *member           // the peer, if there was never more than one
	names   map[uint32]uint32 // how many of its peers have a file, by name; nil with one peer
	proved  time.Time         // zero: never
	place   node[host]        // in the queue of proven hosts without peers
}

// provenFor is how long a proof counts of a host that has no peers.
const provenFor = 10 * time.Minute

// maxProven bounds the proven hosts without peers.
const maxProven = 1 << 16

func hostKey(a netip.Addr) netip.Addr {
	a = a.WithZone("")
	if a.Is4() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return a
	}
	prefix, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return prefix.Addr()
}

// queue is the index of the queue that its peers are in.
func (h *host) queue() int {
	if h.proved.IsZero() {
		return 0
	}
	return 1
}

// hold notes that one more peer has a file, and returns how many had it before.
func (h *host) hold(name uint32) (before uint32) {
	if h.names == nil {
		return 0
	}
	before = h.names[name]
	h.names[name]++
	return before
}

// release notes that one peer less has a file, and returns how many are left.
func (h *host) release(name uint32) (left uint32) {
	if h.names == nil {
		return 0
	}
	if left = h.names[name] - 1; left == 0 {
		delete(h.names, name)
	} else {
		h.names[name] = left
	}
	return left
}

// join counts a peer for a host.
func (r *registry) join(m *member, by netip.Addr) {
	h := r.hosts[by]
	if h == nil {
		h = &host{addr: by}
		h.place.owner = h
		r.hosts[by] = h
	}
	r.proven.remove(&h.place)
	m.host, m.queued = h, h.queue()
	switch h.peers++; {
	case h.peers == 1:
		h.only = m
	case h.names == nil:
		h.names = make(map[uint32]uint32)
		for _, f := range h.only.files {
			h.names[f.name] = 1
		}
	}
}

// leave takes a peer from its host.
func (r *registry) leave(m *member) {
	h := m.host
	if h.peers--; h.peers > 0 {
		return
	}
	h.names, h.only = nil, nil
	if h.proved.IsZero() || len(r.hosts) > r.max.peers+maxProven {
		delete(r.hosts, h.addr)
		return
	}
	r.proven.touch(&h.place)
}

// prove notes that a host receives what is sent to it.
func (r *registry) prove(now time.Time, addr netip.Addr) {
	addr = hostKey(addr)
	h := r.hosts[addr]
	if h == nil {
		if len(r.hosts) > r.max.peers+maxProven {
			return
		}
		h = &host{addr: addr}
		h.place.owner = h
		r.hosts[addr] = h
	}
	h.proved = now
	if h.peers == 0 {
		r.proven.touch(&h.place)
	}
}

// crowded reports whether the registry is filled to num/den.
func (r *registry) crowded(num, den int) bool {
	return den*len(r.peers) >= num*r.max.peers || den*r.entries >= num*r.max.entries || den*r.bytes >= num*r.max.bytes()
}

// admit reports whether a host may have another peer, with a number of files. old is the
// peer that it replaces, if there is one.
//
// While the registry is less than half full, every host may. After that a host has at most
// a sixteenth of it. From seven eighths on a host must also have proved that it receives
// answers: otherwise an attacker who forges addresses could fill the registry. A host that
// did not prove it can insist. Its peer is the first to make room for others; see makeRoom.
func (r *registry) admit(by netip.Addr, old *member, files int, insist bool) bool {
	h := r.hosts[by]
	if !r.fits(h, 1, files) {
		return false
	}
	if !r.crowded(7, 8) {
		return true
	}
	proven := h != nil && !h.proved.IsZero()
	if !proven && !insist {
		return false
	}
	full := len(r.peers) >= r.max.peers || r.entries+files > r.max.entries || r.bytes >= r.max.bytes()
	return !full || old != nil || r.silent[0].oldest != nil
}

// fits reports whether a host may have more peers and entries.
func (r *registry) fits(h *host, peers, entries int) bool {
	if entries > r.max.entries {
		return false
	}
	if h == nil || !r.crowded(1, 2) {
		return true
	}
	return h.peers+peers <= max(r.max.peers/16, 1) && h.entries+entries <= max(r.max.entries/16, r.max.files)
}

// makeRoom removes peers until the registry is within its limits: those of hosts that
// proved nothing first, and among these the one that has been silent for the longest time.
func (r *registry) makeRoom(newest *member) {
	for len(r.peers) > r.max.peers || r.entries > r.max.entries || r.bytes > r.max.bytes() {
		victim := newest
		if n := r.silent[0].oldest; n != nil {
			victim = n.owner
		}
		r.evicted++
		r.removeMember(victim)
		if victim == newest {
			return
		}
	}
}
