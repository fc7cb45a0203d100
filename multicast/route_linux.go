package multicast

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// routeIndex asks the kernel for the index of the interface to which its route to group
// leads (RTM_GETROUTE, rtnetlink(7)). That is where it joins a group for a program that
// names no interface. The source address of the route does not tell: it may be the address
// of another interface, or of several.
func routeIndex(group netip.Addr) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	// The kernel answers within the call that sends the request; this is for a kernel that
	// does not.
	timeout := unix.NsecToTimeval(time.Second.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Sendto(fd, routeRequest(group), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, os.NewSyscallError("sendto", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return 0, os.NewSyscallError("recvfrom", err)
	}
	return parseRoute(answer[:n])
}

// routeRequest returns an RTM_GETROUTE message. All but the address is in the machine's
// byte order.
//
//	length 4 | type 2 | flags 2 | sequence number 4 | port 4        struct nlmsghdr
//	family 1 | length of the address in bits 1 | zeros 10           struct rtmsg
//	length 2 | RTA_DST 2 | address                                  struct rtattr
func routeRequest(group netip.Addr) []byte {
	addr := group.WithZone("").AsSlice()
	family := byte(unix.AF_INET)
	if group.Is6() {
		family = unix.AF_INET6
	}
	order := binary.NativeEndian
	b := order.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+unix.SizeofRtMsg+unix.SizeofRtAttr+len(addr)))
	b = order.AppendUint16(b, unix.RTM_GETROUTE)
	b = order.AppendUint16(b, unix.NLM_F_REQUEST)
	b = append(b, make([]byte, 8)...)
	b = append(b, family, byte(8*len(addr)))
	b = append(b, make([]byte, unix.SizeofRtMsg-2)...)
	b = order.AppendUint16(b, uint16(unix.SizeofRtAttr+len(addr)))
	b = order.AppendUint16(b, unix.RTA_DST)
	return append(b, addr...)
}

var errRoute = errors.New("no route in the kernel's answer")

// parseRoute returns the attribute RTA_OIF of an RTM_NEWROUTE message, or the error of an
// NLMSG_ERROR message.
func parseRoute(b []byte) (int, error) {
	order := binary.NativeEndian
	if len(b) < unix.NLMSG_HDRLEN+4 {
		return 0, errRoute
	}
	b = b[:min(len(b), int(order.Uint32(b)))]
	switch kind := order.Uint16(b[4:]); {
	case len(b) < unix.NLMSG_HDRLEN+4:
		return 0, errRoute
	case kind == unix.NLMSG_ERROR:
		return 0, unix.Errno(-int32(order.Uint32(b[unix.NLMSG_HDRLEN:])))
	case kind != unix.RTM_NEWROUTE || len(b) < unix.NLMSG_HDRLEN+unix.SizeofRtMsg:
		return 0, errRoute
	}
	for b = b[unix.NLMSG_HDRLEN+unix.SizeofRtMsg:]; len(b) >= unix.SizeofRtAttr; {
		length := int(order.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			break
		}
		if order.Uint16(b[2:]) == unix.RTA_OIF && length >= unix.SizeofRtAttr+4 {
			return int(order.Uint32(b[unix.SizeofRtAttr:])), nil
		}
		b = b[min(len(b), (length+unix.RTA_ALIGNTO-1)/unix.RTA_ALIGNTO*unix.RTA_ALIGNTO):]
	}
	return 0, errRoute
}
