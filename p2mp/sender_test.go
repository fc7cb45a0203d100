package p2mp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

func TestAbsentReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		absent := netip.MustParseAddrPort("10.0.0.9:7735")
		p.to = append(p.to, absent)
		var dropped []error
		data := noise(1, 1000)
		report, err := p.send(Sender{Classic: true, MSS: 100, Trace: &Trace{Dropped: func(e PacketEvent) {
			if e.Addr != absent {
				t.Errorf("dropped %v", e.Addr)
			}
			dropped = append(dropped, e.Err)
		}}}, data)
		p.check(data)
		if got, want := fmt.Sprint(err), "p2mp: 2 of 3 receivers answered; 10.0.0.9:7735: no answer in 5s"; got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		var incomplete *IncompleteError
		var peer *PeerError
		if !errors.As(err, &incomplete) || !errors.As(err, &peer) || !errors.Is(err, ferry.ErrNoAnswer) || peer.Addr != absent || peer.Seq != 1 {
			t.Errorf("error %#v does not say who and what", err)
		}
		if len(dropped) != 1 || dropped[0] != error(peer) {
			t.Errorf("Trace.Dropped got %v", dropped)
		}
		for i, want := range []State{Complete, Complete, Dropped} {
			if got := report.Peers[i]; got.State != want || (got.Err != nil) != (want == Dropped) {
				t.Errorf("receiver %d: %v, %v; want %v", i, got.State, got.Err, want)
			}
		}
	})
}

func TestAllReceiversAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 0)
		p.to = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.8:1"), netip.MustParseAddrPort("10.0.0.9:1")}
		source := &failingReader{n: 1000, err: errBroken} // must not be read to where it breaks
		_, err := (&Sender{Classic: true, MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: source, Size: -1})
		if want := "p2mp: 0 of 2 receivers answered"; !strings.HasPrefix(fmt.Sprint(err), want) || source.n < 800 {
			t.Errorf("%v with %d bytes unread; want %q", err, source.n, want)
		}
		p.stop()
	})
}

// dropData returns a model that loses the chunks for to, from one number on.
func dropData(to netip.AddrPort, from uint32) lossy.Model {
	return lossy.DropIf(func(p lossy.Packet) bool {
		d, err := ParsePacket(p.Payload)
		return err == nil && p.To == to && d.Category == CategoryData && d.Seq >= from
	})
}

// firstReceiver is the address that a party's first receiver gets.
var firstReceiver = netip.MustParseAddrPort("10.0.0.2:7735")

func TestReceiverFallsSilent(t *testing.T) {
	for _, tt := range []struct {
		policy Policy
		want   string
		chunks uint32 // that the other receiver has
	}{
		{Drop, "p2mp: 1 of 2 receivers have the whole file; 10.0.0.2:7735: silent for 10s, lacks chunk 5 and what follows", 11},
		{Fail, "p2mp: stopped for all: 10.0.0.2:7735: silent for 10s, lacks chunk 5 and what follows", 5},
	} {
		t.Run(tt.policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 2, lossy.Delay(time.Millisecond), dropData(firstReceiver, 5))
				p.receive(Receiver{})
				report, err := p.send(Sender{Classic: true, MSS: 100, Policy: tt.policy}, noise(1, 1000))
				if fmt.Sprint(err) != tt.want || !errors.Is(err, ferry.ErrSilent) {
					t.Errorf("error %q, want %q", err, tt.want)
				}
				if a, b := report.Peers[0], report.Peers[1]; a.State != Dropped || a.Chunks != 4 || b.Chunks != tt.chunks {
					t.Errorf("receivers at chunks %d (%v) and %d, want 4 (dropped) and %d", a.Chunks, a.State, b.Chunks, tt.chunks)
				}
			})
		})
	}
}

func TestPolicyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := time.Now().Add(time.Hour)
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.DropIf(func(lossy.Packet) bool { return time.Now().Before(open) }))
		p.receive(Receiver{})
		data := noise(1, 1000)
		report, err := p.send(Sender{Classic: true, MSS: 100, Policy: Wait}, data)
		p.check(data)
		if err != nil || report.Elapsed < time.Hour {
			t.Errorf("after %v: %v; want no error after an hour", report.Elapsed, err)
		}
	})
}

func TestLastAcknowledgementLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.DropIf(func(p lossy.Packet) bool {
			d, err := ParsePacket(p.Payload)
			return err == nil && d.Category == CategoryAck && d.Seq == 11
		}))
		p.receive(Receiver{})
		data := noise(1, 1000)
		report, err := p.send(Sender{Classic: true, MSS: 100}, data)
		p.check(data)
		if !errors.Is(err, ferry.ErrUnconfirmed) || !strings.Contains(err.Error(), "sent, not confirmed") {
			t.Errorf("error %v, want ErrUnconfirmed", err)
		}
		if report.Chunks != 10 || report.Bytes != 1000 {
			t.Errorf("report %+v, want 10 chunks and 1000 bytes confirmed", report)
		}
	})
}

func TestSendCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(errBroken) })
		start := time.Now()
		report, err := (&Sender{Classic: true, Policy: Wait}).Send(ctx, p.sender, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3})
		if !errors.Is(err, errBroken) || time.Since(start) != 3*time.Second || report.Peers[0].Sent == 0 {
			t.Errorf("after %v: %v, %+v", time.Since(start), err, report)
		}
		// The conn is the caller's again: no deadline is left on it.
		p.receivers[0].conn.WriteTo([]byte("hello"), p.sender.LocalAddr())
		if n, _, err := p.sender.ReadFrom(make([]byte, 10)); n != 5 || err != nil {
			t.Errorf("ReadFrom afterwards: %d, %v", n, err)
		}
		p.stop()
	})
}

func TestSendOverClosedConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		time.AfterFunc(time.Second, func() { p.sender.Close() })
		_, err := (&Sender{Classic: true}).Send(t.Context(), p.sender, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3})
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed in mid-transfer: %v", err)
		}
		_, err = (&Sender{Classic: true}).Send(t.Context(), p.sender, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3})
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed before: %v", err)
		}
		p.stop()
	})
}

func TestSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		_, err := (&Sender{Classic: true, MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: &failingReader{n: 250, err: errBroken}, Size: -1})
		if !errors.Is(err, errBroken) {
			t.Errorf("Send: %v", err)
		}
		<-p.receivers[0].done // by its own timer
		if m := p.receivers[0]; !errors.Is(m.err, ferry.ErrSilent) {
			t.Errorf("Receive took a part for the whole: %v", m.err)
		}
		p.stop()
	})
}

func TestSendBadArguments(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("[::ffff:10.0.0.1]:1")
	src := ferry.Source{R: strings.NewReader("abc"), Size: 3}
	for name, err := range map[string]error{
		"no receivers":           sendErr(Sender{}, src),
		"listed twice":           sendErr(Sender{}, src, a, b),
		"no address to send to":  sendErr(Sender{}, src, netip.AddrPort{}),
		"0.0.0.0:1 is no":        sendErr(Sender{}, src, netip.MustParseAddrPort("0.0.0.0:1")),
		"10.0.0.1:0 is no":       sendErr(Sender{}, src, netip.MustParseAddrPort("10.0.0.1:0")),
		"MSS of -1":              sendErr(Sender{Classic: true, MSS: -1}, src, a),
		"MSS of 65500":           sendErr(Sender{Classic: true, MSS: MaxMSS + 1}, src, a),
		"no source":              sendErr(Sender{}, ferry.Source{}, a),
		"more than 4294967295 c": sendErr(Sender{Classic: true, MSS: 1}, ferry.Source{R: src.R, Size: 1 << 40}, a),
	} {
		if err == nil || !strings.Contains(err.Error(), name) || !strings.HasPrefix(err.Error(), "p2mp: ") {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
}

func sendErr(s Sender, src ferry.Source, to ...netip.AddrPort) error {
	conn, err := lossy.NewNetwork().NewConn(netip.AddrPort{})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = s.Send(context.Background(), conn, to, src)
	return err
}

// A decorated conn without any of the methods that a real one has.
type plainConn struct {
	net.PacketConn
	writeTo func(b []byte, to net.Addr) (int, error)
}

func (c plainConn) WriteTo(b []byte, to net.Addr) (int, error) { return c.writeTo(b, to) }

func TestUnreachableReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if to.String() == p.to[0].String() {
				return 0, &net.OpError{Op: "write", Net: "udp", Err: syscall.ENETUNREACH}
			}
			return p.sender.WriteTo(b, to)
		}}
		failures := 0
		s := Sender{Classic: true, MSS: 100, Trace: &Trace{WriteFailed: func(PacketEvent) { failures++ }}}
		_, err := s.Send(t.Context(), conn, p.to, ferry.Source{R: bytes.NewReader(noise(1, 1000)), Size: 1000})
		p.stop()
		if !errors.Is(err, ferry.ErrNoAnswer) || !errors.Is(err, syscall.ENETUNREACH) || !strings.Contains(err.Error(), "no answer in 5s (write udp: network is unreachable)") {
			t.Errorf("error %v does not say why there was no answer", err)
		}
		if failures == 0 || p.receivers[1].got.Len() != 1000 {
			t.Errorf("%d failures traced, the other receiver has %d bytes", failures, p.receivers[1].got.Len())
		}
	})
}

func TestMSSTooLongForThePath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		conn := plainConn{p.sender, func([]byte, net.Addr) (int, error) { return 0, &net.OpError{Op: "write", Err: syscall.EMSGSIZE} }}
		_, err := (&Sender{Classic: true, MSS: 9000}).Send(t.Context(), conn, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3})
		if !errors.Is(err, syscall.EMSGSIZE) || !strings.Contains(err.Error(), "MSS of 9000 bytes is too long") {
			t.Errorf("error %v", err)
		}
		p.stop()
	})
}

// TestSenderIgnoresBadPackets sends a sender packets of all kinds except the expected one.
func TestSenderIgnoresBadPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		stranger := p.listen()
		defer stranger.Close()
		bad := make(map[error]int)
		s := Sender{Classic: true, MSS: 100, Trace: &Trace{Ignored: func(e PacketEvent) { bad[e.Err]++ }}}
		peer := p.receivers[0]
		peer.start(func(ctx context.Context) error {
			write := func(b []byte) { peer.conn.WriteTo(b, p.sender.LocalAddr()) }
			marshal := func(p Packet) []byte { b, _ := p.MarshalBinary(); return b }
			ack := marshal(Packet{Seq: 1, Category: CategoryAck})
			write(nil)
			write(ack[:7])
			write([]byte{0, 0, 0, 1, 1, 2, 0xaa, 0xaa})            // wrong sum
			write([]byte{0, 0, 0, 1, 0, 0, 0x12, 0x34})            // unknown category
			write(marshal(Packet{Seq: 1, Category: CategoryData})) // what only senders send
			write(marshal(Packet{Seq: 2, Category: CategoryAck}))  // the future
			write(make([]byte, 65507))                             // oversized
			stranger.WriteTo(ack, p.sender.LocalAddr())            // foreign
			m := Receiver{}
			_, err := m.Receive(ctx, peer.conn, &peer.got)
			for range 3 {
				write(ack) // replayed, too late
			}
			return err
		})
		data := noise(1, 1000)
		report, err := p.send(s, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if report.Unexpected != 7 || report.Unsolicited != 1 {
			t.Errorf("%d bad and %d foreign packets counted, want 7 and 1", report.Unexpected, report.Unsolicited)
		}
		want := map[error]int{ferry.ErrTruncated: 2, ferry.ErrChecksum: 1, ErrCategory: 3, ErrSequence: 1, ferry.ErrUnsolicited: 1}
		for err, n := range want {
			if bad[err] != n {
				t.Errorf("%v: %d times, want %d", err, bad[err], n)
			}
		}
	})
}

// TestReplayedAcknowledgements: an ACK of an earlier chunk acknowledges nothing.
func TestReplayedAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Duplicate(1))
		p.receive(Receiver{})
		data := noise(1, 1000)
		report, err := p.send(Sender{Classic: true, MSS: 100}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if d := report.Peers[0].Duplicates; d < 10 {
			t.Errorf("%d duplicates counted, want some for each chunk", d)
		}
	})
}

func TestSendReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(10*time.Millisecond))
		p.receive(Receiver{})
		report, err := p.send(Sender{Classic: true, MSS: 100}, noise(1, 1050))
		if err != nil {
			t.Fatal(err)
		}
		peer := report.Peers[0]
		if report.Bytes != 1050 || report.Chunks != 11 || report.Unexpected != 0 || report.Unsolicited != 0 {
			t.Errorf("report %+v", report)
		}
		if peer.Addr != p.to[0] || peer.State != Complete || peer.Bytes != 1050 || peer.Chunks != 11 || peer.Sent != 11 || peer.Retransmitted != 0 || peer.Err != nil {
			t.Errorf("peer %+v", peer)
		}
		// Eleven round trips of 20 ms and what the in-memory network takes.
		if rtt := peer.RTT.Round(time.Millisecond); rtt != 20*time.Millisecond {
			t.Errorf("round trip %v, want 20ms", peer.RTT)
		}
		if d := report.Elapsed.Round(time.Millisecond); d != 220*time.Millisecond || peer.Elapsed != report.Elapsed {
			t.Errorf("took %v, the receiver %v; want 220ms", report.Elapsed, peer.Elapsed)
		}
		got := p.receivers[0].report
		if got.Bytes != 1050 || got.Chunks != 11 || got.Peers[0].State != Complete || got.Peers[0].Sent != 11 || got.Peers[0].Addr != addrOf(p.sender) {
			t.Errorf("the receiver's report: %+v", got)
		}
	})
}

// Under the policy Fail the error names the receiver that fell silent, not the first.
func TestFailNamesTheRightOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := netip.MustParseAddrPort("10.0.0.3:7735")
		p := newParty(t, 2, lossy.Delay(time.Millisecond), dropData(second, 5))
		p.receive(Receiver{})
		_, err := p.send(Sender{Classic: true, MSS: 100, Policy: Fail}, noise(1, 1000))
		var peer *PeerError
		if !errors.As(err, &peer) || peer.Addr != second || peer.Seq != 5 {
			t.Errorf("error %v", err)
		}
	})
}
