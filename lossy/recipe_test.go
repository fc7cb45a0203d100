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
)

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
		capture, err := lossy.NewCapture(&file)
		if err != nil {
			fmt.Println(err)
			return
		}
		n := lossy.NewNetwork(lossy.WithCapture(capture), lossy.DropNth(2), lossy.Delay(50*time.Millisecond))
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

// tc's words for a network.
func ExampleNetem() {
	m, err := lossy.Netem("delay 50ms 10ms distribution normal loss gemodel 1% 10%")
	fmt.Println(m != nil, err)
	_, err = lossy.Netem("delay 50ms losss 1%")
	fmt.Println(err)
	// Output:
	// true <nil>
	// lossy: netem: "losss" is not understood
}
