package multicast

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// A Config says what a [Conn] does. The zero value is ready to use, and one Config may
// open any number of Conns.
type Config struct {
	// Interface is the name of the interface through which packets to groups, and
	// limited broadcasts, leave. Groups are joined on it unless they name another. Empty
	// means that the system's route decides for each group; without a route, the only
	// interface that is up.
	Interface string
	// TTL is the TTL, or hop limit, of packets to groups: how many routers may forward
	// them, plus one. 0 means 1: they stay in the local network. Negative means 0: they
	// stay in this host. Packets to hosts are not affected.
	TTL int
	// NoLoopback hides what is sent to groups from other programs on this host, and from
	// this Conn. On Windows it hides what others on this host send from this Conn. It has
	// no effect on a loopback interface.
	NoLoopback bool
	// Unicast also delivers packets that are sent to an address of this host.
	Unicast bool
	// Broadcast also delivers packets that are sent to a broadcast address.
	Broadcast bool
	// Control allows groups that are reserved for control protocols: see LinkControl and
	// InternetControl.
	Control bool
	// Trace observes events. It may be nil.
	Trace *Trace
}

// A Membership is a group that a Conn joins.
type Membership struct {
	Group netip.Addr
	// Interface is the name of the interface to join on. Empty means the zone of an IPv6
	// group, or else Config.Interface, or else the interface to which the system's route
	// to the group leads; without a route, the only interface that is up.
	Interface string
	// Include lists the sources whose packets are delivered, and no others, unless it is
	// empty. An IPv6 source may have a zone, which must be that interface.
	Include []netip.Addr
	// Exclude lists sources whose packets are not delivered.
	Exclude []netip.Addr
}

// Listen opens a Conn at the port of at, for the version of IP of at. If the address of at
// is a group, Listen joins it and binds to all addresses of this host. Otherwise Listen binds
// to the address of at, which may be unspecified. It then joins groups. Port 0 means any
// free port.
//
// Any number of Conns, and of other programs that set SO_REUSEADDR, may share a port.
// A packet to a group or a broadcast address reaches all of them, a packet to an address of
// the host only one.
func (c *Config) Listen(at netip.AddrPort, groups ...Membership) (*Conn, error) {
	addr := at.Addr().Unmap()
	if addr.IsMulticast() {
		groups = append([]Membership{{Group: addr}}, groups...)
		addr = netip.IPv4Unspecified()
		if at.Addr().Unmap().Is6() {
			addr = netip.IPv6Unspecified()
		}
	}
	if !addr.IsValid() || addr == limited {
		return nil, fmt.Errorf("multicast: %v is not an address to listen at", at)
	}
	if c.TTL > 255 {
		return nil, fmt.Errorf("multicast: invalid TTL %d, want at most 255", c.TTL)
	}
	if c.TTL < 0 && c.NoLoopback {
		return nil, errors.New("multicast: a TTL of 0 without loopback reaches no receiver")
	}
	s, err := open(netip.AddrPortFrom(addr, at.Port()), true)
	if err != nil {
		return nil, err
	}
	in, err := newReader(s)
	if err != nil {
		s.udp.Close()
		return nil, fmt.Errorf("multicast: %w", err)
	}
	conn := &Conn{
		socket:  s,
		cfg:     *c,
		allowed: make(map[netip.Addr]struct{}),
		holds:   make(map[netip.Addr]*holding),
		closing: make(chan struct{}),
		in:      in,
	}
	if c.Trace != nil {
		conn.trace = *c.Trace
	}
	conn.filter.Store(&filter{unicast: c.Unicast, broadcast: c.Broadcast})
	if err := conn.setUp(groups); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// setUp applies the Config to the socket and joins groups.
func (c *Conn) setUp(groups []Membership) error {
	if c.cfg.Interface != "" {
		ifi, err := usable(c.cfg.Interface)
		if err == nil {
			err = c.sendThrough(ifi)
		}
		if err != nil {
			return err
		}
	}
	ttl := c.cfg.TTL
	switch {
	case ttl == 0:
		ttl = 1
	case ttl < 0:
		ttl = 0
	}
	if err := c.socket.setUp(ttl, !c.cfg.NoLoopback); err != nil {
		return fmt.Errorf("multicast: %w", err)
	}
	for _, m := range groups {
		if err := c.Join(m); err != nil {
			return err
		}
	}
	return nil
}

// sendThrough has packets to groups leave through an interface.
func (c *Conn) sendThrough(ifi *net.Interface) error {
	if err := c.socket.setInterface(ifi); err != nil {
		return &InterfaceError{Interface: ifi.Name, Err: err}
	}
	c.out.Store(ifi)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.startWatching()
	return nil
}

// open opens a socket. If shared is set, other sockets may bind to the same port.
func open(at netip.AddrPort, shared bool) (*socket, error) {
	network := "udp4"
	if at.Addr().Is6() {
		network = "udp6"
	}
	var lc net.ListenConfig
	late := at.Port() == 0 && choosesShared
	if shared && !late {
		lc.Control = func(_, _ string, raw syscall.RawConn) error { return shareRaw(raw) }
	}
	pc, err := lc.ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return nil, fmt.Errorf("multicast: %w", err)
	}
	conn := pc.(*net.UDPConn)
	if shared && late {
		raw, err := conn.SyscallConn()
		if err == nil {
			err = shareRaw(raw)
		}
		if err != nil {
			conn.Close()
			return nil, fmt.Errorf("multicast: %w", err)
		}
	}
	return newSocket(conn, at.Addr().Is6()), nil
}

func shareRaw(raw syscall.RawConn) error {
	var errShare error
	err := raw.Control(func(fd uintptr) { errShare = share(fd) })
	if err == nil {
		err = errShare
	}
	return err
}
