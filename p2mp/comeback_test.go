package p2mp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestPathComesBack: when the path comes back within five seconds the transfer goes on at
// half its old rate or more within two.
func TestPathComesBack(t *testing.T) {
	for _, n := range []int{1, 8} {
		for _, h := range holes {
			for _, rtt := range []time.Duration{200 * time.Microsecond, 100 * time.Millisecond} {
				for _, rate := range []float64{0, 5e6} {
					for _, length := range []time.Duration{500 * time.Millisecond, 4900 * time.Millisecond} {
						name := fmt.Sprintf("%s, %d receivers, rtt %v, rate %v, for %v", h.name, n, rtt, rate, length)
						t.Run(name, func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { pathComesBack(t, h, n, rtt, rate, length) })
						})
					}
				}
			}
		}
	}
}

func pathComesBack(t *testing.T, h hole, n int, rtt time.Duration, rate float64, length time.Duration) {
	const opens = 4 * time.Second
	start := time.Now()
	p := newParty(t, n, lossy.Delay(rtt/2), lossy.Rate(10e6, 100), lossy.DropIf(func(q lossy.Packet) bool {
		since := time.Since(start) - opens
		return since >= 0 && since < length && h.drops(q, since)
	}))
	s := Sender{Rate: rate}
	if n > 1 {
		s.Group = testGroup
		p.joinGroup(p.receivers...)
	}
	arrived := make([]int, n) // within a second: before the hole, or from two seconds after it
	before := make([]int, n)
	for i, m := range p.receivers {
		m.start(func(ctx context.Context) error {
			_, err := (&Receiver{}).Receive(ctx, m.conn, writerFunc(func(b []byte) (int, error) {
				switch since := time.Since(start) - opens; {
				case since < 0 && since >= -time.Second:
					before[i] += len(b)
				case since >= length+2*time.Second && since < length+3*time.Second:
					arrived[i] += len(b)
				}
				return len(b), nil
			}))
			return err
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), opens+length+3*time.Second)
	defer cancel()
	r, err := s.Send(ctx, p.sender, p.to, ferry.Source{R: zeros{}, Size: 1 << 30})
	p.stop()
	for i := range arrived {
		if before[i] == 0 || 2*arrived[i] < before[i] {
			t.Errorf("receiver %d: %d bytes in a second, %d before; %v, %+v", i, arrived[i], before[i], err, r.Peers[i])
		}
	}
}

// TestPathMTU: the error says how long packets may be, where that is the reason.
func TestPathMTU(t *testing.T) {
	for _, n := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, n, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool { return len(q.Payload) > 1000 }))
			s := Sender{}
			if n > 1 {
				s.Group = testGroup
				p.joinGroup(p.receivers...)
			}
			stalls := 0
			s.Trace = &Trace{Stalled: func(Stall) { stalls++ }}
			p.receive(Receiver{})
			report, err := p.send(s, noise(1, 1_000_000))
			if !errors.Is(err, ErrStalled) || !strings.Contains(err.Error(), ": packets of 1408 bytes do not arrive, packets of ") || !strings.Contains(err.Error(), "path MTU?") {
				t.Fatalf("%v", err)
			}
			var best int
			for _, r := range report.Peers {
				e := r.Err.(*PeerError)
				if best = max(best, e.Fits); e.Length != 1408 {
					t.Errorf("%+v", e)
				}
			}
			if best <= helloMin || n == 1 && best <= 1000-searchGrain || best > 1000 {
				t.Errorf("packets of %d bytes arrive, want 1000", best)
			}
			if stalls < 1 || stalls > 3 {
				t.Errorf("the trace was told %d times", stalls)
			}
		})
	}
}

// answering has a receiver answer all that asks with what answer says.
func answering(conn *lossy.Conn, answer func(p Packet, s *status) bool) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 3000)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			q, err := ParsePacket(buf[:n])
			if err != nil || len(q.Payload) < 12 {
				continue
			}
			s := status{session: binary.BigEndian.Uint64(q.Payload), id: 7, space: 8000, burst: 8000}
			if q.Category != CategoryHello {
				s.number = binary.BigEndian.Uint32(q.Payload[8:])
			}
			if answer(q, &s) {
				conn.WriteTo(appendMessage(nil, CategoryReport, &s), from)
			}
		}
	}()
	return func() { conn.Close(); <-done }
}

// TestHostileReceivers: a receiver that admits next to nothing draws next to nothing, and is
// given up, as is one that says for ever that it checks.
func TestHostileReceivers(t *testing.T) {
	const size, chunks = 1_400_000, 1000
	start := time.Time{}
	for _, tt := range []struct {
		name   string
		answer func(Packet, *status) bool
		want   error
		limit  time.Duration
		most   uint64
	}{
		{"drips", func(q Packet, s *status) bool { s.cum = uint32(time.Since(start).Seconds() / 8); return true }, ErrSlow, 31 * time.Second, 400},
		{"has nothing", func(Packet, *status) bool { return true }, ErrStalled, 11 * time.Second, 100},
		{"has all but one", func(q Packet, s *status) bool { s.held = bytes.Repeat([]byte{0xff}, chunks/8); return true }, ErrStalled, 11 * time.Second, 1200},
		{"checks", func(q Packet, s *status) bool {
			if q.Category == CategoryPoll {
				s.cum = binary.BigEndian.Uint32(q.Payload[12:])
			} else if q.Category == CategoryFin {
				s.cum, s.progress = chunks, checking
			}
			return true
		}, ferry.ErrUnconfirmed, 40 * time.Second, 1200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start = time.Now()
				p := newParty(t, 1, lossy.Delay(time.Millisecond))
				stop := answering(p.receivers[0].conn.(*lossy.Conn), tt.answer)
				r, err := (&Sender{}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, size)), Size: size})
				p.sender.Close()
				stop()
				t.Log(err)
				if !errors.Is(err, tt.want) || r.Elapsed > tt.limit || r.Peers[0].Sent > tt.most {
					t.Errorf("after %v and %d packets: %v; want %v within %v and %d", r.Elapsed, r.Peers[0].Sent, err, tt.want, tt.limit, tt.most)
				}
			})
		})
	}
}

// TestGroupSharesTheRate: a receiver that is served by unicast gets its share of the rate
// beside the group, and the group gets its own.
func TestGroupSharesTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 4, lossy.Delay(time.Millisecond))
		p.joinGroup(p.receivers[:3]...)
		p.receive(Receiver{})
		data := noise(1, 5_000_000)
		report, err := p.send(Sender{Group: testGroup, Rate: 10e6}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		for i, r := range report.Peers {
			t.Log(i, r.Multicast, r.Elapsed)
			if s := r.Elapsed.Seconds(); r.Multicast != (i < 3) || s > 9 { // together they take 8 s
				t.Errorf("receiver %d, group %v: complete after %v", i, r.Multicast, r.Elapsed)
			}
			if s := r.Elapsed.Seconds(); s < 7.5 {
				t.Errorf("receiver %d took more than its share: complete after %v", i, r.Elapsed)
			}
		}
	})
}

// TestInvitationReflects: whoever answers an invitation in the name of somebody else has it
// sent three times the bytes that it takes to do so, at most.
func TestInvitationReflects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent, victim := 0, firstReceiver.Addr()
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.joinGroup(p.receivers[1:]...)
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if to.(*net.UDPAddr).AddrPort().Addr() == victim {
				sent += len(b) + 28
			}
			return p.sender.WriteTo(b, to)
		}}
		forged := 0
		p.receivers[0].conn.Close() // nobody answers there
		m := p.receivers[1]
		honest := m.conn
		m.conn = plainConn{honest, func(b []byte, to net.Addr) (int, error) {
			if q, err := ParsePacket(b); err == nil && q.Category == CategoryReport && forged == 0 {
				s, _ := parseStatus(q.Payload)
				for port := range uint16(1000) {
					c, err := p.net.NewConn(netip.AddrPortFrom(victim, 20000+port))
					if err != nil {
						t.Error(err)
						break
					}
					n, _ := c.WriteTo(appendMessage(nil, CategoryReport, &status{session: s.session, id: uint32(port), space: 8000, burst: 8000}), to)
					forged += n + 28
					c.Close()
				}
			}
			return honest.WriteTo(b, to)
		}}
		m.start(func(ctx context.Context) error {
			_, err := (&Receiver{}).Receive(ctx, m.conn, &m.got)
			return err
		})
		data := noise(1, 100_000)
		report, err := (&Sender{Group: testGroup}).Send(t.Context(), conn, nil, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		p.receivers = p.receivers[1:]
		p.stop()
		t.Logf("forged %d bytes, the victim was sent %d", forged, sent)
		if err != nil || len(report.Peers) != 1 || forged == 0 || sent > 3*forged {
			t.Errorf("%v; %d receivers; forged %d bytes, the victim was sent %d", err, len(report.Peers), forged, sent)
		}
		p.check(data)
	})
}

// TestInvitationRefused: whoever answers an invitation is in the report, with its reason.
func TestInvitationRefused(t *testing.T) {
	for _, accepts := range []int{0, 2} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 3, lossy.Delay(time.Millisecond))
			p.joinGroup(p.receivers...)
			for i, m := range p.receivers {
				m.start(func(ctx context.Context) error {
					return (&Receiver{}).Serve(ctx, m.conn, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) {
						if i >= accepts {
							return nil, fs.ErrExist
						}
						return &discardSink{}, nil
					}))
				})
			}
			to := p.to
			p.to = nil
			report, err := p.send(Sender{Group: testGroup, Policy: Fail}, noise(1, 10_000))
			var incomplete *IncompleteError
			if !errors.As(err, &incomplete) || len(report.Peers) != 3 || len(incomplete.Peers) != 3-accepts || errors.Is(err, ErrNobody) {
				t.Fatalf("%d accept: %v, %+v", accepts, err, report.Peers)
			}
			for _, e := range incomplete.Peers {
				if a, ok := errors.AsType[*AbortError](e); !ok || a.Reason != ReasonExists || e.Addr.Addr() != to[2].Addr() && accepts == 2 {
					t.Errorf("%d accept: %v", accepts, e)
				}
			}
		})
	}
}

// TestInvitationHeardLate: a receiver that starts in the middle of a transfer hears a POLL, of which
// it knows nothing, before it hears a HELLO. It joins all the same.
func TestInvitationHeardLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late, answered := netip.Addr{}, false
		p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool {
			if q.From.Addr() == late {
				answered = true
			}
			parsed, err := ParsePacket(q.Payload)
			return q.To.Addr() == late && !answered && err == nil && parsed.Category == CategoryHello
		}))
		late = p.to[2].Addr()
		data := noise(1, 6_000_000)
		for i, m := range p.receivers {
			m.start(func(ctx context.Context) error {
				time.Sleep(time.Duration(i/2) * 9130 * time.Millisecond)
				p.joinGroup(m)
				_, err := (&Receiver{}).Receive(ctx, m.conn, &m.got)
				return err
			})
		}
		report, err := (&Sender{Group: testGroup, Rate: 5e6}).Send(t.Context(), p.sender, nil, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		p.stop()
		if err != nil || len(report.Peers) != 3 || !answered {
			t.Errorf("%v, %+v, answered %v", err, report.Peers, answered)
		}
		p.check(data)
	})
}

// TestInvitationCannotLeave: if no receiver joins, the error says that the invitation could not be sent.
func TestInvitationCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		_, err := (&Sender{Group: testGroup}).Send(t.Context(), routelessConn{p.sender}, nil, ferry.Source{R: strings.NewReader("x"), Size: 1})
		p.stop()
		if !errors.Is(err, ErrNobody) || !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("%v", err)
		}
	})
}

// TestInvitationEnds: receivers whose answers were lost are told when the sender ends, and do
// not refuse its next attempt.
func TestInvitationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		p := newParty(t, 2, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool { // a firewall before the sender
			return q.To.Addr() == senderAddr && time.Since(begun) < 5500*time.Millisecond
		}))
		p.joinGroup(p.receivers...)
		root, dir := openRoot(t)
		p.receivers = p.receivers[:1]
		p.serve(Receiver{}, &ferry.Dir{Root: root})
		send := func() error {
			_, err := (&Sender{Group: testGroup}).Send(t.Context(), p.sender, nil, ferry.Source{R: strings.NewReader("xyz"), Size: 3, Name: "f"})
			return err
		}
		if err := send(); !errors.Is(err, ErrNobody) {
			t.Errorf("behind the firewall: %v", err)
		}
		time.Sleep(time.Second)
		if err := send(); err != nil {
			t.Errorf("without it: %v", err)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("files %q", got)
		}
		p.stop()
	})
}

// A discardSink keeps nothing.
type discardSink struct{}

func (discardSink) Write(b []byte) (int, error) { return len(b), nil }
func (discardSink) Commit() error               { return nil }
func (discardSink) Abort(error)                 {}
