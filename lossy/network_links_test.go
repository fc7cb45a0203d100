package lossy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// host returns the host of a conn.
func host(c *lossy.Conn) netip.Addr { return c.AddrPort().Addr() }

// takes returns how long a packet from a to b is on its way, or a second.
func takes(t *testing.T, a, b *lossy.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	send(t, a, b, "x")
	b.SetReadDeadline(start.Add(time.Second))
	if _, _, err := b.ReadFrom(make([]byte, 10)); err != nil {
		return time.Second
	}
	return time.Since(start)
}

// TestSetLink gives one of four links its own models, changes and takes them
// back.
func TestSetLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Delay(10))
		a, b, c := open(t, n), open(t, n), open(t, n)
		second := openAt(t, n, netip.AddrPortFrom(host(a), 99))
		check := func(step string, ab, ba, ac, ab2 time.Duration) {
			t.Helper()
			for _, test := range []struct {
				from, to *lossy.Conn
				want     time.Duration
			}{{a, b, ab}, {b, a, ba}, {a, c, ac}, {second, b, ab2}} {
				if got := takes(t, test.from, test.to); got != test.want {
					t.Errorf("%s: from %v to %v it takes %d ns, want %d", step, test.from.AddrPort(), test.to.AddrPort(), got, test.want)
				}
			}
		}
		check("first", 10, 10, 10, 10)
		if err := n.SetLink(host(a), host(b), lossy.Delay(3), lossy.Delay(4)); err != nil {
			t.Fatal(err)
		}
		check("one link", 7, 10, 10, 7)
		if err := n.SetLink(host(b), netip.MustParseAddr("::ffff:"+host(a).String())); err != nil {
			t.Fatal(err)
		}
		check("a perfect link", 7, 1, 10, 7)
		n.SetModels(lossy.Delay(20))
		check("other models", 7, 1, 20, 7)
		if err := n.ResetLink(host(a), host(b)); err != nil {
			t.Fatal(err)
		}
		check("reset", 20, 1, 20, 20)
		n.SetModels()
		check("no models", 1, 1, 1, 1)

		nobody := netip.MustParseAddr("10.9.9.9")
		for _, err := range []error{
			n.SetLink(host(a), nobody), n.SetLink(nobody, host(a)), n.ResetLink(nobody, host(a)), n.SetLink(netip.Addr{}, host(a)),
		} {
			if err == nil || !strings.Contains(err.Error(), "Link: no conn is open at ") {
				t.Errorf("a link to nobody: %v", err)
			}
		}
	})
}

// TestLinkState: a link that is given the same models again goes on with what
// they remember; other models start with new state; links share the shared ones.
func TestLinkState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b, c := open(t, n), open(t, n), open(t, n)
		rate := lossy.Rate(8, 10) // a byte takes a second
		set := func(from, to *lossy.Conn, m lossy.Model) {
			t.Helper()
			if err := n.SetLink(host(from), host(to), m); err != nil {
				t.Fatal(err)
			}
		}
		queued := func(from, to *lossy.Conn) time.Duration {
			start := time.Now()
			send(t, from, to, "x")
			receive(t, to)
			return time.Since(start)
		}
		set(a, b, rate)
		for range 3 { // all at one instant
			send(t, a, b, "x")
		}
		time.Sleep(time.Microsecond)
		set(a, b, rate)
		send(t, a, b, "x")
		start := time.Now()
		for range 4 {
			receive(t, b)
		}
		if d := time.Since(start); d < 3*time.Second {
			t.Errorf("given the same models again, the queue takes %v, want 4s", d)
		}
		if d := queued(a, b); d != time.Second {
			t.Errorf("on an idle link it takes %v", d)
		}
		shared := lossy.Shared(lossy.Rate(8, 10))
		set(a, b, shared)
		set(a, c, shared)
		send(t, a, b, "x")
		if d := queued(a, c); d != 2*time.Second {
			t.Errorf("behind another on the shared link it takes %v, want 2s", d)
		}
		receive(t, b)
	})
}

// TestChangeAtOnce: a change holds for packets written at the same instant,
// whichever came first.
func TestChangeAtOnce(t *testing.T) {
	for _, writeFirst := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(lossy.Delay(time.Hour))
			a, b := open(t, n), open(t, n)
			start := time.Now()
			if writeFirst {
				send(t, a, b, "x")
			}
			n.SetModels(lossy.Delay(time.Second))
			if !writeFirst {
				send(t, a, b, "x")
			}
			receive(t, b)
			if d := time.Since(start); d != time.Second {
				t.Errorf("written first %v: it takes %v", writeFirst, d)
			}
		})
	}
}

func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Delay(time.Millisecond))
		var conns []*lossy.Conn
		for range 5 {
			conns = append(conns, open(t, n))
		}
		hosts := func(numbers ...int) (a []netip.Addr) {
			for _, i := range numbers {
				a = append(a, host(conns[i]))
			}
			return a
		}
		reach := func() (s string) {
			for _, from := range conns {
				for _, to := range conns {
					s += map[bool]string{true: "+", false: "."}[takes(t, from, to) < time.Second]
				}
				s += " "
			}
			return strings.TrimSpace(s)
		}
		check := func(want string, groups ...[]netip.Addr) {
			t.Helper()
			if err := n.Partition(groups...); err != nil {
				t.Fatal(err)
			}
			if got := reach(); got != want {
				t.Errorf("%v: %s reach each other, want %s", groups, got, want)
			}
		}
		check("++... ++... ..++. ..++. ....+", hosts(0, 1), hosts(2, 3))
		check("+.... .++++ .++++ .++++ .++++", hosts(0))
		check("+++++ +++++ +++++ +++++ +++++")
		check("+++++ +++++ +++++ +++++ +++++", hosts(0, 1, 2, 3, 4))
		check("+.... .+... ..++. ..++. ....+", hosts(0), hosts(1), hosts(2, 3, 3), hosts(4))
		if s := n.Stats(); s.Cut == 0 || s.Cut != s.Dropped() {
			t.Errorf("statistics are %+v", s)
		}
		for _, groups := range [][][]netip.Addr{{hosts(0), {netip.MustParseAddr("10.9.9.9")}}, {hosts(0, 1), hosts(1)}, {{netip.Addr{}}}} {
			if err := n.Partition(groups...); err == nil || !strings.HasPrefix(err.Error(), "lossy: Partition: ") {
				t.Errorf("%v: %v, want an error", groups, err)
			}
		}
		if got, want := reach(), "+.... .+... ..++. ..++. ....+"; got != want {
			t.Errorf("an error changed the partition: %s, want %s", got, want)
		}
		// Packets in flight arrive; packets sent across meanwhile do not
		// come after.
		n.Heal()
		send(t, conns[0], conns[1], "before")
		time.Sleep(time.Microsecond)
		if err := n.Partition(hosts(0)); err != nil {
			t.Fatal(err)
		}
		send(t, conns[0], conns[1], "during")
		time.Sleep(time.Second)
		n.Heal()
		send(t, conns[0], conns[1], "after")
		conns[1].SetReadDeadline(time.Time{})
		if got := receive(t, conns[1]) + " " + receive(t, conns[1]); got != "before after" {
			t.Errorf("received %q", got)
		}
	})
}

// TestPartitionStreams: a partition does not change what becomes of the
// packets after it.
func TestPartitionStreams(t *testing.T) {
	run := func(partition bool) (got []string) {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(lossy.Loss(0.5))
			a, b := open(t, n), open(t, n)
			for i := range 100 {
				if i == 20 && partition {
					n.Partition([]netip.Addr{host(a)})
				}
				if i == 40 {
					n.Heal()
				}
				send(t, a, b, fmt.Sprint(i))
				b.SetReadDeadline(time.Now().Add(time.Millisecond))
				buf := make([]byte, 10)
				if k, _, err := b.ReadFrom(buf); err == nil && i >= 40 {
					got = append(got, string(buf[:k]))
				}
			}
		})
		return got
	}
	if a, b := run(false), run(true); !slices.Equal(a, b) {
		t.Errorf("after a partition arrive %v, without one %v", b, a)
	}
}

// TestLinks checks the statistics of each link, and that they add up to those
// of the conns and the network.
func TestLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.DropEvery(3), lossy.Duplicate(0.5))
		a, b, c := open(t, n), open(t, n), open(t, n)
		for range 30 {
			send(t, a, b, "ab")
			send(t, b, a, "b to a")
		}
		send(t, c, a, "c")
		a.WriteToUDPAddrPort([]byte("lost"), addr("10.9.9.9:9"))
		time.Sleep(time.Second)
		var sum int
		var names []string
		for _, l := range n.Links() {
			names = append(names, fmt.Sprint(l.From.Addr(), " ", l.To.Addr(), " ", l.Packets, " ", l.Bytes, " ", l.Scripted, " ", l.Unreachable > 0))
			if l.Packets+l.Copies != l.Passed+l.Dropped() {
				t.Errorf("%v to %v: %+v does not add up", l.From, l.To, l.Stats)
			}
			sum += l.Passed
		}
		want := []string{
			"10.0.0.1 10.0.0.2 30 60 10 false", "10.0.0.1 10.9.9.9 1 4 0 true",
			"10.0.0.2 10.0.0.1 30 180 10 false", "10.0.0.3 10.0.0.1 1 1 0 false",
		}
		if !slices.Equal(names, want) {
			t.Errorf("links are %q, want %q", names, want)
		}
		if all := n.Stats(); sum != all.Passed || all.Copies == 0 {
			t.Errorf("%d passed by link, of %+v", sum, all)
		}
	})
}
