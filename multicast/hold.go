package multicast

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

const (
	// maxHeld bounds the number of groups to which a Conn may send with a TTL of 0.
	maxHeld = 256
	// holdFor is how long an interface is not checked again.
	holdFor = 100 * time.Millisecond
)

// A holding makes the host a member of a group.
type holding struct {
	on   *socket
	ifi  int // the number of the interface
	seen time.Time
}

// hold makes the host a member of a group that is sent to with a TTL of 0, on the interface
// where the packets leave: Linux sends them if no socket of the host has joined the group
// there. The membership ends with its interface, and another interface of that name has
// none. hold therefore checks the interface again and again. c.writing is held.
func (c *Conn) hold(group netip.Addr) error {
	now := time.Now()
	h := c.holds[group]
	if h != nil && now.Sub(h.seen) < holdFor {
		return nil
	}
	ifi, err := c.interfaceFor(Membership{Group: group})
	if err != nil {
		return err
	}
	if h != nil && h.ifi == ifi.Index {
		h.seen = now
		return nil
	}
	return c.holdOn(group, ifi, now)
}

// holdOn joins a group on ifi, and leaves it where it was held before. c.writing is held.
func (c *Conn) holdOn(group netip.Addr, ifi *net.Interface, now time.Time) error {
	if old := c.holds[group]; old != nil {
		old.on.udp.Close()
		delete(c.holds, group)
	}
	select {
	case <-c.closing:
		return net.ErrClosed // Close would not know of it
	default:
	}
	if len(c.holds) >= maxHeld {
		return errors.New("too many groups for a TTL of 0")
	}
	s, err := open(c.anywhere(), false)
	if err != nil {
		return err
	}
	if err := s.join(ifi, Membership{Group: group.WithZone("")}); err != nil {
		s.udp.Close()
		return err
	}
	c.holds[group] = &holding{on: s, ifi: ifi.Index, seen: now}
	return nil
}

// holdNothing leaves all groups that are held. c.writing is held.
func (c *Conn) holdNothing() {
	for _, h := range c.holds {
		h.on.udp.Close()
	}
}
