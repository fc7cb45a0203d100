package lossy_test

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/lossy/pcapng"
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

// virtually runs f in virtual time, as synctest.Test does in a test. It keeps
// go test -v from printing among the example's output that there is a test, and
// go test -skip from skipping it, and go test -count from running it twice.
func virtually(f func()) {
	for name, off := range map[string]string{"test.v": "false", "test.skip": "", "test.count": "1"} {
		option := flag.Lookup(name).Value
		before := option.String()
		option.Set(off)
		defer option.Set(before)
	}
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "example",
		F:    func(t *testing.T) { synctest.Test(t, func(*testing.T) { f() }) },
	}})
}

// sendAll sends numbers to a conn by stop-and-wait: each again and again until
// it is acknowledged, with a timer of 200 ms. It returns how many packets that
// took.
func sendAll(pc net.PacketConn, to net.Addr, numbers int) (packets int) {
	ack := make([]byte, 10)
	for i := range numbers {
		for acked := false; !acked; {
			fmt.Fprint(datagramsTo(pc, to), i)
			packets++
			pc.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			n, _, err := pc.ReadFrom(ack)
			acked = err == nil && string(ack[:n]) == fmt.Sprint(i)
		}
	}
	return packets
}

func datagramsTo(pc net.PacketConn, addr net.Addr) writerFunc { return to(pc, addr) }

// echo sends back what comes, until the conn is closed.
func echo(pc net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		pc.WriteTo(buf[:n], from)
	}
}

// A protocol over a link that loses packets in bursts and takes 50 ms: nine
// seconds of it in no time, and the same ones in every run.
func Example_flakyLink() {
	virtually(func() {
		n := lossy.NewNetwork(
			lossy.GilbertElliott(0.02, 0.3, 1, 0),
			lossy.NormalDelay(50*time.Millisecond, 10*time.Millisecond),
		)
		a, _ := n.NewConn(netip.AddrPort{})
		b, _ := n.NewConn(netip.AddrPort{})
		defer b.Close()
		go echo(b)
		start := time.Now()
		packets := sendAll(a, b.LocalAddr(), 80)
		fmt.Println(packets, "packets for 80,", n.Stats().Lost, "lost either way, in", time.Since(start).Round(time.Second))
	})
	// Output:
	// 87 packets for 80, 7 lost either way, in 9s
}

// A host that is cut off for a minute, and its protocol that goes on after.
func Example_partition() {
	virtually(func() {
		n := lossy.NewNetwork(lossy.Delay(10 * time.Millisecond))
		a, _ := n.NewConn(netip.AddrPort{})
		b, _ := n.NewConn(netip.AddrPort{})
		defer b.Close()
		go echo(b)
		if err := n.Partition([]netip.Addr{b.AddrPort().Addr()}); err != nil {
			fmt.Println(err)
		}
		time.AfterFunc(time.Minute, n.Heal)
		start := time.Now()
		sendAll(a, b.LocalAddr(), 1)
		fmt.Println("answered after", time.Since(start), "and", n.Stats().Cut, "packets that were cut off")
	})
	// Output:
	// answered after 1m0.02s and 300 packets that were cut off
}

// The case that takes luck to see: the first acknowledgement is lost, and
// nothing else.
func Example_script() {
	virtually(func() {
		n := lossy.NewNetwork(
			lossy.DropIf(func(p lossy.Packet) bool { return p.From.Port() == 7 && p.N == 1 }),
			lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
				fmt.Printf("%v > %v: %s %v\n", e.From, e.To, e.Payload, e.Verdict)
			}}),
		)
		a, _ := n.NewConn(netip.MustParseAddrPort("10.0.0.1:1"))
		b, _ := n.NewConn(netip.MustParseAddrPort("10.0.0.2:7"))
		defer b.Close()
		go echo(b)
		sendAll(a, b.LocalAddr(), 2)
	})
	// Output:
	// 10.0.0.1:1 > 10.0.0.2:7: 0 passed
	// 10.0.0.2:7 > 10.0.0.1:1: 0 dropped
	// 10.0.0.1:1 > 10.0.0.2:7: 0 passed
	// 10.0.0.2:7 > 10.0.0.1:1: 0 passed
	// 10.0.0.1:1 > 10.0.0.2:7: 1 passed
	// 10.0.0.2:7 > 10.0.0.1:1: 1 passed
}

// The seed under which something goes wrong is found once, and shows the same
// as often as one likes: here, a number that needs eight tries.
func Example_replay() {
	run := func(seed uint64) (most int) {
		virtually(func() {
			n := lossy.NewNetwork(lossy.Seed(seed), lossy.Loss(0.2))
			a, _ := n.NewConn(netip.AddrPort{})
			b, _ := n.NewConn(netip.AddrPort{})
			defer b.Close()
			go echo(b)
			for range 10 {
				most = max(most, sendAll(a, b.LocalAddr(), 1))
			}
		})
		return most
	}
	for seed := range uint64(1000) {
		if tries := run(seed); tries > 5 {
			fmt.Println("seed", seed, "takes", tries, "tries; again it takes", run(seed))
			return
		}
	}
	// Output:
	// seed 28 takes 8 tries; again it takes 8
}

// A capture for Wireshark. With a file in place of the buffer, open that.
func Example_capture() {
	virtually(func() {
		var file bytes.Buffer
		capture, err := pcapng.NewWriter(&file)
		if err != nil {
			fmt.Println(err)
			return
		}
		n := lossy.NewNetwork(lossy.WithTrace(capture.Trace()), lossy.DropNth(2), lossy.Delay(50*time.Millisecond))
		a, _ := n.NewConn(netip.AddrPort{})
		b, _ := n.NewConn(netip.AddrPort{})
		defer b.Close()
		go echo(b)
		sendAll(a, b.LocalAddr(), 3)
		for _, comment := range []string{"delayed 50ms, packet 1", "dropped: script, packet 2"} {
			fmt.Println(bytes.Count(file.Bytes(), []byte(comment)), "x", comment)
		}
		fmt.Println("error:", capture.Err())
	})
	// Output:
	// 2 x delayed 50ms, packet 1
	// 2 x dropped: script, packet 2
	// error: <nil>
}
