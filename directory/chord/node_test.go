package chord

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A town has nodes on a network in memory. It lives in a synctest bubble.
type town struct {
	t     *testing.T
	net   *lossy.Network
	nodes []*resident
}

type resident struct {
	*Node
	addr  netip.AddrPort
	conn  *lossy.Conn
	stop  context.CancelFunc
	ended chan error
}

func newTown(t *testing.T, options ...lossy.Option) *town {
	return &town{t: t, net: lossy.NewNetwork(options...)}
}

func host(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), DefaultPort)
}

// start starts node number i+1, which joins through node 1.
func (v *town) start(n *Node) *resident {
	r := &resident{Node: n, addr: host(len(v.nodes) + 1), ended: make(chan error, 1)}
	conn, err := v.net.NewConn(r.addr)
	if err != nil {
		v.t.Fatal(err)
	}
	r.conn, n.Conn = conn, conn
	if len(v.nodes) > 0 {
		n.Join = []netip.AddrPort{v.nodes[0].addr}
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	go func() { r.ended <- n.Serve(ctx) }()
	v.nodes = append(v.nodes, r)
	return r
}

func (r *resident) end() {
	r.stop()
	<-r.ended
	r.conn.Close()
}

func (v *town) close() {
	for _, r := range v.nodes {
		if r.Node != nil {
			r.end()
		}
	}
}

func (v *town) holders(r *resident, name string) map[netip.AddrPort]bool {
	found := make(map[netip.AddrPort]bool)
	for a, err := range r.Holders(context.Background(), name) {
		if err != nil {
			v.t.Errorf("holders of %q: %v", name, err)
			break
		}
		found[a] = true
	}
	return found
}

// TestFindEverything: every file that was published is found from every node, with loss, and
// with a third of the nodes gone.
func TestFindEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, lossy.Loss(0.05), lossy.Delay(10*time.Millisecond), lossy.Seed(7))
		defer v.close()
		const n = 30
		for range n {
			v.start(&Node{})
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		for i, r := range v.nodes {
			files := []string{fmt.Sprintf("file %d", i), "everybody's"}
			if err := r.Publish(context.Background(), netip.AddrPortFrom(r.addr.Addr(), 8080), files); err != nil {
				t.Fatal(err)
			}
		}
		check := func(from *resident) {
			for i, r := range v.nodes {
				if r.Node == nil {
					continue
				}
				want := netip.AddrPortFrom(r.addr.Addr(), 8080)
				if got := v.holders(from, fmt.Sprintf("file %d", i)); len(got) != 1 || !got[want] {
					t.Errorf("file %d: %v, want %v", i, got, want)
				}
			}
		}
		check(v.nodes[3])
		check(v.nodes[n-1])
		if got := v.holders(v.nodes[5], "everybody's"); len(got) < n {
			t.Errorf("%d holders of everybody's file", len(got))
		}
		if got := v.holders(v.nodes[5], "nobody's"); len(got) != 0 {
			t.Errorf("holders of nobody's file: %v", got)
		}
		for i := 1; i < n; i += 3 {
			v.nodes[i].end()
			v.nodes[i].Node = nil
		}
		time.Sleep(time.Minute)
		check(v.nodes[3])

		// A name that was withdrawn is not found.
		if err := v.nodes[3].Withdraw(context.Background(), netip.AddrPortFrom(v.nodes[3].addr.Addr(), 8080)); err != nil {
			t.Error(err)
		}
		if got := v.holders(v.nodes[6], "file 3"); len(got) != 0 {
			t.Errorf("file 3 is still held by %v", got)
		}
	})
}

// TestObserver asks a ring without becoming a member of it.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, lossy.Delay(time.Millisecond))
		defer v.close()
		for range 5 {
			v.start(&Node{})
		}
		time.Sleep(time.Minute)
		if err := v.nodes[2].Publish(context.Background(), netip.MustParseAddrPort("0.0.0.0:80"), []string{"new.txt"}); err != nil {
			t.Fatal(err)
		}
		o := v.start(&Node{Observe: true})
		if got := v.holders(o, "new.txt"); !got[netip.AddrPortFrom(v.nodes[2].addr.Addr(), 80)] {
			t.Errorf("holders: %v", got)
		}
		time.Sleep(time.Minute)
		for _, r := range v.nodes[:5] {
			for _, s := range r.Stats().Successors {
				if s == o.addr {
					t.Errorf("%v has the observer among its successors", r.addr)
				}
			}
		}
	})
}

// TestNoRing: the only known node does not answer.
func TestNoRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t)
		defer v.close()
		r := v.start(&Node{Join: []netip.AddrPort{netip.MustParseAddrPort("10.9.9.9:7777")}})
		r.Join = []netip.AddrPort{netip.MustParseAddrPort("10.9.9.9:7777")}
		var err error
		for _, err = range r.Holders(context.Background(), "x") {
		}
		if !errors.Is(err, ErrNoAnswer) {
			t.Errorf("error %v, want ErrNoAnswer", err)
		}
	})
}
