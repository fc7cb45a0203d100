package lossy_test

import (
	"bytes"
	"math/bits"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

// TestWrapCorrupt: whichever way a packet goes through a wrapped conn, one bit
// of it is flipped, and the caller's bytes stay what they are.
func TestWrapCorrupt(t *testing.T) {
	late := lossy.Delay(time.Millisecond)
	for name, models := range map[string][]lossy.Model{
		"now":        {lossy.Corrupt(1)},
		"late":       {lossy.Corrupt(1), late},
		"late first": {late, lossy.Corrupt(1)},
	} {
		for _, batch := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				n := lossy.NewNetwork()
				a, b := open(t, n), open(t, n)
				out, in := lossy.Wrap(a, lossy.Egress(models...)), lossy.Wrap(a, lossy.Ingress(models...))
				zeros := make([]byte, 100)
				if err := write(out, zeros, b.AddrPort(), batch); err != nil {
					t.Fatal(err)
				}
				check := func(what string, got []byte) {
					t.Helper()
					ones := 0
					for _, x := range got {
						ones += bits.OnesCount8(x)
					}
					if len(got) != 100 || ones != 1 {
						t.Errorf("%s, batch %v: %s: %d bytes with %d bits flipped", name, batch, what, len(got), ones)
					}
				}
				check("written", []byte(receive(t, b)))
				if err := write(b, zeros, a.AddrPort(), batch); err != nil {
					t.Fatal(err)
				}
				check("read", read(t, in, batch))
				if !bytes.Equal(zeros, make([]byte, 100)) {
					t.Error("the caller's bytes were changed")
				}
				egress, _ := lossy.StatsOf(out)
				_, ingress := lossy.StatsOf(in)
				if egress.Corrupted != 1 || ingress.Corrupted != 1 || egress.Passed != 1 {
					t.Errorf("statistics are %+v and %+v", egress, ingress)
				}
			})
		}
	}
}

func write(pc net.PacketConn, b []byte, to netip.AddrPort, batch bool) error {
	if batch {
		_, err := pc.(datagram.BatchWriter).WriteBatch([][]byte{b}, []netip.AddrPort{to}, nil)
		return err
	}
	_, err := pc.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}

func read(t *testing.T, pc net.PacketConn, batch bool) []byte {
	t.Helper()
	if !batch {
		return []byte(receive(t, pc))
	}
	buf, sizes := make([]byte, 1000), make([]int, 1)
	_, err := pc.(datagram.BatchReader).ReadBatch([][]byte{buf}, sizes, make([]int, 1), make([]netip.AddrPort, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:sizes[0]]
}

// TestWrapCorruptSome mixes whole, corrupted and doubled packets in one batch:
// all arrive, and only those are changed.
func TestWrapCorruptSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(a, lossy.Duplicate(0.3), lossy.Corrupt(0.3), lossy.Seed(3))
		const count = 50
		var bufs [][]byte
		var to []netip.AddrPort
		for i := range count {
			bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, 20))
			to = append(to, b.AddrPort())
		}
		if n, err := w.(datagram.BatchWriter).WriteBatch(bufs, to, nil); n != count || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(time.Second)
		got := drain(t, b, a.AddrPort())
		egress, _ := lossy.StatsOf(w)
		if len(got) != count+egress.Copies || egress.Copies == 0 || egress.Passed != len(got) {
			t.Errorf("%d packets arrived, of %+v", len(got), egress)
		}
		seen, changed := make(map[byte]bool), 0
		for _, s := range got {
			x := []byte(s)
			seen[x[10]] = true
			if !bytes.Equal(x, bytes.Repeat(x[10:11], 20)) {
				changed++
			}
		}
		if changed < egress.Corrupted-2 || changed > egress.Corrupted || changed == 0 {
			t.Errorf("%d are changed, of %+v", changed, egress)
		}
	})
}

// TestCount: a wrapped conn without models counts what passes it in either
// way, and does nothing else.
func TestCount(t *testing.T) {
	for _, batch := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork()
			a, b := open(t, n), open(t, n)
			w := lossy.Wrap(a, lossy.Count())
			for i := range 5 {
				if err := write(w, make([]byte, i), b.AddrPort(), batch); err != nil {
					t.Fatal(err)
				}
				if err := write(b, make([]byte, 2*i), a.AddrPort(), batch); err != nil {
					t.Fatal(err)
				}
				if got := len(read(t, w, batch)); got != 2*i {
					t.Errorf("read %d bytes, want %d", got, 2*i)
				}
			}
			write(w, make([]byte, 70000), b.AddrPort(), batch) // too long
			egress, ingress := lossy.StatsOf(w)
			if want := (lossy.Stats{Packets: 5, Bytes: 10, Passed: 5}); egress != want {
				t.Errorf("batch %v: egress is %+v", batch, egress)
			}
			if want := (lossy.Stats{Packets: 5, Bytes: 20, Passed: 5}); ingress != want {
				t.Errorf("batch %v: ingress is %+v", batch, ingress)
			}
		})
	}
}
