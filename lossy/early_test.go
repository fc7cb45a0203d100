package lossy_test

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestToldAtOnce: whoever watches, or is asked, learns of a packet one
// nanosecond after it was sent, however long it then takes.
func TestToldAtOnce(t *testing.T) {
	for _, watch := range []func(func()) lossy.Option{
		func(told func()) lossy.Option {
			return lossy.WithTrace(&lossy.Trace{Judged: func(lossy.Event) { told() }})
		},
		func(told func()) lossy.Option {
			return lossy.DropIf(func(lossy.Packet) bool { told(); return false })
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			told := time.Duration(-1)
			n := lossy.NewNetwork(watch(func() { told = time.Since(start) }), lossy.Delay(time.Hour))
			a, b := open(t, n), open(t, n)
			send(t, a, b, "x")
			receive(t, b)
			if told != 1 {
				t.Errorf("told after %v, want 1ns", told)
			}
		})
	}
}

// TestPastDelay: a packet that passes by a delay is not delayed.
func TestPastDelay(t *testing.T) {
	for name, m := range map[string]lossy.Model{
		"Reorder":  lossy.Reorder(1, 1, lossy.Delay(time.Hour)),
		"Schedule": lossy.Schedule(lossy.Phase{For: time.Minute}, lossy.Phase{Models: []lossy.Model{lossy.Delay(time.Hour)}}),
	} {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(m)
			if d := takes(t, open(t, n), open(t, n)); d != 1 {
				t.Errorf("%s: it takes %v, want 1ns", name, d)
			}
		})
	}
}

// TestNetworkCorrupt: a packet that arrives over a link has its bit flipped, copies by
// themselves, and a packet that is dropped in the end is still told as
// corrupted.
func TestNetworkCorrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		n := lossy.NewNetwork(lossy.Duplicate(1), lossy.Corrupt(1), lossy.Delay(5), lossy.WithTrace(&lossy.Trace{
			Judged: func(e lossy.Event) { events = append(events, fmt.Sprint(e.Copy, e.Verdict, e.Corrupted)) },
		}))
		a, b := open(t, n), open(t, n)
		zeros := make([]byte, 100)
		a.WriteToUDPAddrPort(zeros, b.AddrPort())
		first, second := receive(t, b), receive(t, b)
		for _, got := range []string{first, second} {
			ones := 0
			for i := range len(got) {
				ones += bits.OnesCount8(got[i])
			}
			if len(got) != 100 || ones != 1 {
				t.Errorf("%d bytes with %d bits flipped arrived", len(got), ones)
			}
		}
		if first == second {
			t.Error("a packet and its copy are corrupted alike")
		}
		b.Close()
		a.WriteToUDPAddrPort(zeros, b.AddrPort())
		time.Sleep(time.Second)
		synctest.Wait()
		want := []string{"0 delayed true", "1 delayed true", "0 delayed true", "1 delayed true", "0 dropped true", "1 dropped true"}
		if !slices.Equal(events, want) {
			t.Errorf("events are %q, want %q", events, want)
		}
	})
}

// TestLimitNumbers: a packet that is one too many on its way has the number
// that its place among the others gives it.
func TestLimitNumbers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		numbers := make(map[int]bool)
		var over []int
		n := lossy.NewNetwork(lossy.Delay(time.Second), lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
			numbers[e.N] = true
			if e.Cause == lossy.CauseLimit {
				over = append(over, e.N)
			}
		}}))
		a, b := openAt(t, n, addr("10.0.0.1:1")), openAt(t, n, addr("10.0.0.2:1"))
		b.JoinGroup(testGroup)
		big := make([]byte, 60000)
		const count = 1200
		for i := range count {
			to := b.AddrPort()
			if i%3 == 0 && i < 900 {
				to = netip.AddrPortFrom(testGroup, 1)
			}
			a.WriteToUDPAddrPort(big, to)
		}
		time.Sleep(time.Minute)
		n.Stats()
		if len(numbers) != count || !numbers[1] || !numbers[count] {
			t.Errorf("%d packets have %d numbers", count, len(numbers))
		}
		if len(over) < 10 || !slices.IsSorted(over) || over[len(over)-1] != count {
			t.Errorf("too many were %v", over)
		}
	})
}

// TestGroupReopened: a conn at the address of a member that has closed is not a member.
func TestGroupReopened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := openAt(t, n, addr("10.0.0.1:1")), openAt(t, n, addr("10.0.0.2:1"))
		if err := b.JoinGroup(testGroup); err != nil {
			t.Fatal(err)
		}
		b.Close()
		b = openAt(t, n, b.AddrPort())
		a.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(testGroup, 1))
		time.Sleep(time.Second)
		if got := drain(t, b, a.AddrPort()); len(got) != 0 {
			t.Errorf("got %q", got)
		}
	})
}
