package octoput

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A sender that repeats itself, and sends nothing new, is given up like a silent one.
func TestReceiverRepetitionsAreNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{}, &s)
		data := noise(1, 8)
		start := time.Now()
		legs := h.begin(7, data, 3)
		for s.all[0].aborted == nil && time.Since(start) < time.Minute {
			h.writes(open(7, Opening{Size: 8, Name: "f"}))
			h.writes(legs[0])
			h.drain()
			time.Sleep(time.Second)
			synctest.Wait()
		}
		took := time.Since(start)
		if !errors.Is(s.all[0].aborted, ferry.ErrSilent) || took < DefaultGiveUp || took > DefaultGiveUp+2*time.Second {
			t.Errorf("aborted: %v, after %v", s.all[0].aborted, took)
		}
		p.stop()
	})
}

// A sender that is slow, and sends something new in time, is not given up.
func TestReceiverWaitsForProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{}, &s)
		data := noise(1, 8)
		for _, leg := range h.begin(7, data, 0) {
			time.Sleep(DefaultGiveUp - time.Second)
			h.writes(leg)
		}
		h.until(Ack, 1, AllLegs)
		time.Sleep(DefaultGiveUp - time.Second)
		h.writes(fin(7, data))
		h.until(Ack, 2, AllLegs)
		p.stop()
		if s.all[0].committed != 1 {
			t.Errorf("committed %d times, aborted: %v", s.all[0].committed, s.all[0].aborted)
		}
	})
}

// slowly is a Sink that takes its time.
type slowly struct {
	*memorySink
	write, commit time.Duration
}

func (s slowly) Write(b []byte) (int, error) {
	time.Sleep(s.write)
	return s.memorySink.Write(b)
}

func (s slowly) Commit() error {
	time.Sleep(s.commit)
	return s.memorySink.Commit()
}

// A Sink that blocks holds up all transfers of its call, and costs none of them its
// sender's patience.
func TestReceiverSlowSinkBlamesNobody(t *testing.T) {
	const longer = DefaultGiveUp + 2*time.Second
	for name, slow := range map[string]slowly{"Write": {write: longer}, "Commit": {commit: longer}} {
		synctest.Test(t, func(t *testing.T) {
			var all []slowly
			p := newPair(t)
			p.serve(Receiver{}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) {
				s := slowly{memorySink: new(memorySink)}
				if len(all) == 0 {
					s.write, s.commit = slow.write, slow.commit
				}
				all = append(all, s)
				return s, nil
			}))
			h := &hand{t: t, conn: p.sender, to: p.to}
			other := &hand{t: t, conn: p.listen(), to: p.to}
			data := noise(1, 8)
			legs := h.begin(7, data, 7)
			other.begin(8, data, 8)
			h.writes(legs[7])
			h.writes(fin(7, data))
			time.Sleep(time.Second)
			other.writes(fin(8, data)) // is in the socket meanwhile
			time.Sleep(4 * longer)
			p.stop()
			for i, s := range all {
				if s.committed != 1 {
					t.Errorf("%s: transfer %d: committed %d times, aborted: %v", name, i, s.committed, s.aborted)
				}
			}
			other.conn.Close()
		})
	}
}

// The time in which a Sink blocks counts against no transfer: packets that are read
// afterwards are not late. A sender that then sends nothing is given up after GiveUp.
func TestReceiverSlowSinkStopsTheClock(t *testing.T) {
	const longer = DefaultGiveUp + 2*time.Second
	synctest.Test(t, func(t *testing.T) {
		var ended time.Time
		trace := &Trace{Finished: func(e TransferEvent) {
			o := e.Offer
			if o.Session == 8 {
				ended = time.Now()
			}
		}}
		p := newPair(t)
		p.serve(Receiver{Trace: trace}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			s := slowly{memorySink: new(memorySink)}
			if o.Session == 7 {
				s.write = longer
			}
			return s, nil
		}))
		h := &hand{t: t, conn: p.sender, to: p.to}
		other := &hand{t: t, conn: p.listen(), to: p.to}
		data := noise(1, BlockSize+8)
		legs, others := h.begin(7, data, 7), other.begin(8, data, 1)
		h.writes(legs[7])
		h.writes(legs[8]) // arrives with it, and cannot be kept before that is written
		other.writes(others[1])
		time.Sleep(longer + DefaultGiveUp - time.Second)
		for _, leg := range others[2:8] {
			other.writes(leg)
		}
		other.until(Ack, 1, AllLegs)
		for _, leg := range legs[9:] {
			h.writes(leg)
		}
		h.until(Ack, 2, AllLegs)
		time.Sleep(longer) // in which the second octoblock is written
		for _, leg := range others[8:11] {
			other.writes(leg)
		}
		silent := time.Now()
		time.Sleep(2 * DefaultGiveUp)
		p.stop()
		if took := ended.Sub(silent); took < DefaultGiveUp || took > DefaultGiveUp+time.Second {
			t.Errorf("given up after %v, want %v", took, DefaultGiveUp)
		}
		other.conn.Close()
	})
}

// A FIN that arrives while Commit takes its time is answered like the first one, and
// the linger time begins after Commit.
func TestReceiverLingersAfterSlowCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowly{memorySink: new(memorySink), commit: 5 * time.Second}
		p, h := newHand(t, Receiver{Transfers: 1}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) { return s, nil }))
		h.begin(7, nil, 0)
		h.writes(fin(7, nil))
		h.until(Ack, 1, AllLegs)
		time.Sleep(DefaultLinger - time.Second)
		h.writes(fin(7, nil))
		h.wants(Ack, 1, AllLegs)
		p.wait()
		if s.committed != 1 {
			t.Errorf("committed %d times", s.committed)
		}
	})
}

// A sender that repeats its FIN for ever is not listened to for ever.
func TestReceiverDoesNotLingerForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.receive(Receiver{})
		h := &hand{t: t, conn: p.sender, to: p.to}
		h.begin(7, nil, 0)
		start := time.Now()
		for over := false; !over; {
			if took := time.Since(start); took > time.Minute {
				t.Fatalf("it lingers for %v", took)
			}
			h.writes(fin(7, nil))
			select {
			case <-p.done:
				over = true
			case <-time.After(DefaultLinger - time.Millisecond):
			}
		}
		p.wait()
		if took := time.Since(start); p.err != nil || took < confirming {
			t.Errorf("Receive: %v after %v, want to be there as long as a sender may repeat its FIN", p.err, took)
		}
	})
}

// Serve remembers what it finished as long as a sender may repeat its FIN.
func TestServeRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{}, &sinks{})
		data := noise(1, 8)
		h.begin(7, data, 8)
		h.writes(fin(7, data))
		h.until(Ack, 2, AllLegs)
		h.drain()
		time.Sleep(memory - time.Second)
		h.writes(fin(7, noise(2, 8))) // of another file
		h.wantsNothing()
		h.writes(fin(7, data))
		h.until(Ack, 2, AllLegs)
		h.drain()
		time.Sleep(2*memory + time.Second)
		h.writes(fin(7, data))
		h.wantsCode(CodeUnknown)
		p.stop()
	})
}

// A new transfer replaces an ended one in memory, but not one that is under way.
func TestReceiverForgetsNothingUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		v := (&Receiver{MaxTransfers: 2}).newRecvCall(&sinks{})
		p.start(func(ctx context.Context) error { return v.serve(ctx, p.receiver) })
		h := &hand{t: t, conn: p.sender, to: p.to}
		data := noise(1, 8)
		legs := h.begin(7, data, 3)
		for session := range uint32(10) {
			h.begin(session+10, nil, 0)
			h.writes(fin(session+10, nil))
			h.until(Ack, 1, AllLegs)
			h.drain()
		}
		for _, leg := range legs[3:] {
			h.writes(leg)
		}
		h.writes(fin(7, data))
		h.until(Ack, 2, AllLegs)
		p.stop()
		for _, t2 := range v.transfers {
			if t2.buf != nil || t2.hash != nil || t2.sink != nil {
				t.Error("a finished transfer keeps its octoblock")
			}
		}
	})
}

// A source that takes its time costs no packets, and is not taken for the network.
func TestSendSlowSource(t *testing.T) {
	for _, d := range []time.Duration{5 * time.Millisecond, 300 * time.Millisecond, DefaultGiveUp + time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, lossy.Delay(time.Millisecond))
			p.receive(Receiver{GiveUp: time.Hour})
			data := noise(1, 20*BlockSize)
			src := ferry.Source{R: slowReader{bytes.NewReader(data), d}, Size: int64(len(data))}
			report, err := (&Sender{}).Send(context.Background(), p.sender, p.to, src)
			p.stop()
			p.check(data)
			if err != nil || report.Retransmitted > 0 || report.RTT != 2*time.Millisecond {
				t.Errorf("%v for each octoblock: %v, %d sent again, RTT %v", d, err, report.Retransmitted, report.RTT)
			}
		})
	}
}

type slowReader struct {
	io.Reader
	each time.Duration
}

func (s slowReader) Read(b []byte) (int, error) {
	time.Sleep(s.each)
	return s.Reader.Read(b)
}
