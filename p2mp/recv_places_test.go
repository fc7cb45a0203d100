package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A forger sends packets with the addresses of others, and hears no answer.
type forger struct {
	p     *party
	conns []*lossy.Conn
}

// newForger returns a forger with addrs addresses, on one host or each on another host.
func newForger(p *party, addrs int, oneHost bool) *forger {
	f := &forger{p: p}
	for i := range addrs {
		host := netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)})
		if oneHost {
			host = netip.AddrFrom4([4]byte{10, 9, 0, 0})
		}
		c, err := p.net.NewConn(netip.AddrPortFrom(host, uint16(1000+i)))
		if err != nil {
			p.t.Fatal(err)
		}
		f.conns = append(f.conns, c)
	}
	return f
}

func (f *forger) close() {
	for _, c := range f.conns {
		c.Close()
	}
}

// offer sends a HELLO from each address, each with another session.
func (f *forger) offer(mss int) {
	for i, c := range f.conns {
		h := offerOf(fmt.Sprint("forged", i), -1)
		h.session += uint64(i) << 20
		h.mss = mss
		c.WriteTo(appendMessage(nil, CategoryHello, &h), f.p.at())
	}
}

// post sends a packet of each address's session.
func (f *forger) post(c Category, m func(session uint64) message) {
	for i, conn := range f.conns {
		conn.WriteTo(appendMessage(nil, c, m(testSession+uint64(i)<<20)), f.p.at())
	}
}

// chunk sends a chunk of each address's session.
func (f *forger) chunk(seq uint32, n int) {
	for i, conn := range f.conns {
		b, _ := Packet{Session: testSession + uint64(i)<<20, Seq: seq, Category: CategoryData, Payload: make([]byte, n)}.MarshalBinary()
		conn.WriteTo(b, f.p.at())
	}
}

// TestForgedPacketsTakeNoPlaces: places that are taken by forged packets are free again for
// an honest sender within JoinTimeout, whatever the packets are.
func TestForgedPacketsTakeNoPlaces(t *testing.T) {
	poll := func(session uint64) message { return &poll{session: session, number: 1} }
	for name, tt := range map[string]struct {
		oneHost bool
		attack  func(*forger) // before the honest sender begins
		drip    func(*forger) // every half second
		within  time.Duration
	}{
		"offers":              {false, func(f *forger) { f.offer(100) }, func(*forger) {}, 2 * time.Second},
		"offers of one host":  {true, func(f *forger) { f.offer(100) }, func(*forger) {}, 10 * time.Millisecond},
		"offers and polls":    {false, func(f *forger) { f.offer(100) }, func(f *forger) { f.post(CategoryPoll, poll) }, 2 * time.Second},
		"chunks that is all":  {false, func(f *forger) { f.offer(100); f.chunk(1, 100); pause(4 * time.Second) }, func(f *forger) { f.chunk(1, 100) }, 2 * time.Second},
		"chunks of no use":    {false, func(f *forger) { f.offer(100); f.chunk(3, 100); pause(4 * time.Second) }, func(f *forger) { f.chunk(5, 100) }, 2 * time.Second},
		"classic first chunk": {false, func(f *forger) { f.classic("ab") }, func(f *forger) { f.classic("ab") }, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1, lossy.Delay(time.Millisecond))
				s := &shelf{t: t}
				p.serve(Receiver{MaxTransfers: 40}, s)
				f := newForger(p, 40, tt.oneHost)
				defer f.close()
				tt.attack(f)
				pause(2 * time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					for ctx.Err() == nil {
						tt.drip(f)
						time.Sleep(time.Second / 2)
					}
				}()
				start := time.Now()
				data := noise(1, 5000)
				_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: 5000, Name: "f"})
				if d := time.Since(start); err != nil || d > tt.within {
					t.Errorf("after %v: %v", d, err)
				}
				cancel()
				pause(time.Second)
				p.stop()
				for _, i := range s.items {
					if i.offer.Name == "f" && (i.ended != "committed" || !bytes.Equal(i.Bytes(), data)) {
						t.Errorf("%s, %d bytes", i.ended, i.Len())
					}
				}
			})
		})
	}
}

// classic sends a chunk 1 of the classic mode from each address.
func (f *forger) classic(payload string) {
	b, _ := chunk(1, payload).MarshalBinary()
	for _, c := range f.conns {
		c.WriteTo(b, f.p.at())
	}
}

// TestTransferBesideForgedOffers: a transfer that is under way keeps its place and its
// speed, whatever others offer.
func TestTransferBesideForgedOffers(t *testing.T) {
	took := make(map[bool]time.Duration)
	for _, attacked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Loss(0.01), lossy.Seed(1))
			s := &shelf{t: t}
			p.serve(Receiver{MaxTransfers: 40}, s)
			f := newForger(p, 100, false)
			defer f.close()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for attacked && ctx.Err() == nil {
					f.offer(100)
					time.Sleep(100 * time.Millisecond)
				}
			}()
			report, err := (&Sender{Rate: 8e6}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 8e6)), Size: 8e6, Name: "f"})
			if err != nil {
				t.Error(err)
			}
			took[attacked] = report.Elapsed
			cancel()
			pause(time.Second)
			p.stop()
		})
	}
	if took[true] > took[false]*10/8 {
		t.Errorf("%v, and %v without forged offers", took[true], took[false])
	}
}

// TestStalledTransferIsKept: if there are free places, or transfers that brought less, a
// transfer that stands still keeps its place.
func TestStalledTransferIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		p.serve(Receiver{MaxTransfers: 4}, s)
		h := offerOf("big", 1000)
		p.postTo(CategoryHello, &h)
		p.answer()
		data := noise(1, 1000)
		send := func(seq int) {
			b, _ := Packet{Session: testSession, Seq: uint32(seq), Category: CategoryData, Payload: data[(seq-1)*100 : seq*100]}.MarshalBinary()
			p.sender.WriteTo(b, p.at())
		}
		for seq := 1; seq <= 5; seq++ {
			send(seq)
		}
		f := newForger(p, 20, false)
		defer f.close()
		for range 20 { // 20 seconds, in which others come and send a chunk each
			f.offer(100)
			f.chunk(1, 100)
			pause(time.Second)
		}
		for seq := 6; seq <= 10; seq++ {
			send(seq)
		}
		p.postTo(CategoryFin, &fin{session: testSession, number: 1, size: 1000, digest: sha256.Sum256(data)})
		if got, want := p.answer(), "REPORT 1: 10 held, checking"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		p.stop()
	})
}

// TestReceiveBesideForgedOffers: Receive, which takes one transfer, gives up one that only
// began, as long as nothing was written.
func TestReceiveBesideForgedOffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		f := newForger(p, 1, false)
		defer f.close()
		f.offer(100)
		pause(10 * time.Millisecond)
		data := noise(1, 5000)
		if _, err := p.send(Sender{MSS: 100}, data); err != nil {
			t.Error(err)
		}
		p.check(data)
	})
}

// TestBusyReceiverIsAskedAgain: a sender that is told that a receiver is busy asks again
// while it may, and reports it if that was of no use.
func TestBusyReceiverIsAskedAgain(t *testing.T) {
	for name, frees := range map[string]bool{"a place becomes free": true, "none does": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1, lossy.Delay(time.Millisecond))
				s := &shelf{t: t}
				p.serve(Receiver{MaxTransfers: 1}, s)
				other := p.listen()
				defer other.Close()
				h := offerOf("other", 100000)
				other.WriteTo(appendMessage(nil, CategoryHello, &h), p.at())
				done := make(chan struct{})
				go func() { // makes progress for a second, or for as long as Send takes
					defer close(done)
					for i := range 100 {
						b, _ := Packet{Session: testSession, Seq: uint32(i + 1), Category: CategoryData, Payload: make([]byte, 100)}.MarshalBinary()
						other.WriteTo(b, p.at())
						time.Sleep(100 * time.Millisecond)
						if frees && i == 10 {
							other.WriteTo(appendMessage(nil, CategoryAbort, &abort{session: testSession, reason: ReasonCanceled}), p.at())
							return
						}
					}
				}()
				pause(10 * time.Millisecond)
				_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 5000)), Size: 5000, Name: "f"})
				if frees != (err == nil) || !frees && !errors.Is(err, ferry.ErrBusy) {
					t.Errorf("Send: %v", err)
				}
				<-done
				p.stop()
			})
		})
	}
}

// TestHalfOpenTransferHoldsNoName: a handler that refuses a name because a transfer that
// only began has it is asked again when that transfer was ended.
func TestHalfOpenTransferHoldsNoName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		taken := false
		p.serve(Receiver{}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			if taken {
				return nil, fs.ErrExist
			}
			taken = true
			sink, err := s.Accept(o)
			return onAbort{sink, func() { taken = false }}, err
		}))
		h := offerOf("f", 5000)
		p.postTo(CategoryHello, &h)
		p.answer()
		send := func() error {
			conn := p.listen()
			defer conn.Close()
			_, err := (&Sender{MSS: 100}).Send(t.Context(), conn, p.to, ferry.Source{R: bytes.NewReader(noise(1, 5000)), Size: 5000, Name: "f"})
			return err
		}
		if err := send(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("at once: %v", err)
		}
		pause(halfOpenTime)
		if err := send(); err != nil {
			t.Errorf("after %v: %v", halfOpenTime, err)
		}
		p.stop()
	})
}

type onAbort struct {
	ferry.Sink
	f func()
}

func (o onAbort) Abort(err error) { o.f(); o.Sink.Abort(err) }

// TestEmptyClassicFiles: an empty file of the classic mode is one packet, so few are
// accepted.
func TestEmptyClassicFiles(t *testing.T) {
	for _, oneHost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1)
			s := &shelf{t: t}
			p.serve(Receiver{}, s)
			f := newForger(p, 300, oneHost)
			defer f.close()
			f.classic("")
			pause(time.Second)
			want := map[bool]int{false: maxEmpty, true: maxEmptyHost}[oneHost]
			if len(s.items) != want {
				t.Errorf("one host %v: %d files, want %d", oneHost, len(s.items), want)
			}
			// Files with contents are accepted meanwhile, and empty ones after a minute.
			p.mustSend(noise(1, 1000))
			pause(emptyTime)
			p.mustSend(nil)
			if len(s.items) != want+2 {
				t.Errorf("one host %v: %d files, want %d", oneHost, len(s.items), want+2)
			}
			p.stop()
		})
	}
}

// TestSlowClassicCommit: a file that is kept slowly holds up no other transfer, and is
// acknowledged when it is kept.
func TestSlowClassicCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		p.serve(Receiver{}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			i, err := s.Accept(o)
			if len(s.items) == 1 {
				return slowCommit{i.(*item)}, err
			}
			return i, err
		}))
		other := p.listen()
		defer other.Close()
		first := make(chan time.Duration)
		start := time.Now()
		go func() {
			if err := p.sendFrom(other, nil); err != nil {
				t.Error(err)
			}
			first <- time.Since(start)
		}()
		pause(10 * time.Millisecond)
		p.mustSend(noise(1, 1000))
		if d := time.Since(start); d > 500*time.Millisecond {
			t.Errorf("beside a slow file it took %v", d)
		}
		if d := <-first; d < time.Second {
			t.Errorf("the slow file was acknowledged after %v", d)
		}
		p.stop()
	})
}

// TestNoClassic: a receiver that wants no classic senders ignores them, and serves others.
func TestNoClassic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		p.serve(Receiver{NoClassic: true}, s)
		if err := p.sendFrom(p.sender, noise(1, 1000)); !errors.Is(err, ferry.ErrNoAnswer) || len(s.items) != 0 {
			t.Errorf("a classic sender: %v, %d transfers", err, len(s.items))
		}
		if _, err := p.send(Sender{}, noise(1, 1000)); err != nil {
			t.Error(err)
		}
	})
}

// TestToken: a sender that was told that the receiver is busy, and shows what it was told,
// gets a place at once that another only began to take. One that guesses does not.
func TestToken(t *testing.T) {
	v, in := served(t, Receiver{MaxTransfers: 1}, &shelf{t: t})
	first := offerOf("first", 10)
	h := hello{session: testSession + 5, version: version, size: 10, mss: 100, kind: digestSHA256}
	in(CategoryHello, &first)
	for _, step := range []struct {
		token func() uint64
		want  string
	}{
		{func() uint64 { return 0 }, "[ABORT]"},
		{func() uint64 { return 12345 }, "[ABORT]"},
		{func() uint64 { return v.token(transferKey{v.active[0].key.from, first.session}) }, "[ABORT]"},
		{func() uint64 { return v.abort.token }, "[ABORT REPORT]"}, // the ABORT is for the first
	} {
		h.token = step.token()
		if got := fmt.Sprint(in(CategoryHello, &h)); got != step.want {
			t.Errorf("token %x: %s, want %s", h.token, got, step.want)
		}
	}
	b := (&abort{session: 1, reason: ReasonBusy, token: 2}).append(nil)
	if a, err := parseAbort(b); err != nil || a.token != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := parseAbort(b[:17]); err != nil || a.token != 0 {
		t.Errorf("cut short: %+v, %v", a, err)
	}
}
