package multicast

import (
	"net/netip"
	"slices"
)

// Info tells about a packet.
type Info struct {
	// Source is who sent it.
	Source netip.AddrPort
	// Destination is what it was sent to: a group, an address of this host, or a
	// broadcast address. It is not valid where the system does not say (Windows).
	Destination netip.Addr
	// Interface is the name of the interface where it arrived, or through which it left
	// if it comes from this host; empty where the system does not say.
	Interface string
	// TTL is what was left of its time to live, or hop limit; -1 where the system does
	// not say.
	TTL int

	local     netip.Addr // Destination, if that is an address of this host
	index     int        // of Interface
	broadcast bool       // Destination is a broadcast address
	segment   int        // the length of the packets that came in one piece; 0: it is one
}

// A filter decides which packets a Conn delivers. It is not changed once it is made.
type filter struct {
	unicast, broadcast bool
	rules              map[netip.Addr][]rule
}

// A rule is a membership as packets are judged by it.
type rule struct {
	index            int
	include, exclude []netip.Addr
}

// wants reports whether a packet is delivered. The system may have sorted out some of
// the rest already, or none.
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

// with returns a copy of f with the rules of ms.
func (f *filter) with(ms []*member) *filter {
	next := &filter{unicast: f.unicast, broadcast: f.broadcast, rules: make(map[netip.Addr][]rule)}
	for _, m := range ms {
		g := m.Group
		next.rules[g] = append(next.rules[g], rule{m.ifi.Index, m.Include, m.Exclude})
	}
	return next
}
