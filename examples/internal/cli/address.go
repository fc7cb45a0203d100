package cli

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ferrygo/ferry/multicast"
)

// HostPort returns host with a port. It has one already, or gets the default port, which is a usage error if it is 0.
// An IPv6 address may stand with or without brackets.
func HostPort(host string, defaultPort int) (string, error) {
	if h, port, err := net.SplitHostPort(host); err == nil {
		if h == "" || port == "" {
			return "", Usagef("%s: want HOST:PORT", host)
		}
		return host, nil
	}
	bare := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		bare = host[1 : len(host)-1]
	}
	if _, err := netip.ParseAddr(bare); err != nil && strings.ContainsAny(host, "[]:") || bare == "" || defaultPort == 0 {
		return "", Usagef("%s: want HOST:PORT", host)
	}
	return net.JoinHostPort(bare, strconv.Itoa(defaultPort)), nil
}

// Resolve looks up HOST or HOST:PORT arguments; see [HostPort].
func Resolve(hosts []string, defaultPort int) ([]netip.AddrPort, error) {
	addrs := make([]netip.AddrPort, len(hosts))
	for i, h := range hosts {
		h, err := HostPort(h, defaultPort)
		if err != nil {
			return nil, err
		}
		a, err := net.ResolveUDPAddr("udp", h)
		if err != nil {
			return nil, err
		}
		// As packets have it that come from there: not IPv4 in IPv6.
		addrs[i] = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	return addrs, nil
}

// ListenGroup opens a conn for a multicast group at an address of this host, joined or not.
// Where config names no interface the system's route decides.
func ListenGroup(config multicast.Config, group, at string, join bool) (*multicast.Conn, netip.AddrPort, error) {
	to, err := netip.ParseAddrPort(group)
	if err != nil || !to.Addr().IsMulticast() || to.Port() == 0 {
		return nil, to, Usagef("-group %s: want ADDR:PORT of a multicast group", group)
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return nil, to, err
	}
	if host == "" {
		if host = "0.0.0.0"; to.Addr().Is6() {
			host = "::"
		}
	}
	local, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return nil, to, Usagef("%s: want ADDR:PORT of this host", at)
	}
	var groups []multicast.Membership
	if join {
		groups = append(groups, multicast.Membership{Group: to.Addr()})
	}
	config.Unicast = true
	conn, err := config.Listen(local, groups...)
	return conn, to, err
}
