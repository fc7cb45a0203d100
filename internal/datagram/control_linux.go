package datagram

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A control is a buffer for the control messages of one message (cmsg(3)). It has room
// for those of this package and for some that the socket's owner may have asked for. It
// consists of words because the kernel wants control messages aligned.
//
//	length 8 (4 on 32-bit systems) | level 4 | type 4 | data, padded to a word
type control [24]uint64

func (c *control) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c)) }

// put writes a control message at offset at, and returns its data and the offset of the
// next control message.
func (c *control) put(at int, level, kind int32, length int) (data []byte, next int) {
	b := c.bytes()[at : at+unix.CmsgSpace(length)]
	clear(b)
	h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(length))
	return b[unix.CmsgLen(0):], at + len(b)
}

// putSegment says that a message consists of segments of a length (UDP_SEGMENT, udp(7)).
func (c *control) putSegment(at, length int) (next int) {
	data, next := c.put(at, unix.SOL_UDP, unix.UDP_SEGMENT, 2)
	binary.NativeEndian.PutUint16(data, uint16(length))
	return next
}

// putSource says from which address of this host a message is sent (IP_PKTINFO, ip(7);
// IPV6_PKTINFO, RFC 3542, section 6.1). A link-local address needs its interface. IPv4
// packets of a dual-stack socket take IP_PKTINFO as well.
//
//	IPv4:  interface 4 | source address 4 | ignored 4
//	IPv6:  source address 16 | interface 4
func (c *control) putSource(at int, local netip.Addr, z *zones) (next int) {
	if local.Is4() || local.Is4In6() {
		data, next := c.put(at, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		a := local.As4()
		copy(data[4:], a[:])
		return next
	}
	data, next := c.put(at, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	a := local.As16()
	copy(data, a[:])
	if zone := local.Zone(); zone != "" {
		binary.NativeEndian.PutUint32(data[16:], z.index(zone))
	}
	return next
}

// Info is what the kernel tells about a datagram.
type Info struct {
	Source netip.AddrPort
	// Destination is the address that the datagram was sent to; zero if unknown.
	Destination netip.Addr
	// Local is Destination if that is a unicast address of this host, with the zone if
	// it is link-local; otherwise it is zero.
	Local     netip.Addr
	Interface int // the index of the interface that it arrived at; 0 if unknown
	TTL       int // what was left of the TTL or hop limit; -1 if unknown
	Segment   int // the length of the datagrams that arrived in one piece; 0: it is one
	// Broadcast is whether Destination is a broadcast address.
	Broadcast bool
}

// parse reads the control messages in the first length bytes of c. A control message that
// is cut off ends them.
func (i *Info) parse(c *control, length int, z *zones) {
	four := false
	for b := c.bytes()[:min(length, len(c.bytes()))]; len(b) >= unix.CmsgLen(0); {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
		n := int(h.Len)
		if n < unix.CmsgLen(0) || n > len(b) {
			break
		}
		data := b[unix.CmsgLen(0):n]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			i.pktinfo4(data)
			four = true
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo && !four:
			i.pktinfo6(data, z)
		case len(data) < 4:
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO:
			i.Segment = native32(data)
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL,
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT:
			i.TTL = native32(data)
		}
		b = b[min(len(b), unix.CmsgSpace(len(data))):]
	}
}

// pktinfo4 reads a struct in_pktinfo: interface, local address, destination address. The
// local address differs from the destination for multicast and broadcast, and it is zero
// if the datagram had arrived before the socket was asked for it.
func (i *Info) pktinfo4(data []byte) {
	i.Interface = native32(data)
	local := netip.AddrFrom4([4]byte(data[4:8]))
	i.Destination = netip.AddrFrom4([4]byte(data[8:12]))
	i.Broadcast, i.Local = false, netip.Addr{}
	switch {
	case i.Destination.IsMulticast():
	case i.Destination == limitedBroadcast, local != i.Destination && !local.IsUnspecified():
		i.Broadcast = true
	default:
		i.Local = i.Destination
	}
}

// pktinfo6 reads a struct in6_pktinfo: destination address, interface. A dual-stack socket
// reports IPv4 destinations as IPv4-mapped addresses.
func (i *Info) pktinfo6(data []byte, z *zones) {
	i.Destination = netip.AddrFrom16([16]byte(data[:16])).Unmap()
	i.Interface = native32(data[16:])
	switch {
	case i.Destination.IsMulticast(), i.Destination == limitedBroadcast:
	case i.Destination.IsLinkLocalUnicast() && i.Destination.Is6():
		i.Local = i.Destination.WithZone(z.name(uint32(i.Interface)))
	default:
		i.Local = i.Destination
	}
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func native32(b []byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }
