package multicast_test

import (
	"fmt"
	"net/netip"

	"github.com/ferrygo/ferry/multicast"
)

func ExampleClassify() {
	for _, s := range []string{"224.0.0.1", "224.1.1.1", "232.1.2.3", "239.255.0.1", "255.255.255.255", "ff02::1"} {
		fmt.Println(s, "is", multicast.Classify(netip.MustParseAddr(s)))
	}
	// Output:
	// 224.0.0.1 is link-local control
	// 224.1.1.1 is reserved
	// 232.1.2.3 is source-specific
	// 239.255.0.1 is administratively scoped
	// 255.255.255.255 is broadcast
	// ff02::1 is link-local control
}

// 32 groups share an Ethernet address.
func ExampleMAC() {
	group := netip.MustParseAddr("224.1.1.1")
	mac, err := multicast.MAC(group)
	fmt.Println(mac, err, multicast.Aliases(group)[:3])
	// Output:
	// 01:00:5e:01:01:01 <nil> [224.1.1.1 224.129.1.1 225.1.1.1]
}

func ExampleDirectedBroadcast() {
	fmt.Println(multicast.DirectedBroadcast(netip.MustParsePrefix("192.168.1.77/26")))
	// Output:
	// 192.168.1.127 <nil>
}
