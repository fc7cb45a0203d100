package lossy_test

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A socket whose first two packets are lost: a scripted failure, the same in
// every run.
func ExampleWrap() {
	receiver, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	sender := lossy.Wrap(socket, lossy.DropNth(1, 2))
	defer sender.Close()

	for i := 1; i <= 3; i++ {
		fmt.Fprintf(to(sender, receiver.LocalAddr()), "packet %d", i)
	}
	buf := make([]byte, 100)
	n, _, err := receiver.ReadFrom(buf)
	fmt.Println(string(buf[:n]), err)
	egress, _ := lossy.StatsOf(sender)
	fmt.Println(egress.Packets, "sent,", egress.Dropped(), "dropped")
	// Output:
	// packet 3 <nil>
	// 3 sent, 2 dropped
}

// to returns a writer of datagrams to one address.
func to(pc net.PacketConn, addr net.Addr) writerFunc {
	return func(b []byte) (int, error) { return pc.WriteTo(b, addr) }
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A network that loses a packet in five and doubles one in ten: always the
// same ones, as long as the seed is the same.
func ExampleNewNetwork() {
	n := lossy.NewNetwork(lossy.Loss(0.2), lossy.Duplicate(0.1), lossy.Seed(1))
	a, _ := n.NewConn(netip.AddrPort{})
	b, _ := n.NewConn(netip.MustParseAddrPort("10.0.0.2:6900"))
	for i := range 10 {
		fmt.Fprint(to(a, b.LocalAddr()), "packet ", i)
	}
	fmt.Println("from", a.LocalAddr(), "to", b.LocalAddr())
	for _, s := range readAll(b) {
		fmt.Println(s)
	}
	// Output:
	// from 10.0.0.1:49152 to 10.0.0.2:6900
	// packet 0
	// packet 1
	// packet 3
	// packet 4
	// packet 5
	// packet 5
	// packet 6
	// packet 7
	// packet 8
	// packet 8
	// packet 9
}

// readAll reads what there is, until nothing comes for a while, three times: a deadline
// that passes before the read, on a busy machine, hides what is there.
func readAll(pc net.PacketConn) (got []string) {
	buf := make([]byte, 1500)
	for idle := 0; idle < 3; {
		pc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		n, _, err := pc.ReadFrom(buf)
		if err != nil {
			idle++
			continue
		}
		got, idle = append(got, string(buf[:n])), 0
	}
	return got
}

// What a receiver of P2MP-FTP prints when it drops a packet on receipt.
func ExampleTrace() {
	n := lossy.NewNetwork()
	sender, _ := n.NewConn(netip.AddrPort{})
	conn, _ := n.NewConn(netip.AddrPort{})
	receiver := lossy.Wrap(conn, lossy.Ingress(lossy.Loss(0.4)), lossy.Seed(1), lossy.WithTrace(&lossy.Trace{
		Judged: func(e lossy.Event) {
			if e.Direction == lossy.Incoming && e.Verdict == lossy.Dropped {
				fmt.Printf("Packet loss, sequence number = %s\n", e.Payload)
			}
		},
	}))
	for i := range 5 {
		fmt.Fprint(to(sender, conn.LocalAddr()), i)
	}
	fmt.Println("received", readAll(receiver))
	// Output:
	// Packet loss, sequence number = 3
	// received [0 1 2 4]
}

// A link of 8 Mbit/s takes a millisecond for 1000 bytes, and has room for two
// packets that wait.
func ExampleRate() {
	n := lossy.NewNetwork(lossy.Rate(8e6, 2), lossy.WithTrace(&lossy.Trace{
		Judged: func(e lossy.Event) {
			if e.Verdict == lossy.Dropped {
				fmt.Println("packet", e.N, "dropped:", e.Cause)
			} else {
				fmt.Println("packet", e.N, "takes", e.Delay)
			}
		},
	}))
	a, _ := n.NewConn(netip.AddrPort{})
	b, _ := n.NewConn(netip.AddrPort{})
	packet := make([]byte, 1000)
	a.WriteBatch( // all at one instant
		[][]byte{packet, packet, packet, packet, packet},
		[]netip.AddrPort{b.AddrPort(), b.AddrPort(), b.AddrPort(), b.AddrPort(), b.AddrPort()},
		nil,
	)
	fmt.Println(len(readAll(b)), "arrived,", n.Stats().QueueFull, "found the queue full")
	// Output:
	// packet 1 takes 1ms
	// packet 2 takes 2ms
	// packet 3 takes 3ms
	// packet 4 dropped: queue full
	// packet 5 dropped: queue full
	// 3 arrived, 2 found the queue full
}

// The two things that the count in the UDP file delivery assignment's network
// can be, and what becomes of 1000 packets sent too fast.
func ExampleCrowding() {
	for _, reading := range []lossy.Reading{lossy.CountAttempts, lossy.CountDeliveries} {
		n := lossy.NewNetwork(lossy.Crowding(time.Hour, 0.1, 1.0/40, reading))
		a, _ := n.NewConn(netip.AddrPort{})
		b, _ := n.NewConn(netip.AddrPort{})
		for range 1000 {
			fmt.Fprint(to(a, b.LocalAddr()), "data")
		}
		fmt.Println(len(readAll(b)), "arrived")
	}
	// Output:
	// 19 arrived
	// 36 arrived
}
