package p2mp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A sender that says the same again and again is not silent.
func TestRepetitionIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{})
		for range 60 {
			p.write(chunk(1, "ab"))
			pause(time.Second)
		}
		p.write(chunk(2, "c"))
		<-p.receivers[0].done
		if m := p.receivers[0]; m.err != nil || m.got.String() != "abc" {
			t.Errorf("%q, %v", m.got.String(), m.err)
		}
		p.stop()
	})
}

// While one receiver holds the window up, the other is asked often enough to stay.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		p := newParty(t, 2, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool {
			d := time.Since(begun)
			return (q.To == firstReceiver || q.From == firstReceiver) && d > 20*time.Millisecond && d < 60*time.Second
		}))
		p.startReceive(0, time.Hour)
		p.startReceive(1, 10*time.Second)
		data := noise(1, 100000)
		aside := 0
		_, err := (&Sender{MSS: 100, Window: 20, GiveUp: 2 * time.Minute, Trace: &Trace{SetAside: func(PacketEvent) { aside++ }}}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: -1})
		p.stop()
		if err != nil || aside != 1 {
			t.Errorf("%v, set aside %d times", err, aside)
		}
		p.check(data)
	})
}

// TestOneOfFourKilled: the others finish as if it had not been there, and the sender
// names it.
func TestOneOfFourKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := noise(1, 2_000_000)
		finished := func(receivers int) time.Duration {
			var last time.Duration
			started := time.Now()
			p := newParty(t, receivers, lossy.Delay(5*time.Millisecond), lossy.Loss(0.01), lossy.Seed(3), lossy.DropIf(func(q lossy.Packet) bool {
				// The first receiver is there for a while.
				return receivers == 4 && q.From == firstReceiver && time.Since(started) > 60*time.Millisecond
			}))
			p.receive(Receiver{})
			report, err := p.send(Sender{MSS: 1000}, data)
			for i, peer := range report.Peers {
				if receivers == 4 && i == 0 {
					if peer.State != Dropped || !errors.Is(err, ferry.ErrSilent) || !strings.Contains(err.Error(), "10.0.0.2:7735: silent for 10s") {
						t.Errorf("the dead receiver: %v, %v", peer.State, err)
					}
					continue
				}
				if peer.State != Complete {
					t.Errorf("receiver %d: %v", i, peer.Err)
				}
				last = max(last, peer.Elapsed)
			}
			return last
		}
		with, without := finished(4), finished(3)
		t.Logf("with the dead one %v, without %v", with, without)
		if with > without*5/4 {
			t.Errorf("the others took %v, and %v without the dead one", with, without)
		}
	})
}

// TestFailAndWait: the other two policies in the extended mode.
func TestFailAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		silence := time.Now().Add(20 * time.Millisecond)
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if time.Now().After(silence) && to.String() == p.to[0].String() {
				return len(b), nil
			}
			return p.sender.WriteTo(b, to)
		}}
		data := noise(1, 1_000_000)
		report, err := (&Sender{Policy: Fail, GiveUp: 500 * time.Millisecond, Rate: 10e6}).Send(t.Context(), conn, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if !errors.Is(err, ferry.ErrSilent) || !strings.Contains(err.Error(), "stopped for all: 10.0.0.2:7735: silent") || report.Peers[0].State != Dropped {
			t.Errorf("%v, %+v", err, report.Peers)
		}
		<-p.receivers[1].done
		if a, ok := errors.AsType[*AbortError](p.receivers[1].err); !ok || a.Reason != ReasonCanceled {
			t.Errorf("the other receiver: %v", p.receivers[1].err)
		}
		p.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		open := time.Now().Add(time.Hour)
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool {
			since := time.Until(open)
			return since > 0 && since < time.Hour-20*time.Millisecond
		}))
		aside := 0
		p.receive(Receiver{GiveUp: 2 * time.Hour})
		data := noise(1, 1_000_000)
		report, err := p.send(Sender{Policy: Wait, Rate: 10e6, Trace: &Trace{SetAside: func(PacketEvent) { aside++ }}}, data)
		p.check(data)
		if err != nil || report.Elapsed < time.Hour || aside != 1 {
			t.Errorf("after %v: %v, set aside %d times", report.Elapsed, err, aside)
		}
	})
}

// A path that swallows chunks and lets small packets through stalls a receiver; it is
// given up.
func TestBlackhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond), dropCategory(firstReceiver, CategoryData))
		p.receive(Receiver{})
		data := noise(1, 100000)
		r, err, hung := p.sendFor(t, 10*time.Minute, p.sender, Sender{GiveUp: time.Second, Window: 20}, ferry.Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: int64(len(data))})
		if hung {
			t.Errorf("Send still ran after ten minutes: %v; sent %d, the other receiver has %d bytes", err, r.Peers[0].Sent, r.Peers[1].Bytes)
		}
		if want := "10.0.0.2:7735: answers, but chunk 1 and what follows did not arrive in 1s"; !errors.Is(err, ErrStalled) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %q", err)
		}
		if !bytes.Equal(p.receivers[1].got.Bytes(), data) {
			t.Errorf("the other receiver has %d bytes", p.receivers[1].got.Len())
		}
		p.stop()
	})
}

// An outage of an hour, whenever it begins, costs an hour and not much more.
func TestOutageAtTheBeginning(t *testing.T) {
	for _, start := range []time.Duration{20, 3, 5, 10, 100, 300}[:1+5/thorough()] {
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

// An offer in the socket of a suspended receiver ends with its sender. It does not delay a
// later transfer.
func TestOfferOutlivesItsSender(t *testing.T) {
	for name, tt := range map[string]struct {
		s    Sender
		want Reason
	}{
		"given up":         {Sender{JoinTimeout: 3 * time.Second}, ReasonGivenUp},
		"given up for all": {Sender{JoinTimeout: 3 * time.Second, Policy: Fail}, ReasonGivenUp},
		"canceled":         {Sender{}, ReasonCanceled},
	} {
		inTime := func(name string, test func(t *testing.T, p *party)) {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newParty(t, 1, lossy.Delay(time.Millisecond))
					gone := p.listen()
					defer gone.Close()
					ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
					defer cancel()
					src := ferry.Source{R: strings.NewReader("abc"), Size: 3, Name: "f"}
					if _, err := tt.s.Send(ctx, gone, p.to, src); !errors.Is(err, ferry.ErrNoAnswer) && !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
					pause(time.Second)
					test(t, p)
					p.stop()
				})
			})
		}
		inTime(name+", Receive", func(t *testing.T, p *party) {
			start, m := time.Now(), p.receivers[0]
			p.receive(Receiver{})
			<-m.done
			if a, ok := errors.AsType[*AbortError](m.err); !ok || a.Reason != tt.want || time.Since(start) > time.Second {
				t.Errorf("it ended after %v: %v", time.Since(start), m.err)
			}
		})
		root, dir := openRoot(t)
		inTime(name+", Serve", func(t *testing.T, p *party) {
			p.serve(Receiver{}, &ferry.Dir{Root: root})
			_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, ferry.Source{R: strings.NewReader("xyz"), Size: 3, Name: "f"})
			if got := names(t, dir); err != nil || len(got) != 1 {
				t.Errorf("the next sender of that name: %v; files %q", err, got)
			}
		})
	}
}

// A receiver that is given up and hears that much need not wait for its own timer.
func TestGivenUpIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool {
			return q.From == firstReceiver && time.Since(begun) > 20*time.Millisecond
		}))
		p.startReceive(0, time.Hour)
		_, err := (&Sender{MSS: 100, Window: 20}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 100000)), Size: 100000})
		if !errors.Is(err, ferry.ErrSilent) {
			t.Errorf("Send = %v", err)
		}
		<-p.receivers[0].done
		if a, ok := errors.AsType[*AbortError](p.receivers[0].err); !ok || a.Reason != ReasonGivenUp || time.Since(begun) > time.Minute {
			t.Errorf("after %v: %v", time.Since(begun), p.receivers[0].err)
		}
		p.stop()
	})
}
