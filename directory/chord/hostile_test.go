package chord

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// reader collects what arrives at an address.
func reader(c *lossy.Conn) func() [][]byte {
	return func() (got [][]byte) {
		synctest.Wait()
		for {
			c.SetReadDeadline(time.Now().Add(time.Second))
			b := make([]byte, 2000)
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return got
			}
			got = append(got, b[:n])
		}
	}
}

func send(t *testing.T, c *lossy.Conn, to netip.AddrPort, p Packet) {
	t.Helper()
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteToUDPAddrPort(b, to); err != nil {
		t.Fatal(err)
	}
}

// TestTokens: a host that cannot receive at an address registers nothing there, and is
// not taken for a predecessor.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t)
		defer v.close()
		r := v.start(&Node{})
		c, err := v.net.NewConn(netip.MustParseAddrPort("10.7.7.7:7777"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		received := reader(c)
		key := HashName("new.txt")
		send(t, c, r.addr, Packet{Kind: Put, Nonce: 1, Key: key, Port: 80, Token: 12345})
		send(t, c, r.addr, Packet{Kind: Notify, Token: 12345})
		for _, b := range received() {
			if p, err := ParsePacket(b); err != nil || p.Done {
				t.Errorf("answer %+v, %v", p, err)
			}
		}
		if s := r.Stats(); s.Keys != 0 || s.Predecessor == netip.MustParseAddrPort("10.7.7.7:7777") {
			t.Errorf("a forged token worked: %+v", s)
		}

		// With the token of an answer both work.
		send(t, c, r.addr, Packet{Kind: Get, Nonce: 2, Key: key})
		got := received()
		if len(got) != 1 {
			t.Fatalf("%d answers", len(got))
		}
		p, err := ParsePacket(got[0])
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, r.addr, Packet{Kind: Put, Nonce: 3, Key: key, Port: 80, Token: p.Token})
		send(t, c, r.addr, Packet{Kind: Notify, Token: p.Token})
		received()
		if s := r.Stats(); s.Keys != 1 || s.Predecessor != netip.MustParseAddrPort("10.7.7.7:7777") {
			t.Errorf("the right token did not work: %+v", s)
		}
	})
}

// TestNoAmplification: no request draws more than three times its bytes.
func TestNoAmplification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t)
		defer v.close()
		for range 20 {
			v.start(&Node{Successors: 16})
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		for i := range 20 {
			if err := v.nodes[i].Publish(context.Background(), netip.MustParseAddrPort("0.0.0.0:80"), []string{"all"}); err != nil {
				t.Fatal(err)
			}
		}
		c, err := v.net.NewConn(netip.MustParseAddrPort("10.7.7.7:7777"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		received := reader(c)
		for _, r := range v.nodes {
			for _, p := range []Packet{{Kind: Neighbours}, {Kind: Find, Key: HashName("x")}, {Kind: Get, Key: HashName("all")}, {Kind: Put, Key: HashName("x")}, {Kind: Notify}} {
				b, _ := p.MarshalBinary()
				send(t, c, r.addr, p)
				n := 0
				for _, a := range received() {
					n += len(a)
				}
				if n > 3*len(b) {
					t.Errorf("a %v of %d bytes draws %d", p.Kind, len(b), n)
				}
			}
		}
	})
}

// TestLiar: a node that claims every key, and names nodes that do not exist, hides the keys just
// before and after it, and no others.
func TestLiar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, lossy.Delay(time.Millisecond))
		defer v.close()
		for range 12 {
			v.start(&Node{})
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		if err := v.nodes[4].Publish(context.Background(), netip.MustParseAddrPort("0.0.0.0:80"), []string{"a", "b", "c", "d", "e", "f"}); err != nil {
			t.Fatal(err)
		}
		// The liar takes the place of a node that ends.
		liar := v.nodes[7]
		liar.end()
		liar.Node = nil
		c, err := v.net.NewConn(liar.addr)
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			b := make([]byte, 2000)
			for {
				n, from, err := c.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				p, err := ParsePacket(b[:n])
				if err != nil || p.Kind.answer() || p.Kind == Notify {
					continue
				}
				a := Packet{Kind: p.Kind + 1, Done: true, Nonce: p.Nonce, Addrs: []netip.AddrPort{liar.addr, host(999)}}
				if p.Kind == Get {
					a.Addrs = nil
				}
				out, _ := a.MarshalBinary()
				c.WriteToUDPAddrPort(out, from)
			}
		}()
		hidden := 0
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			if key := HashName(name); v.successor(key) == liar.addr || v.predecessor(key) == liar.addr {
				hidden++
				continue
			}
			if got := v.holders(v.nodes[2], name); !got[netip.AddrPortFrom(v.nodes[4].addr.Addr(), 80)] {
				t.Errorf("%s: holders %v", name, got)
			}
		}
		if hidden > 3 {
			t.Errorf("the test shows little: the liar has %d of 6 names", hidden)
		}
		c.Close()
		<-stop
	})
}

// predecessor is the last of all addresses before key.
func (v *town) predecessor(key ID) netip.AddrPort {
	best := v.nodes[0].addr
	for _, r := range v.nodes {
		if closer(key, HashAddr(r.addr), HashAddr(best)) {
			best = r.addr
		}
	}
	return best
}

// successor is the first of all addresses at or after key.
func (v *town) successor(key ID) netip.AddrPort {
	best := v.nodes[0].addr
	for _, r := range v.nodes {
		if Compare(distance(key, HashAddr(r.addr)), distance(key, HashAddr(best))) < 0 {
			best = r.addr
		}
	}
	return best
}

// TestPartition: two halves that were apart become one ring again.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, lossy.Delay(time.Millisecond))
		defer v.close()
		for range 20 {
			v.start(&Node{})
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		var halves [2][]netip.Addr
		for i, r := range v.nodes {
			halves[i%2] = append(halves[i%2], r.addr.Addr())
		}
		if err := v.net.Partition(halves[0], halves[1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		v.net.Heal()
		time.Sleep(5 * time.Minute)
		next := make(map[netip.AddrPort]netip.AddrPort)
		for _, r := range v.nodes {
			next[r.addr] = r.Stats().Successors[0]
		}
		at, n := v.nodes[0].addr, 0
		for ; n == 0 || at != v.nodes[0].addr && n <= 20; n++ {
			at = next[at]
		}
		if n != 20 {
			t.Errorf("the ring has %d members of 20", n)
		}
	})
}

// TestFlood: what one host may publish is bounded, and there is room for others.
func TestFlood(t *testing.T) {
	s := newStore(time.Minute, 1000, 10, 100)
	flooder, honest := netip.MustParseAddr("10.6.6.6"), netip.MustParseAddrPort("10.0.0.1:80")
	kept := 0
	for i := range 5000 {
		var key ID
		key[0], key[1] = byte(i>>8), byte(i)
		if s.put(0, key, netip.AddrPortFrom(flooder, uint16(1+i%7))) {
			kept++
		}
	}
	if kept != 100 || s.count != 100 {
		t.Errorf("%d publications of one host are kept, and counted as %d", kept, s.count)
	}
	if !s.put(0, HashName("x"), honest) {
		t.Error("there is no room for another host")
	}
	s.put(time.Hour, HashName("y"), honest)
	if s.count != 1 || len(s.perAddr) != 1 {
		t.Errorf("after everything has expired there are %d publications of %d hosts", s.count, len(s.perAddr))
	}
}
