package multicast

import (
	"net"
	"net/netip"
	"strconv"
)

// maxAllowed bounds the number of destinations that a Conn remembers.
const maxAllowed = 1024

// allow returns an error if the Conn does not send to an address. It remembers the groups and
// zones that are allowed.
func (c *Conn) allow(to netip.Addr) error {
	group, zone := to.IsMulticast(), to.Zone()
	if !group && zone == "" {
		return nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_, known := c.allowed[to]
	if known && (!group || c.cfg.TTL >= 0) {
		return nil
	}
	var err error
	if !known && zone != "" {
		// The net package sends to a zone that does not exist through any interface.
		err = checkZone(zone, group)
	}
	if !group {
		if err == nil {
			c.remember(to)
		}
		return err
	}
	if err == nil && !known {
		err = c.check(to.WithZone(""))
	}
	if err == nil && c.cfg.TTL < 0 {
		err = c.hold(to)
	}
	if err != nil {
		return &GroupError{Op: "send to", Group: to, Interface: c.cfg.Interface, Err: err}
	}
	if !known && (zone != "" || c.chooseInterface(to)) {
		c.remember(to)
	}
	return nil
}

// remember remembers that the Conn may send to an address. c.writing is held.
func (c *Conn) remember(to netip.Addr) {
	if len(c.allowed) >= maxAllowed {
		clear(c.allowed)
	}
	c.allowed[to] = struct{}{}
}

// checkZone returns an error if a zone is not the name or the index of an interface, or, for
// a group, of one that can be used.
func checkZone(zone string, group bool) error {
	if index, err := strconv.Atoi(zone); err == nil {
		if ifi, err := net.InterfaceByIndex(index); err == nil {
			zone = ifi.Name
		}
	}
	if _, err := net.InterfaceByName(zone); err != nil {
		return &InterfaceError{Interface: zone, Err: errNoSuch}
	}
	if !group {
		return nil
	}
	_, err := usable(zone)
	return err
}

// chooseInterface sets the interface through which packets to groups leave, if none was
// configured, the group has no route, and only one interface can be used. It reports
// whether packets to the group have an interface.
func (c *Conn) chooseInterface(group netip.Addr) bool {
	if c.out.Load() != nil {
		return true
	}
	ifi, found, err := interfaceTo(group)
	switch {
	case found:
		return true
	case err != nil:
		return false // the system returns an error
	}
	return c.sendThrough(ifi) == nil
}

// check returns an error if a group must not be used, and warns of reserved ones.
func (c *Conn) check(group netip.Addr) error {
	if !group.IsMulticast() {
		return ErrNotGroup
	}
	if group.Is6() != c.six() {
		return ErrFamily
	}
	switch Classify(group) {
	case LinkControl, InternetControl:
		if !c.cfg.Control {
			return ErrControl
		}
	case Reserved:
		if c.trace.Reserved != nil {
			c.trace.Reserved(group)
		}
	}
	return nil
}
