package multicast

import (
	"net/netip"
	"slices"
)

// Info is what the system tells about a packet.
type Info struct {
	// Source is the address of the sender.
	Source netip.AddrPort
	// Destination is the address it was sent to: a group, an address of this host, or a
	// broadcast address. It is the zero Addr if the system does not tell (Windows).
	Destination netip.Addr
	// Interface is the name of the interface where it arrived, or through which it left
	// if it comes from this host. It is empty if the system does not tell.
	Interface string
	// TTL is its remaining TTL, or hop limit; -1 if the system does not tell.
	TTL int

	local     netip.Addr // Destination, if that is an address of this host
	index     int        // of Interface
	broadcast bool       // Destination is a broadcast address
	segment   int        // the length of the packets that came in one piece; 0: it is one
}

// A filter decides which packets a Conn delivers. It does not change.
type filter struct {
	unicast, broadcast bool
	rules              map[netip.Addr][]rule
}

// A rule is the filter of one membership.
type rule struct {
	index            int
	include, exclude []netip.Addr
}

// wants reports whether a packet is delivered. The system may have filtered some or none of
// the others.
func (f *filter) wants(i *Info) bool {
	switch {
	case !i.Destination.IsValid():
		return true
	case i.broadcast:
		return f.broadcast
	case !i.Destination.IsMulticast():
		return f.unicast
	}
	for _, r := range f.rules[i.Destination.WithZone("")] {
		if r.index == i.index || i.index == 0 {
			return r.from(i.Source.Addr().WithZone(""))
		}
	}
	return false
}

// from reports whether packets from a source are wanted.
func (r *rule) from(source netip.Addr) bool {
	if len(r.include) > 0 {
		return slices.Contains(r.include, source)
	}
	return !slices.Contains(r.exclude, source)
}

// with returns a copy of f with the rules of ms in place of those of f.
func (f *filter) with(ms []*member) *filter {
	next := &filter{unicast: f.unicast, broadcast: f.broadcast, rules: make(map[netip.Addr][]rule)}
	for _, m := range ms {
		g := m.Group
		next.rules[g] = append(next.rules[g], rule{m.ifi.Index, m.Include, m.Exclude})
	}
	return next
}
