package multicast_test

import (
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/ferrygo/ferry/multicast"
)

// A Conn that is in a group hears what it sends there itself.
func ExampleConfig_Listen() {
	c := multicast.Config{Interface: "lo"}
	conn, err := c.Listen(netip.MustParseAddrPort("239.255.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	port := conn.LocalAddr().(*net.UDPAddr).Port
	if _, err := conn.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(239, 255, 0, 1), Port: port}); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 1500)
	n, info, err := conn.ReadInfo(buf)
	fmt.Printf("%s to %v on %s, TTL %d, %v\n", buf[:n], info.Destination, info.Interface, info.TTL, err)
	// Output:
	// hello to 239.255.0.1 on lo, TTL 1, <nil>
}
