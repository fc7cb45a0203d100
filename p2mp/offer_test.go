package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
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

// Answers to a HELLO that cannot be true.
func TestJoined(t *testing.T) {
	src := ferry.Source{R: bytes.NewReader(make([]byte, 1000)), Size: 1000}
	for _, s := range []status{
		{cum: 5, space: 10},            // no digest was told
		{cum: 0, space: 0},             //
		{number: 3, cum: 0, space: 10}, //
	} {
		v, err := (&Sender{MSS: 100}).newSending([]netip.AddrPort{firstReceiver}, src)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.reported(time.Now(), 0, &s); !errors.Is(err, ErrSequence) || v.peers[0].stage != joining {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestRefusedOffers: each is refused with a reason that the sender is told, and none
// leaves a file.
func TestRefusedOffers(t *testing.T) {
	group := func(s string) func(*hello) {
		return func(h *hello) { h.group = netip.MustParseAddrPort(s) }
	}
	name := func(s string) func(*hello) {
		return func(h *hello) { h.name = s }
	}
	for _, tt := range []struct {
		name   string
		change func(*hello)
		want   Reason
	}{
		{"leaves the directory", name("../x"), ReasonName},
		{"absolute", name("/etc/passwd"), ReasonName},
		{"of Windows, absolute", name(`C:\x`), ReasonName},
		{"no name", name(""), ReasonName},
		{"a device of Windows", name("CON"), ReasonName},
		{"hidden", name(".profile"), ReasonName},
		{"too long", name(strings.Repeat("x", 256)), ReasonName},
		{"taken", name("taken"), ReasonExists},
		{"a directory's", name("folder"), ReasonExists},
		{"10^18 bytes", func(h *hello) { h.size = 1e18 }, ReasonTooLarge},
		{"more than the handler takes", func(h *hello) { h.size = 1001 }, ReasonTooLarge},
		{"a later version", func(h *hello) { h.version = 2 }, ReasonVersion},
		{"an unknown capability", func(h *hello) { h.needs = 1 }, ReasonUnsupported},
		{"parity", func(h *hello) { h.fec = 16 }, ReasonUnsupported},
		{"another digest", func(h *hello) { h.kind = 2 }, ReasonUnsupported},
		{"an MSS of 0", func(h *hello) { h.mss = 0 }, ReasonMalformed},
		{"an MSS of 65535", func(h *hello) { h.mss = 65535 }, ReasonUnsupported},
		{"no session", func(h *hello) { h.session = 0 }, ReasonMalformed},
		{"a group that is none", group("10.1.2.3:7735"), ReasonGroup},
		{"a group without a port", group("239.1.2.3:0"), ReasonGroup},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := openRoot(t)
			if err := errors.Join(os.WriteFile(filepath.Join(dir, "taken"), nil, 0o600), os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1)
				p.serve(Receiver{}, &ferry.Dir{Root: root, MaxSize: 1000, PortableNames: true})
				h := offerOf("f", 10)
				tt.change(&h)
				for range 2 { // and again, when the answer was lost
					p.postTo(CategoryHello, &h)
					if got, want := p.answer(), "ABORT: "+tt.want.String(); got != want {
						t.Errorf("%s, want %s", got, want)
					}
				}
				p.stop()
				if got := names(t, dir); len(got) != 2 {
					t.Errorf("files %q", got)
				}
			})
		})
	}
}

// The sender reports the reason, once, and goes on with the others.
func TestSenderReportsRefusal(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receivers[0].start(func(ctx context.Context) error {
			return (&Receiver{}).Serve(ctx, p.receivers[0].conn, &ferry.Dir{Root: root})
		})
		m := p.receivers[1]
		m.start(func(ctx context.Context) error {
			_, err := (&Receiver{}).Receive(ctx, m.conn, &m.got)
			return err
		})
		data := noise(1, 1000)
		_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: 1000, Name: "../x"})
		p.stop()
		if got, want := fmt.Sprint(err), "p2mp: 1 of 2 receivers have the whole file; 10.0.0.2:7735: refused the name"; got != want || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("error %q, want %q", got, want)
		}
		if !bytes.Equal(m.got.Bytes(), data) || len(names(t, dir)) != 0 {
			t.Errorf("%d bytes at the other receiver, files %q", m.got.Len(), names(t, dir))
		}
	})
}

// A receiver that answers a HELLO with ACK 0 is served as classic at once.
func TestAckOfHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		m := p.receivers[0]
		inner := m.conn
		m.forgetExtended()
		classic := m.conn
		m.start(func(ctx context.Context) error {
			b := make([]byte, 2000)
			n, from, err := inner.ReadFrom(b)
			if q, e := ParsePacket(b[:n]); err != nil || e != nil || q.Category != CategoryHello {
				t.Errorf("%v, %v, %v", q.Category, err, e)
			}
			ack, _ := Packet{Category: CategoryAck}.MarshalBinary()
			inner.WriteTo(ack, from)
			_, err = (&Receiver{}).Receive(ctx, classic, &m.got)
			return err
		})
		data := noise(1, 1000)
		report, err := p.send(Sender{MSS: 100}, data)
		p.check(data)
		if err != nil || report.Peers[0].Extended || report.Elapsed > time.Second {
			t.Errorf("%v, extended %v, after %v", err, report.Peers[0].Extended, report.Elapsed)
		}
	})
}

// However little time there is for joining, half of it is for the classic mode.
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

// An offer that is refused without asking anybody does not end Receive.
func TestFaultyOfferEndsReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		stranger := p.listen()
		defer stranger.Close()
		h := offerOf("f", 10)
		h.version = 2
		stranger.WriteTo(appendMessage(nil, CategoryHello, &h), p.at())
		pause(time.Second)
		select {
		case <-p.receivers[0].done:
			t.Errorf("Receive returned: %v", p.receivers[0].err)
		default:
		}
		p.stop()
	})
}

// If the answer to a HELLO is lost and the sender tries the classic mode, the receiver
// repeats the answer. This also holds for the sender's second file.
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
			p.sender.WriteTo(b, p.at())
			p.postTo(CategoryFin, &fin{session: h.session, number: 1, size: 50, digest: sha256.Sum256(make([]byte, 50))})
			p.answer()
			p.answer()
		}
		p.stop()
	})
}

// A window below zero is the default.
func TestNegativeWindow(t *testing.T) {
	defer func() {
		if e := recover(); e != nil {
			t.Error(e)
		}
	}()
	v, in := served(t, Receiver{Window: -1}, &shelf{t: t})
	h := offerOf("f", -1)
	if got := fmt.Sprint(in(CategoryHello, &h)); got != "[REPORT]" || v.active[0].chunks.(*reassembly).window == 0 {
		t.Errorf("a HELLO drew %s", got)
	}
}

// A session whose sum is zero would make its chunks those of the classic mode.
func TestZeroSumSession(t *testing.T) {
	h := offerOf("f", 10)
	h.session = 0xffff
	if h.fault() == 0 {
		t.Error("a session that changes no sum is taken")
	}
}
