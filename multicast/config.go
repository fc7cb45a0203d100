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
	// limited broadcasts, leave, and on which groups are joined that name none. Empty
	// means that the system's route decides, each time.
	Interface string
	// TTL is how many routers may pass a packet to a group on, plus one. 0 means 1,
	// which keeps it in the local network; negative means 0, which keeps it in this
	// host. Packets to hosts are not affected.
	TTL int
	// NoLoopback keeps what is sent to groups from other programs on this host, and
	// from this Conn. On Windows it keeps what others on this host send from this Conn.
	// It has no effect on a loopback interface.
	NoLoopback bool
	// Unicast delivers also what is sent to an address of this host.
	Unicast bool
	// Broadcast delivers also what is sent to a broadcast address.
	Broadcast bool
	// Control lets groups be joined, and sent to, that are for control protocols: see
	// LinkControl and InternetControl.
	Control bool
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace
}

// A Membership is a group that a Conn joins.
type Membership struct {
	Group netip.Addr
	// Interface is the name of the interface to join on. Empty means Config.Interface,
	// or else the one to which the system's route to the group leads. The zone of an
	// IPv6 group means the same.
	Interface string
	// Include, if it has any, lists the sources whose packets are delivered, and no
	// others. An IPv6 source goes with or without a zone, which is that interface.
	Include []netip.Addr
	// Exclude lists sources whose packets are not delivered, likewise.
	Exclude []netip.Addr
}

// Listen opens a Conn at the port of at, on all addresses of this host, of the version
// of IP that at has. If the address of at is a group, it is joined; so are groups. If
// it is the address of a host, or unspecified, it is bound to. Port 0 means any that
// nobody has.
//
// Any number of Conns, and of other programs that set SO_REUSEADDR, may share a port.
// What is sent to a group or broadcast reaches all of them, what is sent to the host
// only one.
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
		return nil, fmt.Errorf("multicast: %v is no address to listen at", at)
	}
	if c.TTL > 255 {
		return nil, fmt.Errorf("multicast: TTL of %d, want 255 at most", c.TTL)
	}
	if c.TTL < 0 && c.NoLoopback {
		return nil, errors.New("multicast: a TTL of 0 without loopback reaches nobody")
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
		checked: make(map[netip.Addr]struct{}),
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

// setUp makes the socket what its Config says, and joins groups.
func (c *Conn) setUp(groups []Membership) error {
	if c.cfg.Interface != "" {
		ifi, err := usable(c.cfg.Interface)
		if err != nil {
			return fmt.Errorf("multicast: %w", err)
		}
		if err := c.socket.setInterface(ifi); err != nil {
			return fmt.Errorf("multicast: interface %s: %w", ifi.Name, err)
		}
		c.out.Store(ifi)
		c.startWatching()
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

// open opens a socket. If shared, others may be bound to the same port.
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

// usable finds an interface that can do multicast now. (A loopback interface can, though
// its flags on Linux do not say so.)
func usable(name string) (*net.Interface, error) {
	ifi, err := net.InterfaceByName(name)
	switch {
	case err != nil:
		return nil, &InterfaceError{Interface: name, Err: errNoSuch}
	case ifi.Flags&net.FlagUp == 0:
		return nil, &InterfaceError{Interface: name, Err: errDown}
	case ifi.Flags&(net.FlagMulticast|net.FlagLoopback) == 0:
		return nil, &InterfaceError{Interface: name, Err: errNoMulticast}
	}
	return ifi, nil
}

// routed finds the interface to which the system's route to group leads.
func routed(group netip.Addr) (*net.Interface, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(group, 9)))
	if err != nil {
		return nil, ErrNoInterface
	}
	defer c.Close() // it has sent nothing
	local := c.LocalAddr().(*net.UDPAddr)
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, ifi := range all {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			if ipn, ok := a.(*net.IPNet); ok && ipn.IP.Equal(local.IP) && (local.Zone == "" || local.Zone == ifi.Name) {
				return usable(ifi.Name)
			}
		}
	}
	return nil, ErrNoInterface
}
