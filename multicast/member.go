package multicast

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// lookInterval is how often the interfaces are checked.
const lookInterval = time.Second

// A member is a group that a Conn has joined.
type member struct {
	Membership // with the name of its interface
	ifi        *net.Interface
	on         *socket
	lost       bool // the interface has disappeared
}

// Join joins a group on one interface. The error is a [*GroupError]. A group may be
// joined on several interfaces, one after the other.
//
// The system lets a socket join few groups (20 on Linux, by default). Beyond that, other
// sockets, which read nothing, join for it.
func (c *Conn) Join(m Membership) error {
	m.Group = m.Group.Unmap()
	if zone := m.Group.Zone(); m.Interface == "" && zone != "" {
		m.Interface = zone
	}
	m.Group = m.Group.WithZone("")
	m.Include, m.Exclude = slices.Clone(m.Include), slices.Clone(m.Exclude)
	fail := func(err error) error {
		return &GroupError{Op: "join", Group: m.Group, Interface: m.Interface, Err: err}
	}
	if err := c.checkMembership(m); err != nil {
		return fail(err)
	}
	ifi, err := c.interfaceFor(m)
	if err != nil {
		return fail(err)
	}
	m.Interface = ifi.Name
	if err := cmp.Or(dropZones(m.Include, ifi), dropZones(m.Exclude, ifi)); err != nil {
		return fail(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fail(net.ErrClosed)
	}
	if c.find(m) >= 0 {
		return fail(ErrJoined)
	}
	on, err := c.joinSomewhere(ifi, m)
	if err != nil {
		return fail(err)
	}
	c.members = append(c.members, &member{Membership: m, ifi: ifi, on: on})
	c.filter.Store(c.filter.Load().with(c.members))
	c.startWatching()
	return nil
}

// checkMembership returns what is wrong with m, apart from its interface.
func (c *Conn) checkMembership(m Membership) error {
	if err := c.check(m.Group); err != nil {
		return err
	}
	if Classify(m.Group) == SSM && len(m.Include) == 0 {
		return ErrAnySource
	}
	if len(m.Include) > 0 && len(m.Exclude) > 0 {
		return ErrFilter
	}
	for _, s := range slices.Concat(m.Include, m.Exclude) {
		if s.Is6() != c.six() || s.IsMulticast() || s.IsUnspecified() || !s.IsValid() || s == limited {
			return ErrFilter
		}
	}
	return nil
}

// interfaceFor finds the interface on which m is joined.
func (c *Conn) interfaceFor(m Membership) (*net.Interface, error) {
	for _, name := range []string{m.Interface, m.Group.Zone(), c.cfg.Interface} {
		if name != "" {
			return usable(name)
		}
	}
	ifi, _, err := interfaceTo(m.Group)
	return ifi, err
}

// dropZones removes the zones of sources, as packets are compared without a zone. A source
// with the zone of another interface is an error.
func dropZones(sources []netip.Addr, ifi *net.Interface) error {
	for i, s := range sources {
		if zone := s.Zone(); zone != "" && zone != ifi.Name {
			return ErrFilter
		}
		sources[i] = s.WithZone("")
	}
	return nil
}

// joinSomewhere joins on the Conn's socket, or on another one if that has no room. c.mu is
// held.
func (c *Conn) joinSomewhere(ifi *net.Interface, m Membership) (*socket, error) {
	for _, s := range append([]*socket{c.socket}, c.holders...) {
		if err := s.join(ifi, m); !full(err) {
			return s, err
		}
	}
	if err := c.socket.setAll(true); err != nil {
		return nil, err
	}
	s, err := open(c.anywhere(), false)
	if err != nil {
		return nil, err
	}
	if err := s.join(ifi, m); err != nil {
		s.udp.Close()
		return nil, err
	}
	c.holders = append(c.holders, s)
	return s, nil
}

// full reports whether a socket has joined as many groups as it may.
func full(err error) bool {
	return errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// Leave leaves a group that was joined with the Group and Interface of m. The error is a
// [*GroupError].
func (c *Conn) Leave(m Membership) error {
	m.Group = m.Group.Unmap()
	if zone := m.Group.Zone(); m.Interface == "" && zone != "" {
		m.Interface = zone
	}
	m.Group = m.Group.WithZone("")
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.find(m)
	if i < 0 {
		return &GroupError{Op: "leave", Group: m.Group, Interface: m.Interface, Err: ErrNotJoined}
	}
	old := c.members[i]
	c.members = slices.Delete(c.members, i, i+1)
	c.filter.Store(c.filter.Load().with(c.members))
	if err := old.on.leave(old.ifi, old.Group); err != nil && !old.lost {
		return &GroupError{Op: "leave", Group: m.Group, Interface: old.Interface, Err: err}
	}
	return nil
}

// find returns the index of a group in c.members, or -1. Without an interface in m, it
// returns the first. c.mu is held.
func (c *Conn) find(m Membership) int {
	return slices.IndexFunc(c.members, func(o *member) bool {
		return o.Group == m.Group && (m.Interface == "" || o.Interface == m.Interface)
	})
}

// Groups returns the groups that are joined.
func (c *Conn) Groups() []netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []netip.Addr
	for _, m := range c.members {
		all = append(all, m.Group)
	}
	return all
}

// startWatching starts the goroutine that looks at the interfaces, once. c.mu is held.
func (c *Conn) startWatching() {
	if !c.watching && !c.closed {
		c.watching = true
		c.watcher.Go(c.watch)
	}
}

// watch checks the interfaces until the Conn is closed.
func (c *Conn) watch() {
	t := time.NewTicker(lookInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.look()
		case <-c.closing:
			return
		}
	}
}

// look joins the groups of an interface that has disappeared and appeared again: it has
// another index, and the system has forgotten the groups.
func (c *Conn) look() {
	all, err := net.Interfaces()
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := false
	for _, m := range c.members {
		i := slices.IndexFunc(all, func(ifi net.Interface) bool { return ifi.Name == m.Interface })
		switch {
		case i < 0 && !m.lost:
			m.lost = true
			if c.trace.InterfaceLost != nil {
				c.trace.InterfaceLost(m.Membership)
			}
		case i >= 0 && (m.lost || all[i].Index != m.ifi.Index) && all[i].Flags&net.FlagUp != 0:
			changed = c.again(m, &all[i]) || changed
		}
	}
	if changed {
		c.filter.Store(c.filter.Load().with(c.members))
	}
	if out := c.out.Load(); out != nil {
		i := slices.IndexFunc(all, func(ifi net.Interface) bool { return ifi.Name == out.Name })
		if i >= 0 && all[i].Index != out.Index && c.socket.setInterface(&all[i]) == nil {
			c.out.Store(&all[i])
		}
	}
}

// again joins a group on an interface that has appeared again.
func (c *Conn) again(m *member, ifi *net.Interface) bool {
	_ = m.on.leave(m.ifi, m.Group) // otherwise it keeps one of the socket's places
	on, err := c.joinSomewhere(ifi, m.Membership)
	if err == nil {
		m.on, m.ifi, m.lost = on, ifi, false
	}
	if c.trace.Rejoined != nil {
		c.trace.Rejoined(m.Membership, err)
	}
	return err == nil
}
