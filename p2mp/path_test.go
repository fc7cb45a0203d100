package p2mp

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestTransmissionsPerChunk: selective repeat sends a chunk again only when it is lost,
// so the mean is 1/(1-p) for every receiver.
func TestTransmissionsPerChunk(t *testing.T) {
	for _, receivers := range []int{1, 8}[:1+1/thorough()] {
		for _, loss := range []float64{0, 0.01, 0.05, 0.1, 0.2} {
			t.Run(fmt.Sprintf("receivers=%d,loss=%v", receivers, loss), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newParty(t, receivers, lossy.Seed(5), lossy.Loss(loss), lossy.Delay(10*time.Millisecond))
					p.receive(Receiver{})
					data := noise(1, 4000*100)
					report, err := p.send(Sender{MSS: 100}, data)
					if err != nil {
						t.Fatal(err)
					}
					p.check(data)
					var sent, answers uint64
					for i, peer := range report.Peers {
						sent += peer.Sent
						answers += p.receivers[i].report.Peers[0].Sent
					}
					per := float64(sent) / 4000 / float64(receivers)
					feedback := float64(answers) / float64(sent)
					t.Logf("%.4f transmissions per chunk, %.2f %% feedback, %v", per, 100*feedback, report.Elapsed)
					if want := 1 / (1 - loss); per < want*0.97 || per > want*1.1 {
						t.Errorf("%.4f transmissions per chunk and receiver, want %.4f", per, want)
					}
					if feedback > 0.02 {
						t.Errorf("%.2f %% feedback, want at most 2 %%", 100*feedback)
					}
				})
			})
		}
	}
}

// bottleneck returns a model of a link that all flows share, in both directions.
func bottleneck(bitsPerSecond float64, queue int) lossy.Model {
	return lossy.Shared(lossy.Rate(bitsPerSecond, queue))
}

// TestCongestion: a slow link with a short queue is filled.
func TestCongestion(t *testing.T) {
	const second = 1e6 / 8 // bytes that a Mbit/s moves in a second
	for _, tt := range []struct {
		name   string
		models []lossy.Option
		size   int
		least  float64 // bytes per second
	}{
		{"10 Mbit/s, queue of 50, 20 ms", []lossy.Option{lossy.Delay(10 * time.Millisecond), lossy.Rate(10e6, 50)}, 12 << 20, 0.8 * 10 * second},
		{"100 Mbit/s, 5 % random loss, 20 ms", []lossy.Option{lossy.Loss(0.05), lossy.Delay(10 * time.Millisecond), lossy.Rate(100e6, 200)}, 64 << 20, 0.7 * 100 * second},
		{"1 Mbit/s, queue of 10, 200 ms", []lossy.Option{lossy.Delay(100 * time.Millisecond), lossy.Rate(1e6, 10)}, 6 << 20, 0.6 * 1 * second},
		{"20 Mbit/s, 20 % random loss, 50 ms", []lossy.Option{lossy.Loss(0.2), lossy.Delay(25 * time.Millisecond), lossy.Rate(20e6, 100)}, 16 << 20, 0.5 * 20 * second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.size > 12<<20 {
				notUnderRace(t)
			}
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1, append(tt.models, lossy.Seed(2))...)
				p.receive(Receiver{})
				data := noise(1, tt.size)
				report, err := p.send(Sender{}, data)
				if err != nil {
					t.Fatal(err)
				}
				p.check(data)
				rate := float64(tt.size) / report.Elapsed.Seconds()
				peer := report.Peers[0]
				feedback := float64(p.receivers[0].report.Peers[0].Sent) / float64(peer.Sent)
				t.Logf("%.1f Mbit/s in %v, sent %d, again %d, rtt %v, feedback %.2f %%", rate/second, report.Elapsed, peer.Sent, peer.Retransmitted, peer.RTT, 100*feedback)
				if feedback > 0.02 {
					t.Errorf("%.2f %% feedback, want at most 2 %%", 100*feedback)
				}
				if rate < tt.least {
					t.Errorf("%.1f Mbit/s, want %.1f", rate/second, tt.least/second)
				}
			})
		})
	}
}

// TestTwoSendersShare: neither of two transfers over one link starves, whenever the second
// begins.
func TestTwoSendersShare(t *testing.T) {
	notUnderRace(t)
	for _, offset := range []time.Duration{0, 500, 1300, 2037, 2813} {
		t.Run(fmt.Sprint(int(offset), " ms"), func(t *testing.T) { twoSendersShare(t, offset*time.Millisecond) })
	}
}

func twoSendersShare(t *testing.T, offset time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Seed(3), lossy.Delay(10*time.Millisecond), bottleneck(10e6, 50))
		p.receive(Receiver{})
		other := p.listen()
		defer other.Close()
		data := noise(1, 32<<20) // more than the link carries in that time
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		reports := make(chan Report)
		for i, conn := range []*lossy.Conn{p.sender, other} {
			go func() {
				time.Sleep(time.Duration(i) * offset)
				r, _ := (&Sender{}).Send(ctx, conn, p.to[i:i+1], ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
				reports <- r
			}()
		}
		a, b := (<-reports).Bytes, (<-reports).Bytes
		p.stop()
		share := float64(a) / float64(a+b)
		used := float64(a+b) / 20 / (10e6 / 8)
		t.Logf("shares %.0f : %.0f, %.0f %% of the link", 100*share, 100*(1-share), 100*used)
		if share < 0.3 || share > 0.7 || used < 0.8 {
			t.Errorf("shares %.2f and %.2f of %.2f of the link; want 0.3 to 0.7 of 0.8", share, 1-share, used)
		}
	})
}

// TestDisorder: where packets overtake each other by twenty milliseconds, those that are
// late are not taken for lost for long.
func TestDisorder(t *testing.T) {
	notUnderRace(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Seed(2), lossy.Jitter(20*time.Millisecond, 40*time.Millisecond), lossy.Rate(100e6, 200))
		p.receive(Receiver{})
		data := noise(1, 16<<20)
		report, err := p.send(Sender{}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		copies := p.receivers[0].report.Peers[0].Duplicates
		t.Logf("%v, %d of %d arrived twice", report.Elapsed, copies, report.Chunks)
		if copies > uint64(report.Chunks)/100 {
			t.Errorf("%d of %d chunks arrived twice", copies, report.Chunks)
		}
		if report.Elapsed > 3*time.Second {
			t.Errorf("%v, want twice what the link would take at the most", report.Elapsed)
		}
	})
}

// TestThousandReceivers: 64 KiB each.
func TestThousandReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Seed(1), lossy.Delay(5*time.Millisecond), lossy.Loss(0.01))
		p := &party{t: t, net: n, sender: listenAt(t, n, 0)}
		for i := range 1000 / thorough() {
			m := &member{conn: listenAt(t, n, i+1), cancel: func() {}, done: closed}
			p.receivers = append(p.receivers, m)
			p.to = append(p.to, addrOf(m.conn))
		}
		p.receive(Receiver{})
		data := noise(1, 64<<10)
		report, err := p.send(Sender{}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		t.Logf("%v", report.Elapsed)
	})
}

func listenAt(t *testing.T, n *lossy.Network, i int) *lossy.Conn {
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], 0x0a000001+uint32(i))
	c, err := n.NewConn(netip.AddrPortFrom(netip.AddrFrom4(ip), 7735))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
