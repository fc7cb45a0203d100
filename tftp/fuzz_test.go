package tftp

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

// FuzzNetascii: a text that is encoded and decoded is the same, in pieces of any size. Invalid
// netascii does not become longer.
func FuzzNetascii(f *testing.F) {
	f.Add([]byte("a\nb\r\n\r\x00\r"), uint8(3))
	f.Add([]byte("\r\r\n\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, step uint8) {
		wire, err := io.ReadAll(iotest.HalfReader(&netasciiReader{r: bytes.NewReader(text)}))
		if err != nil {
			t.Fatal(err)
		}
		decode := func(b []byte) []byte {
			var got bytes.Buffer
			w := netasciiWriter{w: &got}
			for piece := range slices.Chunk(b, int(step)+1) {
				w.Write(piece)
			}
			w.Close()
			return got.Bytes()
		}
		if got := decode(wire); !bytes.Equal(got, text) {
			t.Errorf("%q encodes to %q, which decodes to %q", text, wire, got)
		}
		if got := decode(text); len(got) > len(text) {
			t.Errorf("%q decodes to %q", text, got)
		}
	})
}

// FuzzOutbound: whatever ACKs come, and whenever, no strategy sends a block that may
// not be sent, or without end at one instant, or forgets one that is missing; and when
// the ACKs are true, all ends.
func FuzzOutbound(f *testing.F) {
	f.Add(uint8(0), []byte{1, 2, 3, 200, 4})
	f.Add(uint8(8), []byte{250, 1, 250, 1, 0, 7})
	strategies := []Strategy{
		StopAndWait{}, GoBackN{}, SelectiveRepeat{}, Paced{}, AIMD{}, Burst{}, Informed{}, Adaptive{}, Window{Size: 4},
	}
	f.Fuzz(func(t *testing.T, which uint8, script []byte) {
		s := strategies[int(which)%len(strategies)]
		_, window := s.(Window)
		const last = 40
		now := time.Unix(1, 0)
		o := outbound{
			Flight: newFlight(numbering{wide: !window}, !window, 16, senderTimer(plain())),
			plan:   s.Begin(), budget: proved(), packetLen: 516,
		}
		shoot := func() (wake time.Time) {
			t.Helper()
			for n := 0; ; n++ {
				block, again, w := o.next(now)
				if block == 0 {
					return w
				}
				if again && (block < o.First() || block > o.Sent() || o.Acked(block)) || !again && block != o.Fresh() || n > 100 {
					t.Fatalf("%T sends block %d as number %d at once, %d to %d under way", s, block, n, o.First(), o.Sent())
				}
				o.sent(now, block, block == last)
			}
		}
		for _, b := range script {
			shoot()
			if b >= 100 {
				now = now.Add(time.Duration(b-100) * ms)
				continue
			}
			sent := o.Sent()
			if a, block, _ := o.acked(now, uint32(b)); a != future && block > sent {
				t.Fatalf("%T: ACK %d taken with %d sent", s, block, sent)
			}
		}
		for n := 0; !o.over(); n++ {
			wake := shoot()
			if n > 10_000 || wake.IsZero() {
				t.Fatalf("%T does not end: at block %d of %d sent, next at %v", s, o.First(), o.Sent(), wake)
			}
			if n%2 == 0 { // every other answer is lost
				o.acked(now, uint32(o.First()))
			}
			if now.Before(wake) {
				now = wake
			}
		}
	})
}
