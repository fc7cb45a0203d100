package lossy

import (
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// groups are the members of multicast groups, each group's in the order of
// their addresses.
type groups map[netip.Addr][]*Conn

// JoinGroup makes c receive the packets to a multicast group and c's port, including
// those that c sends. Each member gets a separate packet, which passes the link
// from the sender to it and is judged there. Membership ends
// with Close. The errors are those of a socket: EINVAL if the address is not a multicast
// address, or is of the other IP version; EADDRINUSE for a member.
func (c *Conn) JoinGroup(group netip.Addr) error {
	return c.member(group, func(g groups, group netip.Addr) error {
		i, found := g.find(group, c)
		if found {
			return syscall.EADDRINUSE
		}
		g[group] = slices.Insert(g[group], i, c)
		return nil
	})
}

// LeaveGroup undoes JoinGroup. It is an error, EADDRNOTAVAIL, if c is no
// member. Packets already on their way still arrive.
func (c *Conn) LeaveGroup(group netip.Addr) error {
	return c.member(group, func(g groups, group netip.Addr) error {
		if !g.remove(group, c) {
			return syscall.EADDRNOTAVAIL
		}
		return nil
	})
}

// member changes the membership of an open conn.
func (c *Conn) member(group netip.Addr, change func(groups, netip.Addr) error) error {
	group = group.Unmap().WithZone("")
	n := c.network
	n.enter()
	defer n.leave()
	err := error(syscall.EINVAL)
	switch {
	case c.closed:
		err = net.ErrClosed
	case group.IsMulticast() && group.Is4() == c.local.Addr().Is4():
		err = change(n.groups, group)
	}
	if err != nil {
		return c.opError("set", &net.IPAddr{IP: group.AsSlice()}, err)
	}
	return nil
}

// find returns where c is or belongs among the members of a group.
func (g groups) find(group netip.Addr, c *Conn) (int, bool) {
	return slices.BinarySearchFunc(g[group], c, func(a, b *Conn) int {
		return a.local.Compare(b.local)
	})
}

func (g groups) remove(group netip.Addr, c *Conn) bool {
	i, found := g.find(group, c)
	if !found || g[group][i] != c {
		return false
	}
	if g[group] = slices.Delete(g[group], i, i+1); len(g[group]) == 0 {
		delete(g, group)
	}
	return true
}

// removeAll ends all memberships of c.
func (g groups) removeAll(c *Conn) {
	for group := range g {
		g.remove(group, c)
	}
}

// expand puts a packet to each member of the group that p was sent to behind
// all that was sent, numbered. It reports whether there is any.
func (n *Network) expand(p *parcel) bool {
	to := p.flow.to
	found := false
	for _, c := range n.groups[to.Addr().WithZone("")] {
		if c.local.Port() != to.Port() {
			continue
		}
		found = true
		f := n.chain.flows.get(flowKey{p.flow.from, c.local})
		f.n++
		m := n.newParcel(p.sender, f, p.payload, p.sent)
		m.n, m.group = f.n, to.Addr()
		n.sent = append(n.sent, m)
	}
	return found
}
