package chord

import "net/netip"

// A book has a number for every node's address that the machine may refer to.
type book struct {
	peers   map[netip.AddrPort]Peer
	entries []bookEntry // of peer i+1
	free    []Peer
}

type bookEntry struct {
	addr netip.AddrPort
	id   ID
}

// maxBook is how many addresses there may be before those that the machine no longer refers to are
// forgotten. It refers to some hundred at most.
const maxBook = 4096

func newBook() *book { return &book{peers: make(map[netip.AddrPort]Peer)} }

// ID implements Names.
func (b *book) ID(p Peer) ID { return b.entries[p-1].id }

func (b *book) addr(p Peer) netip.AddrPort { return b.entries[p-1].addr }

// peer returns the number of an address, 0 if it is none that a node can have.
func (b *book) peer(a netip.AddrPort) Peer {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if p, ok := b.peers[a]; ok {
		return p
	}
	if a.Port() == 0 || !a.IsValid() || a.Addr().IsUnspecified() || a.Addr().IsMulticast() {
		return 0
	}
	e := bookEntry{a, HashAddr(a)}
	var p Peer
	if last := len(b.free) - 1; last >= 0 {
		p, b.free = b.free[last], b.free[:last]
		b.entries[p-1] = e
	} else {
		b.entries = append(b.entries, e)
		p = Peer(len(b.entries))
	}
	b.peers[a] = p
	return p
}

// sweep removes the addresses that the machine no longer refers to, once there are maxBook.
func (b *book) sweep(inUse func(func(Peer))) {
	if len(b.peers) < maxBook {
		return
	}
	used := make([]bool, len(b.entries)+1)
	inUse(func(p Peer) { used[p] = true })
	for a, p := range b.peers {
		if !used[p] {
			delete(b.peers, a)
			b.free = append(b.free, p)
		}
	}
}
