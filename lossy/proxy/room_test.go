package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/lossy/proxy"
)

// An answering server sends back all that it is sent.
func answer(t *testing.T, x *proxied) {
	go func() {
		buf := make([]byte, 100)
		for {
			n, a, err := x.server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			x.server.WriteToUDPAddrPort(buf[:n], a)
		}
	}()
	t.Cleanup(func() { x.server.Close() })
}

// ask sends a packet through the proxy, and reports whether it is answered.
func ask(t *testing.T, x *proxied, c *lossy.Conn, text string) bool {
	t.Helper()
	send(t, c, x.conn, text)
	time.Sleep(100 * time.Millisecond)
	return slices.Contains(drain(t, c, x.conn.AddrPort()), text)
}

func clientAt(t *testing.T, x *proxied, host, port int) *lossy.Conn {
	return openAt(t, x.outer, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(host >> 8), byte(host)}), uint16(port)))
}

// TestForgedClientsYield has all places taken by addresses that send one packet each, and
// are answered: each yields after a second, and a client that has sent again does not.
func TestForgedClientsYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := startProxy(t, &proxy.Server{MaxClients: 100})
		answer(t, x)
		honest := clientAt(t, x, 0, 1)
		if !ask(t, x, honest, "one") || !ask(t, x, honest, "two") {
			t.Fatal("the first client is not answered")
		}
		for i := range 99 {
			send(t, clientAt(t, x, 1+i, 1), x.conn, "forged")
		}
		late := clientAt(t, x, 1000, 1)
		if ask(t, x, late, "at once") {
			t.Error("a client was evicted in its first second")
		}
		time.Sleep(time.Second)
		if !ask(t, x, late, "after a second") || !ask(t, x, late, "again") {
			t.Error("after a second there is no place for a new client")
		}
		// All the others come again: there is a place for each, and the two keep theirs.
		for i := range 300 {
			send(t, clientAt(t, x, 2000+i, 1), x.conn, "forged")
			time.Sleep(20 * time.Millisecond)
		}
		for _, c := range []*lossy.Conn{honest, late} {
			if !ask(t, x, c, "still here") {
				t.Errorf("%v is not answered any more", c.AddrPort())
			}
		}
		x.end(t)
		// Each kept its socket towards the server.
		if s := x.stats; s.Evicted < 200 || s.Evicted > 301 || s.Clients != 0 {
			t.Errorf("statistics are %+v", s)
		}
	})
}

// TestHostBound: a host that has more than half of the places yields some to others, down
// to a half; and none to itself.
func TestHostBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := startProxy(t, &proxy.Server{MaxClients: 20})
		answer(t, x)
		for i := range 20 {
			c := clientAt(t, x, 0, 1+i)
			if !ask(t, x, c, "one") || !ask(t, x, c, "two") {
				t.Fatal("no answer")
			}
		}
		time.Sleep(2 * time.Second)
		if ask(t, x, clientAt(t, x, 0, 100), "one more") {
			t.Error("a host evicts its own client")
		}
		answered := 0
		for i := range 15 {
			c := clientAt(t, x, 1+i, 1)
			if ask(t, x, c, "one") && ask(t, x, c, "two") {
				answered++
			}
		}
		if answered != 10 {
			t.Errorf("%d other hosts found a place, want 10", answered)
		}
		time.Sleep(31 * time.Second)
		if !ask(t, x, clientAt(t, x, 100, 1), "later") {
			t.Error("no client that is idle for half a minute makes room")
		}
		x.end(t)
	})
}

// TestDescriptorsShared: when the process has no descriptor left, an unproven client gives
// up its own.
func TestDescriptorsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var x *proxied
		var opened []*lossy.Conn
		x = startProxy(t, &proxy.Server{ListenPacket: func(_ context.Context, _, address string) (net.PacketConn, error) {
			inUse := 0
			for _, c := range opened {
				if c.SetReadDeadline(time.Time{}) == nil {
					inUse++
				}
			}
			if inUse == 5 {
				return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("socket", syscall.EMFILE)}
			}
			c, err := x.outer.NewConn(netip.MustParseAddrPort(address))
			opened = append(opened, c)
			return c, err
		}})
		answer(t, x)
		for i := range 5 {
			send(t, clientAt(t, x, i, 1), x.conn, "forged")
		}
		time.Sleep(1100 * time.Millisecond)
		for i := range 3 {
			if !ask(t, x, clientAt(t, x, 10+i, 1), fmt.Sprint(i)) {
				t.Error("a new client finds no descriptor")
			}
		}
		x.end(t)
		if x.stats.Evicted != 3 || len(x.refusals()) != 0 {
			t.Errorf("statistics are %+v", x.stats)
		}
	})
}
