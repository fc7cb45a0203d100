package lossy

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// TestWrapLocal: a server behind a wrapping answers from the address that it was asked at,
// whether packets are delayed or not.
func TestWrapLocal(t *testing.T) {
	for name, options := range map[string][]Option{
		"counted": {Count()},
		"judged":  {Both(Loss(0))},
		"delayed": {Both(Delay(time.Microsecond))},
		"copied":  {Both(Duplicate(1))},
	} {
		t.Run(name, func(t *testing.T) {
			udp, err := net.ListenUDP("udp", nil)
			if err != nil {
				t.Fatal(err)
			}
			conn := Wrap(udp, options...)
			defer conn.Close()
			server := datagram.Open(t.Context(), conn, datagram.Config{Local: true})
			defer server.Release()
			asked := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), udp.LocalAddr().(*net.UDPAddr).AddrPort().Port())
			client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(asked))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for range 2 { // the first may be there before the socket is asked
				if _, err := client.Write([]byte("where?")); err != nil {
					t.Fatal(err)
				}
				pkts, err := server.Read(time.Now().Add(10 * time.Second))
				if err != nil {
					t.Fatal(err)
				}
				for i := range pkts {
					if pkts[i].Local != asked.Addr() {
						t.Errorf("asked at %v, want %v", pkts[i].Local, asked.Addr())
					}
				}
				if _, err := server.Write(pkts[:1]); err != nil {
					t.Fatal(err)
				}
				client.SetReadDeadline(time.Now().Add(10 * time.Second))
				if n, err := client.Read(make([]byte, 100)); n != len("where?") || err != nil {
					t.Errorf("the answer: %d bytes, %v", n, err)
				}
			}
		})
	}
}
