package octoput

import (
	"bytes"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

func TestSendAllSizes(t *testing.T) {
	for _, tail := range []string{"", " ", "\n", "\x00", "       ", "        \n\n"} {
		for _, n := range []int{0, 1, 5, 7, 8, 9, 736, 739, 8887, 8888, 8889, 8896, 17776, 32768} {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, lossy.Seed(uint64(n)), lossy.Loss(0.1), lossy.Delay(time.Millisecond))
				p.receive(Receiver{})
				data := append(noise(1, max(0, n-len(tail))), tail...)
				report, err := p.send(Sender{}, data)
				if err != nil {
					t.Errorf("%d bytes: %v", len(data), err)
				}
				p.wait()
				p.check(data)
				if report.Bytes != int64(len(data)) || report.Blocks != plan(len(data)).count() || p.report.Bytes != report.Bytes || p.report.Session != report.Session {
					t.Errorf("reports %+v and %+v", report, p.report)
				}
			})
		}
	}
}

// Files of nothing but what a receiver might strip.
func TestSendOneByteOver(t *testing.T) {
	for _, c := range []string{" ", "\n", "\x00"} {
		for _, n := range []int{1, 8, 15, 1000, BlockSize, BlockSize + 13} {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				p.receive(Receiver{})
				data := []byte(strings.Repeat(c, n))
				if _, err := p.send(Sender{}, data); err != nil {
					t.Error(err)
				}
				p.wait()
				p.check(data)
			})
		}
	}
}

// TestMemory: one octoblock at the sender, one at the receiver.
func TestMemory(t *testing.T) {
	v := (&Sender{}).newDispatch()
	d := v.newDelivery(time.Now(), netip.AddrPort{}, Source{Size: 1 << 40})
	if n := cap(d.buf); n != LegsPerBlock*maxPacket {
		t.Errorf("a sender has %d bytes, want %d", n, LegsPerBlock*maxPacket)
	}
	var in inbound
	in.reset(1 << 40)
	if n := cap(in.buf); n != BlockSize {
		t.Errorf("a receiver has %d bytes, want %d", n, BlockSize)
	}
}

// The tiny octoblock is filled up with blanks, whatever was in the octolegs before
// (CPSC 441 assignment 2, "Technical Requirements", paragraph 4).
func TestTinyIsFilledWithBlanks(t *testing.T) {
	data := append(noise(1, BlockSize), "abc"...)
	v := (&Sender{}).newDispatch()
	d := v.newDelivery(time.Now(), netip.AddrPort{}, source(data))
	var got []byte
	for d.forward(d.start); d.phase == sending; d.forward(d.start) {
		if err := d.load(); err != nil {
			t.Fatal(err)
		}
		for i := range LegsPerBlock {
			got = append(got, d.packet(i)[headerLen:]...)
		}
	}
	if want := string(data) + "     "; string(got) != want {
		t.Errorf("it ends with %q, want %q", got[BlockSize:], want[BlockSize:])
	}
}

// TestManyBlocks takes 600 MB through the plan, the wire and the octoblock buffers of
// both sides, where block numbers have more than two bytes, without a network.
func TestManyBlocks(t *testing.T) {
	const size = 600_000_003
	v := (&Sender{}).newDispatch()
	d := v.newDelivery(time.Now(), netip.AddrPort{}, Source{R: &stream{}, Size: size})
	want := &stream{}
	var in inbound
	in.reset(size)
	expected := make([]byte, BlockSize)
	d.forward(d.start)
	if thorough > 1 { // only the numbers of more than two bytes
		d.block = d.plan.block(65_500)
		in.enter(65_500)
		want.n = int(d.block.Offset)
		d.src.R = &stream{n: want.n}
	}
	for ; d.phase == sending; d.forward(d.start) {
		if err := d.load(); err != nil {
			t.Fatal(err)
		}
		for i := range LegsPerBlock {
			p, err := ParsePacket(d.packet(i))
			if err != nil {
				t.Fatal(err)
			}
			if what, err := in.judge(p); what != keep {
				t.Fatalf("octoblock %d: %v, %v", p.Block, what, err)
			}
			if whole := in.put(p); whole != (i == 7) {
				t.Fatalf("octoblock %d: whole %v after octoleg %d", p.Block, whole, i+1)
			}
		}
		got := in.data()
		io.ReadFull(want, expected[:len(got)])
		if !bytes.Equal(got, expected[:len(got)]) {
			t.Fatalf("octoblock %d differs", d.block.Number)
		}
		in.forward()
	}
	if !in.all() || want.n != size || in.block.Number != 67509 {
		t.Errorf("%d bytes, octoblock %d is next", want.n, in.block.Number)
	}
}

// A stream yields a megabyte and three bytes over and over: never the same at two
// places of an octoblock.
type stream struct {
	n     int
	noise []byte
}

func (s *stream) Read(b []byte) (int, error) {
	if s.noise == nil {
		s.noise = noise(1, 1<<20+3)
	}
	n := copy(b, s.noise[s.n%len(s.noise):])
	s.n += n
	return n, nil
}
