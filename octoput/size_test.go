package octoput

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
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
	v := (&Sender{}).newSendCall()
	d := v.newSendTransfer(time.Now(), netip.AddrPort{}, ferry.Source{Size: 1 << 40})
	if n := cap(d.buf); n != LegsPerBlock*maxPacket {
		t.Errorf("a sender has %d bytes, want %d", n, LegsPerBlock*maxPacket)
	}
	var in recvState
	in.reset(1 << 40)
	if n := cap(in.buf); n != BlockSize {
		t.Errorf("a receiver has %d bytes, want %d", n, BlockSize)
	}
}

// The tiny octoblock is filled up with blanks, whatever was in the octolegs before
// (CPSC 441 assignment 2, "Technical Requirements", paragraph 4).
func TestTinyIsFilledWithBlanks(t *testing.T) {
	data := append(noise(1, BlockSize), "abc"...)
	v := (&Sender{}).newSendCall()
	d := v.newSendTransfer(time.Now(), netip.AddrPort{}, source(data))
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

// TestLargeFile sends 2.3 MB from a file to a file, where block numbers have more than
// a byte.
func TestLargeFile(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 2_300_003)
	if err := os.WriteFile(filepath.Join(dir, "source"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := root.Open("source")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err := ferry.FileSource(f)
	if err != nil {
		t.Fatal(err)
	}
	loopback(t, listenLoopback(t), listenLoopback(t), src, ferry.SaveAs(root, "copy"))
	if got := contents(t, dir, "copy"); got != string(data) {
		t.Errorf("%d bytes, not the %d that were sent", len(got), len(data))
	}
}

// TestHugeFile sends 600 MB over real sockets, where block numbers have more than two
// bytes. Neither end has them on a disk.
func TestHugeFile(t *testing.T) {
	const size = 600_000_003
	if testing.Short() || thorough > 1 {
		t.Skip("600 MB take seconds; TestManyBlocks has the block numbers alone")
	}
	got := &comparer{}
	report := loopback(t, listenLoopback(t), listenLoopback(t), ferry.Source{R: io.LimitReader(&stream{}, size), Size: size}, ferry.To(got))
	if got.want.n != size || got.differs || report.Blocks != 67508 {
		t.Errorf("%d bytes arrived, in %d octoblocks; differs: %v", got.want.n, report.Blocks, got.differs)
	}
}

// A comparer compares what is written to it with a stream.
type comparer struct {
	want    stream
	buf     [BlockSize]byte
	differs bool
}

func (c *comparer) Write(b []byte) (int, error) {
	want := c.buf[:len(b)]
	_, err := io.ReadFull(&c.want, want)
	c.differs = c.differs || !bytes.Equal(b, want)
	return len(b), err
}

// TestManyBlocks takes the octoblocks around number 65,536, and those to the end of a
// file of 600 MB, through the plan, the wire and the buffers of both sides, without a
// network.
func TestManyBlocks(t *testing.T) {
	const size = 600_000_003
	const first = 65_500
	v := (&Sender{}).newSendCall()
	d := v.newSendTransfer(time.Now(), netip.AddrPort{}, ferry.Source{Size: size})
	d.forward(d.start)
	d.block = d.plan.block(first)
	d.src.R = &stream{n: int(d.block.Offset)}
	got := &comparer{want: stream{n: int(d.block.Offset)}}
	var in recvState
	in.reset(size)
	in.enter(first)
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
		if got.Write(in.data()); got.differs {
			t.Fatalf("octoblock %d differs", d.block.Number)
		}
		in.forward()
	}
	if !in.all() || got.want.n != size || in.block.Number != 67509 {
		t.Errorf("%d bytes, octoblock %d is next", got.want.n, in.block.Number)
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
