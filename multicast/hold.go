package multicast

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

const (
	// mostHeld bounds the groups to which a Conn may send with a TTL of 0.
	mostHeld = 256
	// sureFor is for how long an interface is taken to be the one that it was.
	sureFor = 100 * time.Millisecond
)

// A holding makes the host a member of a group.
type holding struct {
	on   *socket
	ifi  int // the number of the interface
	seen time.Time
}

// hold makes the host a member of a group that is sent to with a TTL of 0, where such
// packets leave: to a group without a member there Linux sends them. An interface that
// is deleted takes the membership with it, and one that comes in its place has none; so
// it is looked at again and again. c.writing is held.
func (c *Conn) hold(group netip.Addr) error {
	now := time.Now()
	h := c.holds[group]
	if h != nil && now.Sub(h.seen) < sureFor {
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

// holdOn joins a group on ifi, instead of where it was held before. c.writing is held.
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
	if len(c.holds) >= mostHeld {
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

// holdNothing gives up what is held. c.writing is held.
func (c *Conn) holdNothing() {
	for _, h := range c.holds {
		h.on.udp.Close()
	}
}
