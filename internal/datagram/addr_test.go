package datagram

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
)

func TestCanonical(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) == 0 {
		t.Fatalf("no interface, not even loopback: %v", err)
	}
	i := interfaces[0]
	for in, want := range map[string]string{
		"10.0.0.1:7":                            "10.0.0.1:7",
		"[::ffff:10.0.0.1]:7":                   "10.0.0.1:7",
		"[2001:db8::1]:7":                       "[2001:db8::1]:7",
		"[fe80::1%nonsuch]:7":                   "[fe80::1%nonsuch]:7",
		"[fe80::1%999999]:7":                    "[fe80::1%999999]:7",
		fmt.Sprintf("[fe80::1%%%d]:7", i.Index): fmt.Sprintf("[fe80::1%%%s]:7", i.Name),
	} {
		if got := Canonical(netip.MustParseAddrPort(in)); got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: %v, want %s", in, got, want)
		}
	}
}
