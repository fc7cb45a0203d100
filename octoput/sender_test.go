package octoput

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
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

// A transfer without losses sends every octoleg once, and draws one acknowledgement for
// each octoblock.
func TestSendWithoutLossSendsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 100*BlockSize+13)
		report, err := p.send(Sender{}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.wait()
		p.check(data)
		if want := uint64(102*8 + 2); report.Sent != want || report.SentAgain != 0 || report.Timeouts != 0 || report.Duplicates != 0 || report.RTT != 2*time.Millisecond {
			t.Errorf("report %+v, want %d packets sent", report, want)
		}
		if p.report.Sent != 104 || p.report.SentAgain != 0 || p.report.Duplicates != 0 {
			t.Errorf("the receiver's report %+v, want 104 packets sent", p.report)
		}
	})
}

func TestSendToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		start := time.Now()
		nobody := netip.MustParseAddrPort("10.0.0.9:8888")
		report, err := (&Sender{}).Send(context.Background(), p.sender, nobody, source(make([]byte, 9)))
		var failed *PeerError
		if !errors.As(err, &failed) || !errors.Is(err, ErrNoAnswer) || err.Error() != "octoput: 10.0.0.9:8888: no answer in 5s" {
			t.Errorf("Send: %v", err)
		}
		if took := time.Since(start); took != 5*time.Second || report.Elapsed != took {
			t.Errorf("it took %v, reported %v", took, report.Elapsed)
		}
		// 100 ms, doubled up to a second: a few small packets (RFC 8085, section 3.1.1).
		if report.Sent > 10 || report.Bytes != 0 {
			t.Errorf("report %+v", report)
		}
		p.stop()
	})
}

// A receiver that vanishes is named, with the octoblock that it lacks.
func TestSendReceiverVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := false
		p := newPair(t, lossy.Delay(time.Millisecond), lossy.DropIf(func(lossy.Packet) bool { return gone }))
		p.receive(Receiver{})
		s := Sender{Trace: &Trace{Received: func(_ netip.AddrPort, e Event) { gone = gone || e.Block == 3 }}}
		report, err := p.send(s, make([]byte, 9*BlockSize))
		var failed *PeerError
		if !errors.As(err, &failed) || !errors.Is(err, ErrSilent) || failed.Block != 4 || failed.Peer != p.to || failed.Silence != DefaultGiveUp {
			t.Errorf("Send: %v", err)
		}
		if want := "octoput: 10.0.0.2:8888: silent for 10s at octoblock 4"; err.Error() != want {
			t.Errorf("Send: %v, want %s", err, want)
		}
		if report.Blocks != 3 || report.Bytes != 3*BlockSize {
			t.Errorf("report %+v", report)
		}
		p.stop()
	})
}

// A FIN that is never acknowledged is "sent, not confirmed".
func TestSendUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond), lossy.DropIf(func(lp lossy.Packet) bool {
			q, err := ParsePacket(lp.Payload)
			return err == nil && q.Type == Ack && q.Block == 2
		}))
		p.receive(Receiver{})
		data := noise(1, BlockSize)
		_, err := p.send(Sender{}, data)
		if !errors.Is(err, ErrUnconfirmed) || errors.Is(err, ErrSilent) || err.Error() != "octoput: 10.0.0.2:8888: sent, not confirmed" {
			t.Errorf("Send: %v", err)
		}
		p.wait()
		p.check(data) // and yet it is there
	})
}

// When only the first acknowledgements of the FIN are lost, a repeated FIN draws another.
func TestSendLastAcknowledgementLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := 0
		p := newPair(t, lossy.Delay(time.Millisecond), lossy.DropIf(func(lp lossy.Packet) bool {
			q, err := ParsePacket(lp.Payload)
			drop := err == nil && q.Type == Ack && q.Block == 2 && lost < 3
			if drop {
				lost++
			}
			return drop
		}))
		p.receive(Receiver{})
		data := noise(1, BlockSize)
		if _, err := p.send(Sender{}, data); err != nil || lost != 3 {
			t.Errorf("Send: %v, %d acknowledgements lost", err, lost)
		}
		p.wait()
		p.check(data)
	})
}

// A receiver that restarts does not know the transfer: the sender says so at once, and
// the file is not there.
func TestSendReceiverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, dir := openRoot(t)
		p := newPair(t, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, Dir(root))
		restarted := false
		s := Sender{Trace: &Trace{Sent: func(_ netip.AddrPort, e Event) {
			if e.Block == 3 && !restarted {
				restarted = true
				p.receiver.Close() // so that it says nothing when it goes
				<-p.done
				var err error
				if p.receiver, err = p.net.NewConn(p.to); err != nil {
					t.Error(err)
				}
				p.serve(Receiver{}, Dir(root))
			}
		}}}
		start := time.Now()
		_, err := p.send(s, noise(1, 5*BlockSize))
		if !errors.Is(err, ErrRestarted) || time.Since(start) > time.Second {
			t.Errorf("Send: %v after %v", err, time.Since(start))
		}
		if want := "octoput: 10.0.0.2:8888: ended at octoblock 3: unknown session"; err == nil || err.Error() != want {
			t.Errorf("Send: %v, want %s", err, want)
		}
		p.stop()
		if left := names(t, dir); len(left) != 0 {
			t.Errorf("files %q are left", left)
		}
	})
}

// What a restarted receiver says of a file of which it had everything is no failure.
func TestSendForgottenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.receiver, to: p.sender.AddrPort()}
		var err error
		p.start(func(context.Context) error {
			_, err = p.send(Sender{}, nil)
			return nil
		})
		q := h.wants(Open, 0, 0)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session})
		h.wants(Fin, 1, 0)
		h.writes(Packet{Type: Err, Session: q.Session, Block: 1, Payload: []byte{byte(CodeUnknown)}})
		p.wait()
		if !errors.Is(err, ErrUnconfirmed) {
			t.Errorf("Send: %v", err)
		}
	})
}

// A sender ignores whatever only a sender sends, and what is not about its transfer; it
// answers nothing of it.
func TestSenderIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.receiver, to: p.sender.AddrPort()}
		stranger := &hand{t: t, conn: p.listen(), to: h.to}
		var report Report
		var err error
		p.start(func(context.Context) error {
			report, err = p.send(Sender{Timeout: time.Hour}, make([]byte, 8))
			return nil
		})
		q := h.wants(Open, 0, 0)
		for _, b := range badPackets {
			h.writes(b.p)
		}
		for _, o := range []Packet{
			{Type: Open, Session: q.Session, Payload: q.Payload},
			{Type: Open, Flags: ask, Session: 1, Payload: make([]byte, 12)}, // no server, either
			{Type: Leg, Flags: 1, Session: q.Session, Block: 1, Payload: []byte{0}},
			{Type: Fin, Session: q.Session, Block: 1, Payload: make([]byte, 32)},
			{Type: Ack, Flags: 1, Session: q.Session},                 // a part of an OPEN
			{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 1}, // from the future
			{Type: Ack, Flags: AllLegs, Session: q.Session ^ 1},       // of another session
			{Type: Err, Session: q.Session ^ 1, Payload: []byte{1}},   // likewise
			{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 1<<64 - 1},
		} {
			h.writes(o)
		}
		stranger.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session})
		stranger.writes(Packet{Type: Err, Session: q.Session, Payload: []byte{1}})
		h.wantsNothing()
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session})
		for n := range LegsPerBlock {
			h.wants(Leg, 1, Nth(n+1))
		}
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 1})
		h.wants(Fin, 2, 0)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 2})
		p.wait()
		if err != nil || report.Bad != uint64(len(badPackets))+9 || report.Foreign != 2 {
			t.Errorf("Send: %v, %d bad, want %d, %d foreign, want 2", err, report.Bad, len(badPackets)+9, report.Foreign)
		}
		stranger.conn.Close()
	})
}

func TestSendBadSources(t *testing.T) {
	for _, tt := range []struct {
		name string
		src  Source
		want error
	}{
		{"too short", Source{R: bytes.NewReader(make([]byte, 3*BlockSize-1)), Size: 3 * BlockSize}, ErrSize},
		{"empty", Source{R: bytes.NewReader(nil), Size: 1}, ErrSize},
		{"too long", Source{R: bytes.NewReader(make([]byte, 3*BlockSize+1)), Size: 3 * BlockSize}, ErrSize},
		{"too long for nothing", Source{R: bytes.NewReader(make([]byte, 1)), Size: 0}, ErrSize},
		{"broken", Source{R: io.MultiReader(bytes.NewReader(make([]byte, BlockSize)), iotest.ErrReader(errBroken)), Size: 3 * BlockSize}, errBroken},
		{"broken at the end", Source{R: io.MultiReader(bytes.NewReader(make([]byte, BlockSize)), iotest.ErrReader(errBroken)), Size: BlockSize}, errBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, lossy.Delay(time.Millisecond))
				p.receive(Receiver{})
				_, err := (&Sender{}).Send(context.Background(), p.sender, p.to, tt.src)
				p.wait()
				var said *RemoteError
				if !errors.Is(err, tt.want) || !errors.As(p.err, &said) || said.Code != CodeFailed {
					t.Errorf("Send: %v; Receive: %v", err, p.err)
				}
			})
		})
	}
	good := netip.MustParseAddrPort("10.0.0.2:1")
	for _, tt := range []struct {
		to   string
		src  Source
		want string
	}{
		{"0.0.0.0:1", source(nil), "no address to send to"},
		{"10.0.0.1:0", source(nil), "no address to send to"},
		{good.String(), Source{}, "no source"},
		{good.String(), Source{R: strings.NewReader(""), Size: -1}, "wrong size"},
		{good.String(), Source{R: strings.NewReader(""), Name: strings.Repeat("x", 256)}, "a name of 256 bytes"},
	} {
		_, err := (&Sender{}).Send(context.Background(), nil, netip.MustParseAddrPort(tt.to), tt.src)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("to %s: %v, want %s", tt.to, err, tt.want)
		}
	}
}

// A source that trickles is as good as any other.
func TestSendTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.receive(Receiver{})
		data := noise(1, BlockSize+100)
		src := Source{R: iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(data))), Size: int64(len(data))}
		if _, err := (&Sender{}).Send(context.Background(), p.sender, p.to, src); err != nil {
			t.Error(err)
		}
		p.wait()
		p.check(data)
	})
}

func TestSendConnFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.receive(Receiver{})
		s := Sender{Trace: &Trace{Received: func(_ netip.AddrPort, e Event) {
			if e.Block == 2 {
				p.sender.Close()
			}
		}}}
		if _, err := p.send(s, make([]byte, 9*BlockSize)); err == nil || !strings.Contains(err.Error(), "at octoblock 3") {
			t.Errorf("Send: %v", err)
		}
		p.stop()
	})
}

func TestFileSource(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a file")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	src, err := FileSource(f)
	if err != nil || src.Size != 7 || src.Name != "a file" {
		t.Errorf("FileSource = %+v, %v", src, err)
	}
	if _, err := f.Seek(30, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if src, err := FileSource(f); err != nil || src.Size != 0 {
		t.Errorf("behind the end: %+v, %v", src, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := FileSource(d); err == nil {
		t.Error("a directory is a source")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	if _, err := FileSource(r); err == nil {
		t.Error("a pipe is a source")
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
