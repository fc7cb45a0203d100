package multicast

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestParseRoute: an answer that is cut off anywhere, or that has no interface, is an error.
func TestParseRoute(t *testing.T) {
	order := binary.NativeEndian
	answer := routeRequest(netip.MustParseAddr("239.255.0.1"))
	order.PutUint16(answer[4:], unix.RTM_NEWROUTE)
	if _, err := parseRoute(answer); !errors.Is(err, errRoute) {
		t.Errorf("without an interface: %v", err)
	}
	attr := slices.Clone(answer[unix.NLMSG_HDRLEN+unix.SizeofRtMsg:])
	order.PutUint16(attr[2:], unix.RTA_OIF)
	order.PutUint32(attr[4:], 77)
	answer = append(answer, attr...)
	order.PutUint32(answer, uint32(len(answer)))
	if index, err := parseRoute(answer); index != 77 || err != nil {
		t.Errorf("interface %d, %v", index, err)
	}
	for n := range answer {
		if _, err := parseRoute(answer[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(answer))
		}
	}
	order.PutUint16(answer[unix.NLMSG_HDRLEN+unix.SizeofRtMsg:], 0)
	if _, err := parseRoute(answer); !errors.Is(err, errRoute) {
		t.Errorf("an attribute without a length: %v", err)
	}
	order.PutUint16(answer[4:], unix.NLMSG_ERROR)
	code := -int32(unix.ENETUNREACH)
	order.PutUint32(answer[unix.NLMSG_HDRLEN:], uint32(code))
	if _, err := parseRoute(answer); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("an error of the kernel: %v", err)
	}
}
