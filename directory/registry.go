package directory

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// A registry knows who is there and who has which file. It reads no socket and no
// clock.
//
//	peers    by their HTTP address, in a list by the time last heard
//	names    by their text
//	entries  one for each file of each peer: in its peer's list, and in its name's ring
//
// All refer to each other by number, not by pointer: an entry takes 20 bytes, and the
// garbage collector does not look into it.
//
// The list makes expiry O(1): the peer that was silent for the longest time is at its
// head. Removing a peer takes time for each of its files, which is spread over later
// calls; see expire.
type registry struct {
	expiry   time.Duration
	maxPeers int
	maxFiles int // of one peer
	maxAll   int // entries

	seed    maphash.Seed
	peers   map[peerKey]*member
	byID    []*member
	freeIDs []uint32
	silent  queue[member] // by the time last heard

	names   names
	entries entries
	changes uint64 // of who is there and who has what
}

// A member is a registered peer.
type member struct {
	addr  netip.AddrPort
	heard time.Time
	sum   uint64 // of its latest update's files, as they were sent
	id    uint32
	first uint32 // of its entries
	files int
	place node[member] // in the list by time
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

func newRegistry(expiry time.Duration, maxPeers, maxFiles, maxAll int) *registry {
	return &registry{
		expiry:   expiry,
		maxPeers: maxPeers,
		maxFiles: maxFiles,
		maxAll:   maxAll,
		seed:     maphash.MakeSeed(),
		peers:    make(map[peerKey]*member),
		names:    names{ids: make(map[string]uint32)},
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

// update registers a peer, or replaces what is known of it. files are names as the
// datagrams have them. The registry stays as it was if a code is returned.
func (r *registry) update(now time.Time, addr netip.AddrPort, files []byte) (Code, bool) {
	list, code, ok := parseNames(files, r.maxFiles)
	if !ok {
		return code, false
	}
	m := r.peers[keyOf(addr)]
	had := 0
	if m != nil {
		had = m.files
	}
	if m == nil && len(r.peers) >= r.maxPeers || r.entries.count-had+len(list) > r.maxAll {
		return CodeFull, false
	}
	if m == nil {
		m = r.add(addr)
	} else {
		r.clear(m, m.files)
	}
	m.sum = maphash.Bytes(r.seed, files)
	r.changes++
	r.renew(now, m)
	for i := len(list) - 1; i >= 0; i-- { // from the back: a peer's list grows at its head
		name := r.names.intern(list[i])
		m.first = r.entries.insert(r.names.record(name), entry{peer: m.id, name: name, down: m.first})
		m.files++
	}
	return 0, true
}

// keep renews a peer, if it is there.
func (r *registry) keep(now time.Time, addr netip.AddrPort) {
	if m := r.peers[keyOf(addr)]; m != nil && !r.dead(now, m) {
		r.renew(now, m)
	}
}

// files is how many files a registered peer has.
func (r *registry) files(addr netip.AddrPort) int { return r.peers[keyOf(addr)].files }

// renew notes that m was heard.
func (r *registry) renew(now time.Time, m *member) {
	m.heard = now
	r.silent.touch(&m.place)
}

// add makes a member that is not in the list yet.
func (r *registry) add(addr netip.AddrPort) *member {
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
	return m
}

// remove forgets a peer at once. It reports whether there was one.
func (r *registry) remove(addr netip.AddrPort) bool {
	m := r.peers[keyOf(addr)]
	if m == nil {
		return false
	}
	r.clear(m, m.files)
	r.drop(m)
	return true
}

// drop forgets a member that has no entries any more.
func (r *registry) drop(m *member) {
	r.changes++
	r.silent.remove(&m.place)
	delete(r.peers, keyOf(m.addr))
	r.byID[m.id] = nil
	r.freeIDs = append(r.freeIDs, m.id)
}

// clear removes up to n of a member's entries, and reports how many it did.
func (r *registry) clear(m *member, n int) int {
	done := 0
	for ; done < n && m.files > 0; done++ {
		id := m.first
		e := *r.entries.at(id)
		m.first = e.down
		m.files--
		name := r.names.record(e.name)
		r.entries.remove(name, id)
		if name.count == 0 {
			r.names.forget(e.name)
		}
	}
	return done
}

// dead reports whether a member was silent for too long.
func (r *registry) dead(now time.Time, m *member) bool { return now.Sub(m.heard) >= r.expiry }

// expire forgets peers that were silent for too long, and spends at most budget on it:
// one for each file, and one for the peer itself. It appends those that are gone to
// gone. What it does not get to is left for the next call, and is shown to nobody
// meanwhile.
//
// Each entry is removed once for having been inserted once, so the cost is
// constant for each.
func (r *registry) expire(now time.Time, budget int, gone []netip.AddrPort) []netip.AddrPort {
	for m := r.oldest(); m != nil && budget > 0 && r.dead(now, m); m = r.oldest() {
		budget -= r.clear(m, budget)
		if m.files > 0 || budget == 0 {
			break
		}
		budget--
		r.drop(m)
		gone = append(gone, m.addr)
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

// oldest is the peer that was silent for the longest time, nil if there is none.
func (r *registry) oldest() *member {
	if r.silent.oldest == nil {
		return nil
	}
	return r.silent.oldest.owner
}

// lookup appends to found the peers that have the file, at most most, in the order in
// which they registered it. Where there are more, the next call begins further on, so
// that the load is spread.
func (r *registry) lookup(now time.Time, name string, most int, found []netip.AddrPort) []netip.AddrPort {
	id, ok := r.names.ids[name]
	if !ok {
		return found
	}
	record := r.names.record(id)
	at := record.head
	// Those that are dead and not yet removed are passed over, but not for ever.
	for range min(int(record.count), 2*most) {
		e := r.entries.at(at)
		at = e.next
		if m := r.byID[e.peer]; !r.dead(now, m) {
			if found = append(found, m.addr); len(found) == most {
				break
			}
		}
	}
	if int(record.count) > most {
		record.head = at
	}
	return found
}

// visit calls f with each peer and its files, those first that were heard from the
// longest time ago, until f returns false. The files are in the order of the peer's
// update.
func (r *registry) visit(now time.Time, f func(m *member, files func(yield func(string) bool)) bool) {
	for n := r.silent.oldest; n != nil; n = n.newer {
		m := n.owner
		if r.dead(now, m) {
			continue
		}
		files := func(yield func(string) bool) {
			for id, i := m.first, 0; i < m.files; i++ {
				e := r.entries.at(id)
				if !yield(r.names.record(e.name).text) {
					return
				}
				id = e.down
			}
		}
		if !f(m, files) {
			return
		}
	}
}
