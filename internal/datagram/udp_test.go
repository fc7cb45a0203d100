package datagram

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Every way to write gives every way to read the same datagrams.
func TestWaysAgree(t *testing.T) {
	const readSize = 2000
	sizes := []int{0, 1, 2, 1400, 0, readSize - 1, readSize, readSize + 1, readSize + 500, 9000, 3}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, network := range []struct{ network, listen, from string }{
		{"udp4", "127.0.0.1:0", "127.0.0.1:0"},
		{"udp6", "[::1]:0", "[::1]:0"},
		{"udp", "[::]:0", "127.0.0.1:0"},
		{"udp", "[::]:0", "[::1]:0"},
		{"udp", "127.0.0.1:0", "[::]:0"},
	} {
		for outName, outWay := range ways() {
			for inName, inWay := range ways() {
				t.Run(fmt.Sprintf("%s from %s/%s to %s", network.from, outName, inName, network.listen), func(t *testing.T) {
					in := loopback(t, network.network, network.listen)
					out := loopback(t, network.network, network.from)
					source := reachable(addrOf(out), network.listen)
					r := inWay(t.Context(), in, Config{ReadSize: readSize, Batch: 5})
					defer r.Release()
					w := outWay(t.Context(), out, Config{Batch: 7})
					defer w.Release()

					var want, pkts []Packet
					for _, size := range sizes {
						data := make([]byte, size)
						for i := range data {
							data[i] = byte(rng.Uint32())
						}
						pkts = append(pkts, Packet{Data: data, Addr: reachable(addrOf(in), network.from)})
						want = append(want, Packet{Data: data[:min(size, readSize+1)], Addr: source})
					}
					for i := range pkts { // so that they fit any receive buffer
						if n, err := w.Write(pkts[i : i+1]); n != 1 || err != nil {
							t.Fatalf("Write = %d, %v", n, err)
						}
						comparePackets(t, want[i:i+1], readAll(t, r, 1))
					}
					// And all the small ones at once.
					small, wantSmall := pkts[:7:7], want[:7]
					if n, err := w.Write(small); n != len(small) || err != nil {
						t.Fatalf("Write = %d, %v", n, err)
					}
					comparePackets(t, wantSmall, readAll(t, r, len(small)))
				})
			}
		}
	}
}

// reachable is a's port on the loopback address of the other side's family, if a is
// unspecified.
func reachable(a netip.AddrPort, other string) netip.AddrPort {
	if !a.Addr().IsUnspecified() {
		return a
	}
	ip := netip.IPv6Loopback()
	if netip.MustParseAddrPort(other).Addr().Is4() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(ip, a.Port())
}

func comparePackets(t *testing.T, want, got []Packet) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i].Addr != got[i].Addr {
			t.Errorf("packet %d: from %v, want %v", i, got[i].Addr, want[i].Addr)
		}
		if !bytes.Equal(want[i].Data, got[i].Data) {
			t.Errorf("packet %d: %d bytes, want %d, or others", i, len(got[i].Data), len(want[i].Data))
		}
	}
}

// A connected socket sends to its peer and nowhere else, and what ICMP says of an
// earlier packet ends neither reading nor writing.
func TestConnected(t *testing.T) {
	for name, way := range ways() {
		if name == "any conn" {
			continue // WriteTo of a connected socket fails: only the socket's own type can say why
		}
		t.Run(name, func(t *testing.T) {
			first := loopback(t, "udp4", "127.0.0.1:0")
			addr := addrOf(first)
			first.Close()
			conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(addr))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := way(t.Context(), conn, Config{})
			defer c.Release()

			// Each write finds the answer to the one before.
			for i := range 3 {
				if n, err := c.Write([]Packet{{Data: []byte("refused"), Addr: addr}}); n != 1 || err != nil {
					t.Fatalf("Write %d = %d, %v", i, n, err)
				}
			}
			peer, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
			if err != nil {
				t.Skip("somebody else has taken the port:", err)
			}
			defer peer.Close()
			if _, err := peer.WriteTo([]byte("hello"), conn.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			pkts := readAll(t, c, 1)
			comparePackets(t, []Packet{{Data: []byte("hello"), Addr: addr}}, pkts)

			elsewhere := []Packet{{Addr: addr}, {Addr: netip.MustParseAddrPort("127.0.0.1:9")}}
			n, err := c.Write(elsewhere)
			if n != 1 || err == nil || Fatal(err) {
				t.Errorf("Write elsewhere = %d, %v", n, err)
			}
		})
	}
}

// A type that embeds a *net.UDPConn wants its own methods called.
func TestDecorated(t *testing.T) {
	conn := loopback(t, "udp4", "127.0.0.1:0")
	d := &decorated{UDPConn: conn}
	c := Open(t.Context(), d, Config{})
	defer c.Release()
	if n, err := c.Write([]Packet{{Data: []byte("x"), Addr: addrOf(conn)}}); n != 1 || err != nil {
		t.Fatal(err)
	}
	readAll(t, c, 1)
	if d.reads != 1 || d.writes != 1 {
		t.Errorf("%d reads and %d writes went through the decorator", d.reads, d.writes)
	}
}

type decorated struct {
	*net.UDPConn
	reads, writes int
}

func (d *decorated) ReadFrom(b []byte) (int, net.Addr, error) {
	d.reads++
	return d.UDPConn.ReadFrom(b)
}

func (d *decorated) WriteTo(b []byte, to net.Addr) (int, error) {
	d.writes++
	return d.UDPConn.WriteTo(b, to)
}

func TestLocalAddr(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		conn := loopback(t, "udp", listen)
		c := Open(t.Context(), conn, Config{})
		want := netip.AddrPortFrom(netip.MustParseAddrPort(listen).Addr(), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
		if got := c.LocalAddr(); got != want {
			t.Errorf("LocalAddr = %v, want %v", got, want)
		}
		c.Release()
	}
}

// A reader and a writer are independent of each other.
func TestReadBesideWrite(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			conn := loopback(t, "udp4", "127.0.0.1:0")
			c := way(t.Context(), conn, Config{Batch: 4})
			defer c.Release()
			const rounds, burst = 50, 10
			credit := make(chan struct{}, 1)
			done := make(chan error, 1)
			go func() {
				done <- func() error {
					pkts := make([]Packet, burst)
					for i := range pkts {
						pkts[i] = Packet{Data: []byte{byte(i)}, Addr: addrOf(conn)}
					}
					for range rounds {
						if _, err := c.Write(pkts); err != nil {
							return err
						}
						<-credit
					}
					return nil
				}()
			}()
			for range rounds {
				for i, p := range readAll(t, c, burst) {
					if p.Data[0] != byte(i) {
						t.Fatalf("packet %d of a burst is %d", i, p.Data[0])
					}
				}
				credit <- struct{}{}
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNoAllocations(t *testing.T) {
	for name, way := range ways() {
		for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
			t.Run(name+" "+listen, func(t *testing.T) {
				conn := loopback(t, "udp", listen)
				c := way(context.Background(), conn, Config{ReadSize: 1500})
				defer c.Release()
				data := make([]byte, 1400)
				pkts := make([]Packet, 16)
				for i := range pkts {
					pkts[i] = Packet{Data: data, Addr: addrOf(conn)}
				}
				deadline := time.Now().Add(time.Hour)
				exchange := func() {
					deadline = deadline.Add(time.Millisecond)
					if n, err := c.Write(pkts); n != len(pkts) || err != nil {
						t.Fatalf("Write = %d, %v", n, err)
					}
					for n := 0; n < len(pkts); {
						got, err := c.Read(deadline)
						if err != nil {
							t.Fatal(err)
						}
						n += len(got)
					}
				}
				for range 6 { // until there are as many buffers as there will be
					exchange()
				}
				allocs := testing.AllocsPerRun(50, exchange)
				want := 0.0
				if name == "any conn" {
					want = 2 * float64(len(pkts)) // the net.Addr that ReadFrom makes for each
				}
				if allocs > want {
					t.Errorf("%v allocations for %d packets, want at most %v", allocs, len(pkts), want)
				}
			})
		}
	}
}
