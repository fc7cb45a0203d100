package directory

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// A registry knows which peers there are and which files each has. It reads no socket and
// no clock.
//
//	peers   by the address of their HTTP server, in a queue by the time last heard
//	names   by their text; each lists the peers that have such a file
//	hosts   by IP address; what all peers of a host take together
//
// Peers and names refer to each other by number, not by pointer: the garbage collector does
// not look into these lists. A number and a place in a list take 8 bytes at either end.
//
// The queue makes expiry O(1): the peer that has been silent for the longest time is at its
// head. Removing a peer takes time for each of its files, which is spread over later calls;
// see expire.
type registry struct {
	expiry time.Duration
	max    registryLimits

	seed    maphash.Seed
	peers   map[peerKey]*member
	byID    []*member
	freeIDs []uint32
	hosts   map[netip.Addr]*host
	silent  [2]queue[member] // by the time last heard: unproven, and proven
	proven  queue[host]      // those without peers, by the time of the proof

	names   names
	entries int    // files of all peers
	bytes   int    // that names and entries take
	changes uint64 // of who is there and who has what
	evicted uint64 // peers that made room for others
}

// registryLimits bound a registry.
type registryLimits struct{ peers, files, entries int }

// What one entry, and the record of a name without its text, take in memory.
const (
	entryBytes = 24
	nameBytes  = 128
)

// bytes is what names and entries may take: 64 for each entry. Long names that only one
// peer has use it up sooner.
func (l registryLimits) bytes() int { return max(64*l.entries, 1<<20) }

// A member is a registered peer.
type member struct {
	addr   netip.AddrPort
	host   *host
	heard  time.Time
	sum    uint64 // of its latest update's files, as they were sent
	id     uint32
	files  []holding
	queued int          // the index of the queue that it is in
	place  node[member] // in that queue
}

// A peerKey is an address as bytes, which are hashed and compared faster than a
// netip.AddrPort.
type peerKey [18]byte

func keyOf(addr netip.AddrPort) (k peerKey) {
	ip := addr.Addr().As16()
	copy(k[:], ip[:])
	k[16], k[17] = byte(addr.Port()>>8), byte(addr.Port())
	return k
}

func newRegistry(expiry time.Duration, max registryLimits) *registry {
	return &registry{
		expiry: expiry,
		max:    max,
		seed:   maphash.MakeSeed(),
		peers:  make(map[peerKey]*member),
		hosts:  make(map[netip.Addr]*host),
		names:  names{ids: make(map[string]uint32)},
	}
}

// touch renews a peer whose files are those of its latest update. It reports false if
// there is no such peer or its files are others: then update has to look at them.
func (r *registry) touch(now time.Time, addr netip.AddrPort, files []byte) bool {
	m := r.peers[keyOf(addr)]
	if m == nil || m.sum != maphash.Bytes(r.seed, files) || r.dead(now, m) {
		return false
	}
	r.renew(now, m)
	return true
}

// update registers a peer for a host, or replaces what is known of it. files are names as
// the datagrams have them. The registry stays as it was if a code is returned. insist says
// that the host has asked before; see admit.
func (r *registry) update(now time.Time, by netip.Addr, addr netip.AddrPort, files []byte, insist bool) (Code, bool) {
	list, code, ok := parseNames(files, r.max.files)
	if !ok {
		return code, false
	}
	m := r.peers[keyOf(addr)]
	if m == nil || m.host.addr != by {
		if !r.admit(by, m, len(list), insist) {
			return CodeFull, false
		}
		if m != nil {
			r.removeMember(m)
		}
		m = r.add(by, addr)
	} else {
		if len(list) > len(m.files) && !r.fits(m.host, 0, len(list)-len(m.files)) {
			return CodeFull, false
		}
		r.clear(m, len(m.files))
	}
	m.sum = maphash.Bytes(r.seed, files)
	r.changes++
	r.renew(now, m)
	m.files = make([]holding, 0, len(list))
	for _, text := range list {
		r.hold(m, text)
	}
	r.makeRoom(m)
	return 0, true
}

// keep renews a peer, if it is there.
func (r *registry) keep(now time.Time, addr netip.AddrPort) {
	if m := r.peers[keyOf(addr)]; m != nil && !r.dead(now, m) {
		r.renew(now, m)
	}
}

// files is how many files a registered peer has.
func (r *registry) files(addr netip.AddrPort) int { return len(r.peers[keyOf(addr)].files) }

// renew notes that m was heard.
func (r *registry) renew(now time.Time, m *member) {
	m.heard = now
	if q := m.host.queue(); q != m.queued {
		r.silent[m.queued].remove(&m.place)
		m.queued = q
	}
	r.silent[m.queued].touch(&m.place)
}

// add makes a member that is not there yet.
func (r *registry) add(by netip.Addr, addr netip.AddrPort) *member {
	m := &member{addr: addr}
	m.place.owner = m
	if n := len(r.freeIDs); n > 0 {
		m.id = r.freeIDs[n-1]
		r.freeIDs = r.freeIDs[:n-1]
		r.byID[m.id] = m
	} else {
		m.id = uint32(len(r.byID))
		r.byID = append(r.byID, m)
	}
	r.peers[keyOf(addr)] = m
	r.join(m, by)
	return m
}

// remove forgets a peer at once. It reports whether there was one.
func (r *registry) remove(addr netip.AddrPort) bool {
	m := r.peers[keyOf(addr)]
	if m == nil {
		return false
	}
	r.removeMember(m)
	return true
}

func (r *registry) removeMember(m *member) {
	r.clear(m, len(m.files))
	r.drop(m)
}

// drop forgets a member that has no files any more.
func (r *registry) drop(m *member) {
	r.changes++
	r.silent[m.queued].remove(&m.place)
	delete(r.peers, keyOf(m.addr))
	r.byID[m.id] = nil
	r.freeIDs = append(r.freeIDs, m.id)
	r.leave(m)
}

// hold notes that m has a file.
func (r *registry) hold(m *member, text string) {
	id, isNew := r.names.intern(text)
	if isNew {
		r.bytes += nameBytes + len(text)
	}
	n := r.names.record(id)
	at := uint32(len(n.first))
	list := &n.first
	if m.host.hold(id) > 0 {
		at, list = uint32(len(n.more))|inMore, &n.more
	}
	*list = append(*list, holder{m.id, uint32(len(m.files))})
	m.files = append(m.files, holding{id, at})
	m.host.entries++
	r.entries++
	r.bytes += entryBytes
}

// clear removes up to n of a member's files, the last ones, and reports how many.
func (r *registry) clear(m *member, n int) int {
	n = min(n, len(m.files))
	for range n {
		h := m.files[len(m.files)-1]
		m.files = m.files[:len(m.files)-1]
		r.release(m, h)
	}
	return n
}

// release removes a member from the holders of a name.
func (r *registry) release(m *member, h holding) {
	n := r.names.record(h.name)
	r.take(n, h.at)
	m.host.entries--
	r.entries--
	r.bytes -= entryBytes
	left := m.host.release(h.name)
	if left > 0 && h.at&inMore == 0 {
		r.promote(n, m.host)
	}
	if len(n.first)+len(n.more) == 0 {
		r.bytes -= nameBytes + len(n.text)
		r.names.forget(h.name)
	}
}

// take removes the holder at a place: the last one of the list gets its place.
func (r *registry) take(n *nameRecord, at uint32) holder {
	list, i := n.list(at)
	end := len(*list) - 1
	taken, last := (*list)[i], (*list)[end]
	*list = (*list)[:end]
	if int(i) < end {
		(*list)[i] = last
		r.byID[last.peer].files[last.index].at = at
	}
	return taken
}

// promote lets another peer of a host stand for it. Only the last few are looked at: a host
// with many peers that have the same file is not worth the time.
func (r *registry) promote(n *nameRecord, h *host) {
	for i := len(n.more) - 1; i >= max(len(n.more)-64, 0); i-- {
		if r.byID[n.more[i].peer].host == h {
			moved := r.take(n, uint32(i)|inMore)
			r.byID[moved.peer].files[moved.index].at = uint32(len(n.first))
			n.first = append(n.first, moved)
			return
		}
	}
}

// dead reports whether a member was silent for too long.
func (r *registry) dead(now time.Time, m *member) bool { return now.Sub(m.heard) >= r.expiry }

// expire forgets peers that were silent for too long, and spends at most budget on it:
// one for each file, and one for the peer itself. It appends those that are gone to
// gone. The rest is left for the next call, and is not shown
// meanwhile.
//
// Each entry is removed once for having been inserted once, so the cost is
// constant for each.
func (r *registry) expire(now time.Time, budget int, gone []netip.AddrPort) []netip.AddrPort {
	for m := r.oldest(); m != nil && budget > 0 && r.dead(now, m); m = r.oldest() {
		budget -= r.clear(m, budget)
		if len(m.files) > 0 || budget == 0 {
			break
		}
		budget--
		r.drop(m)
		gone = append(gone, m.addr)
	}
	for h := r.proven.oldest; h != nil && now.Sub(h.owner.proved) > provenFor; h = r.proven.oldest {
		r.proven.remove(h)
		delete(r.hosts, h.owner.addr)
	}
	return gone
}

// wake is when expire has something to do next, and whether it ever has.
func (r *registry) wake() (time.Time, bool) {
	m := r.oldest()
	if m == nil {
		return time.Time{}, false
	}
	return m.heard.Add(r.expiry), true
}

// oldest is the peer that has been silent for the longest time, nil if there is none.
func (r *registry) oldest() *member {
	a, b := r.silent[0].oldest, r.silent[1].oldest
	switch {
	case a == nil && b == nil:
		return nil
	case b == nil || a != nil && a.owner.heard.Before(b.owner.heard):
		return a.owner
	}
	return b.owner
}

// lookup appends to found up to max peers that have the file: first one of each host, and
// then others. Where there are more, the next call begins further on, so that the load is
// spread.
func (r *registry) lookup(now time.Time, name string, max int, found []netip.AddrPort) []netip.AddrPort {
	id, ok := r.names.ids[name]
	if !ok {
		return found
	}
	n := r.names.record(id)
	max += len(found)
	for _, list := range [][]holder{n.first, n.more} {
		// Those that are dead and not yet removed are passed over, but not for ever.
		for i := range min(len(list), 2*max) {
			if len(found) == max {
				break
			}
			if m := r.byID[list[(uint64(n.turn)+uint64(i))%uint64(len(list))].peer]; !r.dead(now, m) {
				found = append(found, m.addr)
			}
		}
	}
	n.turn += uint32(max)
	return found
}

// visit calls f with each peer and its files, those first that were heard from the longest
// time ago, until f returns false. The files are in the order of the peer's update.
func (r *registry) visit(now time.Time, f func(m *member, files func(yield func(string) bool)) bool) {
	a, b := r.silent[0].oldest, r.silent[1].oldest
	for a != nil || b != nil {
		var m *member
		if b == nil || a != nil && !b.owner.heard.Before(a.owner.heard) {
			m, a = a.owner, a.newer
		} else {
			m, b = b.owner, b.newer
		}
		if r.dead(now, m) {
			continue
		}
		files := func(yield func(string) bool) {
			for _, h := range m.files {
				if !yield(r.names.record(h.name).text) {
					return
				}
			}
		}
		if !f(m, files) {
			return
		}
	}
}
