package multicast

import (
	"fmt"
	"net/netip"
)

// A Class is the use of an address.
type Class int

// The classes of addresses.
const (
	Unicast   Class = iota // one host, or any one of several (anycast looks the same)
	Broadcast              // 255.255.255.255, all hosts in the local network
	// LinkControl: 224.0.0.0/24 (RFC 5771, section 4), which routers do not forward,
	// with all hosts (224.0.0.1) and all routers (224.0.0.2); ff01::/16 and ff02::/16,
	// the assigned groups of the smallest scopes (RFC 4291, section 2.7.1).
	LinkControl
	// InternetControl: 224.0.1.0/24 (RFC 5771, section 5).
	InternetControl
	// AdHoc: 224.0.2.0 to 224.0.255.255, 224.3.0.0/16, 224.4.0.0/16 and 233.252.0.0/14
	// (RFC 5771, sections 6 and 9).
	AdHoc
	// SDPSAP: 224.2.0.0/16 (RFC 5771, section 7).
	SDPSAP
	// SSM: 232.0.0.0/8 and ff3x::/32, where a group is joined together with a source
	// (RFC 4607).
	SSM
	// GLOP: 233.0.0.0 to 233.251.255.255 (RFC 5771, section 8; RFC 3180).
	GLOP
	// UnicastBased: 234.0.0.0/8 (RFC 6034) and ff3x:: beyond SSM (RFC 3306).
	UnicastBased
	// AdminScoped: 239.0.0.0/8 (RFC 2365), for use within an organisation.
	AdminScoped
	// Assigned: an IPv6 group with a well-known number, ff0x:: (RFC 4291, section 2.7),
	// in a scope beyond the link.
	Assigned
	// Transient: an IPv6 group that is not assigned, ff1x::.
	Transient
	// Reserved: multicast blocks that are not used yet, 240.0.0.0/4, and the zero Addr.
	Reserved
)

var classNames = [...]string{
	Unicast: "unicast", Broadcast: "broadcast", LinkControl: "link-local control",
	InternetControl: "internetwork control", AdHoc: "ad hoc", SDPSAP: "SDP/SAP", SSM: "source-specific", GLOP: "GLOP",
	UnicastBased: "unicast-prefix-based", AdminScoped: "administratively scoped", Assigned: "assigned",
	Transient: "transient", Reserved: "reserved",
}

// String returns the class's name in English.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return fmt.Sprintf("class %d", int(c))
	}
	return classNames[c]
}

// A block is an IPv4 prefix and its use.
type block struct {
	prefix netip.Prefix
	class  Class
}

// blocks returns the IPv4 blocks of RFC 5771, section 3, the longer prefixes first. A
// multicast address in none of them is reserved.
func blocks() [14]block {
	v4 := func(a, b, c byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, 0}), bits)
	}
	return [...]block{
		{v4(224, 0, 0, 24), LinkControl},
		{v4(224, 0, 1, 24), InternetControl},
		{v4(224, 0, 0, 16), AdHoc},
		{v4(224, 2, 0, 16), SDPSAP},
		{v4(224, 3, 0, 16), AdHoc},
		{v4(224, 4, 0, 16), AdHoc},
		{v4(232, 0, 0, 8), SSM},
		{v4(233, 252, 0, 14), AdHoc},
		{v4(233, 0, 0, 8), GLOP},
		{v4(234, 0, 0, 8), UnicastBased},
		{v4(239, 0, 0, 8), AdminScoped},
		{v4(224, 0, 0, 4), Reserved},
		{v4(240, 0, 0, 4), Reserved},
		{v4(0, 0, 0, 0), Unicast},
	}
}

// Classify returns the use of addr. A 4-in-6 address counts as IPv4. Directed broadcast
// addresses are Unicast: only their network knows them; see [DirectedBroadcast].
func Classify(addr netip.Addr) Class {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid():
		return Reserved
	case addr.Is6():
		return classify6(addr)
	case addr == limited:
		return Broadcast
	}
	for _, b := range blocks() {
		if b.prefix.Contains(addr) {
			return b.class
		}
	}
	return Reserved
}

// classify6 knows the format of RFC 4291, section 2.7: ff, four bits of flags 0RPT,
// four of scope.
func classify6(addr netip.Addr) Class {
	a := addr.As16()
	if a[0] != 0xff {
		return Unicast
	}
	flags, scope := a[1]>>4, a[1]&0xf
	switch {
	case scope == 0 || scope == 0xf || flags&8 != 0:
		return Reserved
	case flags == 3 && a[2] == 0 && a[3] == 0:
		return SSM // RFC 4607, section 1: FF3x::/32
	case flags&2 != 0:
		return UnicastBased // RFC 3306, section 4; with R RFC 3956
	case flags == 1:
		return Transient
	case flags != 0:
		return Reserved // R without P
	case scope <= 2:
		return LinkControl
	}
	return Assigned
}

// AllHosts returns 224.0.0.1, the group that every host of a link is in (RFC 1112,
// section 4).
func AllHosts() netip.Addr { return netip.AddrFrom4([4]byte{224, 0, 0, 1}) }

// AllRouters returns 224.0.0.2, the group that every router of a link is in.
func AllRouters() netip.Addr { return netip.AddrFrom4([4]byte{224, 0, 0, 2}) }
