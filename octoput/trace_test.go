package octoput

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestPrintTrace is the sequence diagram of doc.go, as both sides print it.
func TestPrintTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lostLegs, lostAcks := 0, 0
		p := newPair(t, lossy.Delay(5*time.Millisecond), lossy.DropIf(func(lp lossy.Packet) bool {
			q, err := ParsePacket(lp.Payload)
			switch {
			case err != nil:
				return false
			case q.Type == Leg && q.Flags == 0b00000010:
				lostLegs++
				return lostLegs == 1 || lostLegs == 4
			case q.Type == Ack && q.Block == 1 && q.Flags == AllLegs:
				lostAcks++
				return lostAcks <= 2
			}
			return false
		}))
		var sender, receiver bytes.Buffer
		p.receive(Receiver{Trace: PrintTrace(&receiver)})
		if _, err := p.send(Sender{Trace: PrintTrace(&sender)}, []byte("octopus!")); err != nil {
			t.Fatal(err)
		}
		p.wait()
		p.check([]byte("octopus!"))
		for _, side := range []struct {
			name, got, want string
		}{
			{"sender", sender.String(), `sent OPEN 0 00000000, held 00000000
received ACK 0 11111111, held 00000000
sent LEG 1 10000000, held 00000000
sent LEG 1 01000000, held 00000000
sent LEG 1 00100000, held 00000000
sent LEG 1 00010000, held 00000000
sent LEG 1 00001000, held 00000000
sent LEG 1 00000100, held 00000000
sent LEG 1 00000010, held 00000000
sent LEG 1 00000001, held 00000000
received ACK 1 11111101, held 00000000 -> 11111101
sent LEG 1 00000010 again, held 11111101
received ACK 1 11111101 again, held 11111101
timeout at LEG 1, held 11111101
sent LEG 1 00000010 again, held 11111101
sent LEG 1 00000010 again, held 11111101
received ACK 1 11111111, held 11111101 -> 11111111
sent FIN 2 00000000, held 00000000
received ACK 1 11111111 again, held 00000000
received ACK 2 11111111, held 00000000
`},
			{"receiver", receiver.String(), `received OPEN 0 00000000, held 00000000
sent ACK 0 11111111, held 00000000
received LEG 1 10000000, held 00000000 -> 10000000
received LEG 1 01000000, held 10000000 -> 11000000
received LEG 1 00100000, held 11000000 -> 11100000
received LEG 1 00010000, held 11100000 -> 11110000
received LEG 1 00001000, held 11110000 -> 11111000
received LEG 1 00000100, held 11111000 -> 11111100
received LEG 1 00000001, held 11111100 -> 11111101
sent ACK 1 11111101, held 11111101
sent ACK 1 11111101 again, held 11111101
received LEG 1 00000010, held 11111101 -> 11111111
sent ACK 1 11111111, held 11111111
sent ACK 1 11111111 again, held 11111111
received LEG 1 00000010 again, held 00000000
sent ACK 1 11111111 again, held 00000000
sent ACK 1 11111111 again, held 00000000
received FIN 2 00000000, held 00000000
sent ACK 2 11111111, held 00000000
sent ACK 2 11111111 again, held 00000000
`},
		} {
			if side.got != side.want {
				t.Errorf("the %s printed\n%s", side.name, side.got)
			}
		}
	})
}

func TestPrintTraceTheRest(t *testing.T) {
	var b bytes.Buffer
	trace := PrintTrace(&b)
	leg := raw(Packet{Type: Leg, Flags: 0b00100000, Session: 1, Block: 7, Payload: []byte{0}})
	trace.Lost(netip.AddrPort{}, leg)
	trace.Lost(netip.AddrPort{}, leg[:5])
	(*Trace)(nil).Lost(netip.AddrPort{}, leg)
	(&Trace{}).Lost(netip.AddrPort{}, leg)
	at := netip.MustParseAddrPort("10.0.0.2:8888")
	trace.WriteFailed(PacketEvent{Addr: at, Err: errBroken})
	trace.Ignored(PacketEvent{Addr: at, Err: ErrLength})
	if got, want := b.String(), `dropped LEG 7 00100000
not sent to 10.0.0.2:8888: broken
ignored, from 10.0.0.2:8888: octoput: wrong length
`; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// LogTrace sets every hook, and logs the address and the octoleg.
func TestLogTrace(t *testing.T) {
	var b bytes.Buffer
	trace := LogTrace(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: LevelPacket})))
	for i := range reflect.ValueOf(trace).Elem().NumField() {
		if reflect.ValueOf(trace).Elem().Field(i).IsNil() {
			t.Errorf("%s is not set", reflect.TypeFor[Trace]().Field(i).Name)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond), lossy.DropNth(8))
		p.start(func(ctx context.Context) error {
			_, err := (&Receiver{Trace: trace}).Receive(ctx, p.receiver, &p.got)
			return err
		})
		if _, err := p.send(Sender{Trace: trace}, noise(1, 80)); err != nil {
			t.Error(err)
		}
		p.wait()
	})
	trace.Lost(netip.MustParseAddrPort("10.0.0.9:1"), raw(Packet{Type: Ack, Flags: 1, Session: 1, Block: 7}))
	trace.WriteFailed(PacketEvent{Err: errBroken})
	trace.Ignored(PacketEvent{Err: ErrFlag})
	for _, want := range []string{
		`level=INFO msg="transfer began" peer=10.0.0.1:8888 name=f size=80`,
		`type=LEG block=1 flags=00000010 before=00000000 after=00000000 again=false rtt=0s`,
		`type=ACK block=1 flags=11111101 before=00000000 after=11111101 again=false rtt=2ms`,
		`type=LEG block=1 flags=00000010 before=11111101 after=11111111 again=false`,
		`level=DEBUG msg="packet dropped" peer=10.0.0.9:1 session=1 type=ACK block=7 flags=00000001`,
		`level=DEBUG msg="write failed"`,
		`level=DEBUG msg="packet ignored"`,
		`msg="transfer ended" peer=10.0.0.1:8888 name=f bytes=80 err=<nil>`,
		`msg="transfer ended" peer=10.0.0.2:8888 name=f bytes=80 err=<nil>`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("not logged: %s", want)
		}
	}
}
