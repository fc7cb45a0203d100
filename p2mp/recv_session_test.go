package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

func TestSessions(t *testing.T) {
	s := &shelf{t: t}
	v, in := served(t, Receiver{MaxTransfers: 2}, s)
	for i := range 50 {
		h := offerOf("f", 10)
		h.session += uint64(i)
		got := fmt.Sprint(in(CategoryHello, &h))
		if want := map[bool]string{true: "[REPORT]", false: "[ABORT]"}[i < 2]; got != want {
			t.Errorf("offer %d: %s, want %s", i, got, want)
		}
	}
	if len(v.all) != 2 || len(s.items) != 2 {
		t.Errorf("%d sessions, %d sinks", len(v.all), len(s.items))
	}
	v, in = served(t, Receiver{MaxTransfers: 2}, &shelf{t: t, refuse: errBroken})
	for i := range 50 {
		h := offerOf("f", 10)
		h.session += uint64(i)
		in(CategoryHello, &h)
	}
	if len(v.all) > 4 {
		t.Errorf("%d refused sessions are remembered", len(v.all))
	}
	// too short to be answered
	b, _ := Packet{Category: CategoryHello, Payload: make([]byte, 12)}.MarshalBinary()
	p, _ := ParsePacket(b)
	v.message(time.Now(), datagram.Packet{Data: b, Addr: netip.MustParseAddrPort("10.0.0.8:9")}, p)
	if len(v.out) != 0 {
		t.Error("a HELLO of 20 bytes is answered")
	}
	// Receive takes one
	w := &shelf{t: t}
	v, in = served(t, Receiver{}, w)
	v.single, v.wanted, v.max = true, 1, 2
	for i := range 3 {
		h := offerOf("f", 10)
		h.session += uint64(i)
		in(CategoryHello, &h)
	}
	if len(w.items) != 1 {
		t.Errorf("Receive began %d transfers", len(w.items))
	}
}

// An ABORT while the file is checked, or after, changes nothing.
func TestLateAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{t: t}
		v, in := served(t, Receiver{}, s)
		h := offerOf("f", 0)
		in(CategoryHello, &h)
		in(CategoryFin, &fin{session: h.session, number: 1, rto: time.Hour, digest: sha256.Sum256(nil)})
		in(CategoryAbort, &abort{session: h.session, reason: ReasonCanceled})
		ses := v.all[transferKey{netip.MustParseAddrPort("10.0.0.9:9"), h.session}]
		synctest.Wait()
		if v.committed(time.Now()); ses.state != committing {
			t.Error("the check is looked at in its own instant")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		v.committed(time.Now())
		in(CategoryAbort, &abort{session: h.session, reason: ReasonCanceled})
		if ses.state != whole || s.items[0].ended != "committed" || ses.linger != DefaultLinger {
			t.Errorf("state %d, %s, linger %v", ses.state, s.items[0].ended, ses.linger)
		}
	})
}

// A FIN that contradicts the HELLO.
func TestFinContradicts(t *testing.T) {
	s := &shelf{t: t}
	_, in := served(t, Receiver{}, s)
	h := offerOf("f", 0)
	sum := sha256.Sum256(nil)
	other := sha256.Sum256([]byte("x"))
	h.digest = &other
	in(CategoryHello, &h)
	if got := fmt.Sprint(in(CategoryFin, &fin{session: h.session, number: 1, digest: sum})); got != "[ABORT]" {
		t.Errorf("drew %s", got)
	}
}

// A receiver that has all but waits for others, or is only polled, does not give up.
func TestPollsAndChunksExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{GiveUp: 10 * time.Second}, s)
		h := offerOf("f", 250)
		p.postTo(CategoryHello, &h)
		p.answer()
		for i := range 5 {
			pause(8 * time.Second)
			p.postTo(CategoryPoll, &poll{session: h.session, number: uint32(i + 1)})
			if got := p.answer(); got != fmt.Sprintf("REPORT %d: 0 held, gathering", i+1) {
				t.Fatal(got)
			}
		}
		for range 5 {
			pause(8 * time.Second)
			b, _ := Packet{Session: h.session, Seq: 2, Category: CategoryData, Payload: make([]byte, 100)}.MarshalBinary()
			p.sender.WriteTo(b, p.at())
		}
		pause(8 * time.Second)
		p.postTo(CategoryPoll, &poll{session: h.session, number: 6})
		if got := p.answer(); got != "REPORT 6: 0 held, gathering" {
			t.Error(got)
		}
		p.stop()
	})
}

func TestUnknownSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{}, &shelf{t: t})
		for c, m := range map[Category]message{CategoryPoll: &poll{session: 5, number: 1}, CategoryFin: &fin{session: 5, number: 1}} {
			p.postTo(c, m)
			if got, want := p.answer(), "ABORT: "+ReasonUnknown.String(); got != want {
				t.Errorf("%v of an unknown session: %s, want %s", c, got, want)
			}
		}
		// No ABORT, REPORT or ACK is answered: nothing loops.
		for c, m := range map[Category]message{CategoryAbort: &abort{session: 5}, CategoryReport: &status{session: 5}} {
			p.postTo(c, m)
			if got := p.answer(); got != "nothing" {
				t.Errorf("%v drew %s", c, got)
			}
		}
		p.stop()
	})
}

// TestSessionByHand walks through one session at a receiver.
func TestSessionByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		m := p.serve(Receiver{Transfers: 1}, s)
		data := noise(1, 250)
		h := offerOf("f", 250)
		expect := func(want string) {
			t.Helper()
			if got := p.answer(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		write := func(session uint64, seq uint32) {
			b, _ := Packet{Session: session, Seq: seq, Category: CategoryData, Payload: data[(seq-1)*100 : min(250, seq*100)]}.MarshalBinary()
			p.sender.WriteTo(b, m.conn.LocalAddr())
		}
		p.postTo(CategoryHello, &h)
		expect("REPORT 0: 0 held, gathering")
		p.postTo(CategoryHello, &h)
		expect("REPORT 0: 0 held, gathering")
		write(0, 1) // of the classic mode: a sender that has not heard the answer
		expect("REPORT 0: 0 held, gathering")
		write(testSession, 3)
		write(testSession, 2)
		write(testSession+1, 1) // of another session
		p.postTo(CategoryPoll, &poll{session: testSession, number: 1, highest: 3})
		expect("REPORT 1: 0 held, gathering")
		f := fin{session: testSession, number: 2, rto: 50 * time.Millisecond, size: 250, digest: sha256.Sum256(data)}
		p.postTo(CategoryFin, &f)
		expect("REPORT 2: 0 held, gathering")
		write(testSession, 1)
		write(testSession, 1)
		f.number = 3
		p.postTo(CategoryFin, &f)
		expect("REPORT 3: 3 held, checking")
		expect("REPORT 3: 3 held, kept")
		f.number = 4
		p.postTo(CategoryFin, &f)
		expect("REPORT 4: 3 held, kept")
		last := time.Now()
		<-m.done
		if d := time.Since(last).Round(time.Millisecond); m.err != nil || d != min(64*f.rto, DefaultLinger) {
			t.Errorf("Serve returned after %v, %v; want 64 timers of the sender, at most two seconds, for chunks came out of order", d, m.err)
		}
		if i := s.items[0]; !bytes.Equal(i.Bytes(), data) || i.ended != "committed" || i.offer.Name != "f" || i.offer.Size != 250 {
			t.Errorf("%d bytes, %s, %+v", i.Len(), i.ended, i.offer)
		}
		p.stop()
	})
}

// A file with another digest than announced is refused, and the sender is told.
func TestWrongDigest(t *testing.T) {
	root, dir := openRoot(t)
	for _, resume := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond))
			var ended error
			trace := &Trace{Finished: func(e TransferEvent) { ended = e.Err }}
			p.serve(Receiver{Trace: trace}, &ferry.Dir{Root: root, Resume: resume})
			wrong := sha256.Sum256([]byte("another file"))
			_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 5000)), Size: 5000, Name: "f", SHA256: &wrong})
			p.stop()
			if !errors.Is(err, ferry.ErrDigest) || !errors.Is(ended, ferry.ErrDigest) || len(names(t, dir)) != 0 {
				t.Errorf("sender: %v; receiver: %v; files %q", err, ended, names(t, dir))
			}
		})
	}
}

// TestLateChunks: a chunk that another transfer left behind, or that a bystander hears,
// starts nothing.
func TestLateChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		b, _ := Packet{Session: testSession, Seq: 1, Category: CategoryData, Payload: []byte("ab")}.MarshalBinary()
		p.sender.WriteTo(b, p.receivers[0].conn.LocalAddr())
		if got := p.answer(); got != "nothing" || len(s.items) != 0 {
			t.Errorf("it drew %s, and began %d transfers", got, len(s.items))
		}
		p.stop()
	})
}

// Two sessions of one sender, one after the other, whose sums are equal: the second is
// not taken for the first.
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
			p.sender.WriteTo(b, p.at())
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

// TestManyFilesOverOneConn: among many sessions, some have equal sums.
func TestManyFilesOverOneConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		for i := range 1500 / thorough() {
			_, err, hung := p.sendFor(t, 5*time.Second, p.sender, Sender{}, ferry.Source{R: bytes.NewReader([]byte("abc")), Size: 3, Name: "f"})
			if err != nil {
				t.Errorf("file %d: hung %v: %v", i, hung, err)
				break
			}
		}
		p.stop()
	})
}

// Whoever forges the address of a sender makes the receiver send it three times as many
// bytes at the most.
func TestAmplification(t *testing.T) {
	ask := func(i int) []byte {
		return appendMessage(nil, CategoryPoll, &poll{session: testSession, number: uint32(i + 1)})
	}
	data := func(session uint64, seq uint32, payload string) []byte {
		b, _ := Packet{Session: session, Seq: seq, Category: CategoryData, Payload: []byte(payload)}.MarshalBinary()
		return b
	}
	for name, tt := range map[string]struct {
		first []byte // after the HELLO
		then  func(i int) []byte
		most  int // answers, that to the HELLO included
	}{
		"polls where a long bitmap tells what is held": {data(testSession, 8192, "x"), ask, 101},
		"empty chunks 1 of the classic mode":           {nil, func(int) []byte { return data(0, 1, "") }, 101},
		"other chunks of the classic mode":             {data(0, 2, "x"), func(i int) []byte { return data(0, uint32(i+2), "") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1)
				p.serve(Receiver{}, &shelf{t: t})
				h := offerOf("f", -1)
				h.mss = 1
				in, out, answers := 0, 0, 0
				send := func(b []byte) {
					in += len(b)
					p.sender.WriteTo(b, p.at())
					p.sender.SetReadDeadline(time.Now().Add(time.Millisecond))
					if n, _, err := p.sender.ReadFrom(make([]byte, 3000)); err == nil {
						out += n
						answers++
					}
				}
				send(appendMessage(nil, CategoryHello, &h))
				if tt.first != nil {
					send(tt.first)
				}
				for i := range 100 {
					send(tt.then(i))
				}
				if out > 3*in || answers == 0 || answers > tt.most {
					t.Errorf("%d bytes drew %d in %d answers: %.1f times", in, out, answers, float64(out)/float64(in))
				}
				p.stop()
			})
		})
	}
}

type slowCommit struct{ *item }

func (s slowCommit) Commit() error { time.Sleep(time.Second); return s.item.Commit() }

// A check that outlives GiveUp is waited for quietly.
func TestQuietWhileChecking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		m := p.receivers[0]
		reads := 0
		conn := countingConn{m.conn, &reads}
		m.start(func(ctx context.Context) error {
			return (&Receiver{GiveUp: 100 * time.Millisecond}).Serve(ctx, conn, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
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

// Two sessions of one sender at the same time whose chunks could not be told apart: the
// second has to wait for another number, or for the end of the first.
func TestSessionsAlikeAtOnce(t *testing.T) {
	_, in := served(t, Receiver{}, &shelf{t: t})
	h := offerOf("f", 10)
	for _, tt := range []struct {
		session uint64
		want    string
	}{{0x0001000200030004, "[REPORT]"}, {0x0004000300020001, "[ABORT]"}, {0x0004000300020002, "[REPORT]"}} {
		h.session = tt.session
		if got := fmt.Sprint(in(CategoryHello, &h)); got != tt.want {
			t.Errorf("session %x drew %s, want %s", tt.session, got, tt.want)
		}
	}
	in(CategoryAbort, &abort{session: 0x0001000200030004, reason: ReasonCanceled})
	h.session = 0x0004000300020001
	if got := fmt.Sprint(in(CategoryHello, &h)); got != "[REPORT]" {
		t.Errorf("afterwards it drew %s", got)
	}
}
