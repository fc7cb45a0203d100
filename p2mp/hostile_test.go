package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// sendFor runs Send, but for d at most.
func (p *party) sendFor(t *testing.T, d time.Duration, conn net.PacketConn, s Sender, src Source) (Report, error, bool) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, errBroken)
	defer cancel()
	r, err := s.Send(ctx, conn, p.to, src)
	return r, err, errors.Is(err, errBroken)
}

// A: equal session sums.
func TestSessionSumCollision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		for i, id := range []uint64{0x0001000200030004, 0x0004000300020001} {
			h := offerOf(fmt.Sprint("f", i), 50)
			h.session = id
			p.postTo(CategoryHello, &h)
			p.answer()
			b, _ := Packet{Session: id, Seq: 1, Category: CategoryData, Payload: make([]byte, 50)}.MarshalBinary()
			p.sender.WriteTo(b, p.to2())
			p.postTo(CategoryFin, &fin{session: id, number: 1, size: 50, digest: sha256.Sum256(make([]byte, 50))})
			if got, want := p.answer(), "REPORT 1: 1 held, checking"; got != want {
				t.Errorf("transfer %d: %s, want %s", i, got, want)
			}
			if i == 0 {
				p.answer() // kept
			}
		}
		p.stop()
	})
}

func (p *party) to2() net.Addr { return p.receivers[0].conn.LocalAddr() }

// the same by real transfers: many small files over one conn
func TestManyFilesOverOneConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		for i := range 1500 {
			_, err, hung := p.sendFor(t, 5*time.Second, p.sender, Sender{}, Source{R: bytes.NewReader([]byte("abc")), Size: 3, Name: "f"})
			if err != nil {
				t.Errorf("file %d: hung %v: %v", i, hung, err)
				break
			}
		}
		p.stop()
	})
}

// B: no DATA arrives, small packets do.
func TestBlackhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond), dropCategory(firstReceiver, CategoryData))
		p.receive(Receiver{})
		data := noise(1, 100000)
		r, err, hung := p.sendFor(t, 10*time.Minute, p.sender, Sender{GiveUp: time.Second, Window: 20}, Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: int64(len(data))})
		if hung {
			t.Errorf("Send still ran after ten minutes: %v; sent %d, the other receiver has %d bytes", err, r.Peers[0].Sent, r.Peers[1].Bytes)
		}
		p.stop()
	})
}

func dropCategory(to netip.AddrPort, c Category) lossy.Model {
	return lossy.DropIf(func(p lossy.Packet) bool {
		return p.To == to && len(p.Payload) >= 8 && Category(binary.BigEndian.Uint16(p.Payload[6:])) == c
	})
}

// C: restarted receiver, and a late HELLO.
func TestRestartAndLateHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		m := p.receivers[0]
		var hello []byte
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if hello == nil {
				hello = bytes.Clone(b)
			}
			return p.sender.WriteTo(b, to)
		}}
		s := &shelf{t: t}
		ctx, kill := context.WithCancel(context.Background())
		dead := false
		silent := plainConn{m.conn, func(b []byte, to net.Addr) (int, error) {
			if dead {
				return len(b), nil
			}
			return m.conn.WriteTo(b, to)
		}}
		m.start(func(last context.Context) error {
			(&Receiver{}).Serve(ctx, silent, s)
			p.sender.WriteTo(hello, m.conn.LocalAddr()) // a copy that the network delayed
			return (&Receiver{}).Serve(last, m.conn, s)
		})
		tr := &Trace{Acked: func(_ netip.AddrPort, seq uint32, _ int64, _ time.Duration) {
			if seq > 50 && !dead {
				dead = true
				kill()
			}
		}}
		data := noise(1, 100000)
		r, err, hung := p.sendFor(t, 10*time.Minute, conn, Sender{MSS: 100, Window: 50, Trace: tr}, Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if hung {
			t.Errorf("Send still ran after ten minutes: %v; %+v", err, r.Peers)
		}
		t.Log(err)
		p.stop()
	})
}

// D: rate starves all but the first.
func TestRateIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 6_000_000)
		report, err := p.send(Sender{Rate: 1e6}, data)
		if err != nil {
			t.Error(err)
		}
		for i, r := range report.Peers {
			t.Logf("receiver %d: %d bytes, %v, %v", i, r.Bytes, r.Elapsed, p.receivers[i].err)
		}
	})
}

// E: rate in classic mode
func TestRateClassic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 100_000)
		report, err := p.send(Sender{Classic: true, Rate: 8e5}, data)
		if err != nil {
			t.Fatal(err)
		}
		if s := report.Elapsed.Seconds(); s < 2.9 { // 3 * 100 kB at 100 kB/s
			t.Errorf("took %v, want about 3 s", report.Elapsed)
		}
	})
}

// F: short JoinTimeout and a classic receiver.
func TestShortJoinClassic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receivers[0].forgetExtended()
		p.receive(Receiver{})
		data := noise(1, 1000)
		report, err := p.send(Sender{MSS: 100, JoinTimeout: 2 * time.Second}, data)
		if err != nil {
			t.Errorf("%v after %v; %d packets were sent to it", err, report.Elapsed, report.Peers[0].Sent)
		}
	})
}

// G: a source that is read once, with a digest, and a receiver that could resume.
func TestResumeFromOnceRead(t *testing.T) {
	root, _ := openRoot(t)
	data := noise(1, 10000)
	digest := sha256.Sum256(data)
	os.WriteFile(root.Name()+"/.f."+fmt.Sprintf("%x", digest[:8])+".part", data[:5000], 0o600)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &DirHandler{Root: root, Resume: true})
		_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: int64(len(data)), Name: "f", SHA256: &digest})
		if err != nil {
			t.Error(err)
		}
		p.stop()
	})
}

// H: the reason of a deadline, and of a cause.
func TestDeadlineReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := (&Sender{MSS: 100, Rate: 8e5}).Send(ctx, p.sender, p.to, Source{R: bytes.NewReader(noise(1, 100000)), Size: 100000})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		m := p.receivers[0]
		<-m.done
		var a *AbortError
		if !errors.As(m.err, &a) || a.Reason != ReasonCanceled {
			t.Errorf("the receiver was told: %v, want canceled", m.err)
		}
		p.stop()
	})
}

// I: cancel while joining: the receiver that has accepted is told
func TestCancelWhileJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond), dropCategory(netip.MustParseAddrPort("10.0.0.1:7735"), CategoryReport))
		p.receive(Receiver{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		(&Sender{MSS: 100}).Send(ctx, p.sender, p.to, Source{R: bytes.NewReader(noise(1, 1000)), Size: 1000})
		<-p.receivers[0].done
		if d := time.Since(start); d > time.Second {
			t.Errorf("the receiver heard of it after %v: %v", d, p.receivers[0].err)
		}
		p.stop()
	})
}

// J: Trace.Lost in the extended mode
func TestLostExtended(t *testing.T) {
	var b bytes.Buffer
	q, _ := Packet{Session: newSession(), Seq: 7, Category: CategoryData, Payload: []byte("abc")}.MarshalBinary()
	PrintTrace(&b).Lost(netip.AddrPort{}, q)
	if b.String() != "Packet loss, sequence number = 7\n" {
		t.Errorf("printed %q", b.String())
	}
}

// K: a faulty offer ends Receive
func TestFaultyOfferEndsReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		stranger := p.listen()
		defer stranger.Close()
		h := offerOf("f", 10)
		h.version = 2
		stranger.WriteTo(appendMessage(nil, CategoryHello, &h), p.to2())
		pause(time.Second)
		select {
		case <-p.receivers[0].done:
			t.Errorf("Receive returned: %v", p.receivers[0].err)
		default:
		}
		p.stop()
	})
}

// L: the second file of a sender whose answers to HELLO were lost
func TestSecondFileStaysExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		for i := range 2 {
			h := offerOf(fmt.Sprint("f", i), 50)
			h.session += uint64(i)
			p.postTo(CategoryHello, &h)
			p.answer()
			p.write(chunk(1, strings.Repeat("x", 50))) // in the classic mode
			if got, want := p.answer(), "REPORT 0: 0 held, gathering"; got != want {
				t.Errorf("file %d: %s, want %s", i, got, want)
			}
			b, _ := Packet{Session: h.session, Seq: 1, Category: CategoryData, Payload: make([]byte, 50)}.MarshalBinary()
			p.sender.WriteTo(b, p.to2())
			p.postTo(CategoryFin, &fin{session: h.session, number: 1, size: 50, digest: sha256.Sum256(make([]byte, 50))})
			p.answer()
			p.answer()
		}
		p.stop()
	})
}

// M: Amplification
func TestAmplification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{}, &shelf{t: t})
		h := offerOf("f", -1)
		h.mss = 1
		in, out := 0, 0
		send := func(b []byte) { in += len(b); p.sender.WriteTo(b, p.to2()) }
		read := func() {
			b := make([]byte, 3000)
			p.sender.SetReadDeadline(time.Now().Add(time.Second))
			n, _, _ := p.sender.ReadFrom(b)
			out += n
		}
		send(appendMessage(nil, CategoryHello, &h))
		read()
		b, _ := Packet{Session: h.session, Seq: 8192, Category: CategoryData, Payload: []byte("x")}.MarshalBinary()
		send(b)
		for i := range 100 {
			send(appendMessage(nil, CategoryPoll, &poll{session: h.session, number: uint32(i + 1)}))
			read()
		}
		if out > 3*in {
			t.Errorf("%d bytes drew %d: %.1f times", in, out, float64(out)/float64(in))
		}
		p.stop()
	})
}

// N: negative window
func TestNegativeWindow(t *testing.T) {
	defer func() {
		if e := recover(); e != nil {
			t.Error(e)
		}
	}()
	v := (&Receiver{Window: -1}).newServing(&shelf{t: t})
	s := &session{offer: Offer{Size: -1}}
	h := offerOf("f", -1)
	v.open(s, &h)
}

// O: wait policy, an outage at the beginning
func TestOutageAtTheBeginning(t *testing.T) {
	for _, start := range []time.Duration{3, 5, 10, 20, 100, 300} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			p := newParty(t, 1, lossy.Delay(10*time.Millisecond), lossy.Rate(10e6, 100), lossy.DropIf(func(lossy.Packet) bool {
				since := time.Since(begun)
				return since > start*10*time.Millisecond && since < time.Hour
			}))
			p.receive(Receiver{GiveUp: 2 * time.Hour})
			data := noise(1, 5_000_000)
			r, err := p.send(Sender{Policy: Wait}, data)
			t.Logf("outage from %v: %v, %v", start*10*time.Millisecond, r.Elapsed, err)
			if r.Elapsed > time.Hour+time.Minute {
				t.Errorf("took %v", r.Elapsed)
			}
		})
	}
}

// P: the end of the numbers, read once
func TestLastNumbersReadOnce(t *testing.T) {
	s := Sender{MSS: 1, Window: 100}
	v, err := s.newSending([]netip.AddrPort{firstReceiver}, Source{R: strings.NewReader(strings.Repeat("x", 200)), Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	v.store.at = nil
	const at = math.MaxUint32 - 20
	v.store.count = at
	v.peers[0].stage = extended
	v.peers[0].flight.begin(time.Now(), at, 100, 100, 0)
	if err := v.readAhead(); err == nil && v.store.count == at {
		t.Errorf("nothing was read behind chunk %d", uint32(at))
	}
}

// R: a session whose sum is zero
func TestZeroSumSession(t *testing.T) {
	h := offerOf("f", 10)
	h.session = 0xffff
	if h.fault() == 0 {
		t.Error("a session that changes no sum is taken")
	}
}

// S: busy while a slow check outlives GiveUp.
type slowCommit struct{ *item }

func (s slowCommit) Commit() error { time.Sleep(time.Second); return s.item.Commit() }

func TestSpinWhileChecking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		m := p.receivers[0]
		reads := 0
		conn := countingConn{m.conn, &reads}
		m.start(func(ctx context.Context) error {
			return (&Receiver{GiveUp: 100 * time.Millisecond}).Serve(ctx, conn, HandlerFunc(func(o Offer) (Sink, error) {
				i, err := s.Accept(o)
				return slowCommit{i.(*item)}, err
			}))
		})
		h := offerOf("f", 0)
		p.postTo(CategoryHello, &h)
		p.answer()
		p.postTo(CategoryFin, &fin{session: h.session, number: 1, size: 0, digest: sha256.Sum256(nil)})
		pause(1500 * time.Millisecond)
		if reads > 2000 {
			t.Errorf("%d reads in 1.5 s", reads)
		}
		p.stop()
	})
}

type countingConn struct {
	net.PacketConn
	n *int
}

func (c countingConn) ReadFrom(b []byte) (int, net.Addr, error) {
	*c.n++
	return c.PacketConn.ReadFrom(b)
}

var _ = io.EOF
