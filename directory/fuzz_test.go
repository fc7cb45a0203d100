package directory

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseMessage: what parses, encodes to something that parses to the same.
func FuzzParseMessage(f *testing.F) {
	for _, v := range messageVectors {
		f.Add([]byte(v.b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		again, err := m.MarshalBinary()
		if err != nil {
			t.Fatalf("%q is %+v, which does not encode: %v", b, m, err)
		}
		if !bytes.Contains(b, []byte{'%'}) && !bytes.Equal(again, b) {
			t.Fatalf("%q became %q", b, again)
		}
		got, err := ParseMessage(again)
		if diff := cmp.Diff(m, got); err != nil || diff != "" {
			t.Fatalf("%q: %v (-want +got)\n%s", again, err, diff)
		}
	})
}

// FuzzDispatcher: whatever comes from whomever, a directory keeps within its bounds, and
// never answers what only it sends.
func FuzzDispatcher(f *testing.F) {
	f.Add([]byte("1 10.0.0.2 80 a  1 1\n2 a  1 1\n6 x  2 1\n4  1 1"), byte(1))
	f.Add([]byte("1 10.0.0.2 80 a  1 3\n1 b  2 3\n1 b  2 3\n1 c  3 3\n3 10.0.0.2 80  1 1"), byte(9))
	// No peer has it; each sixth line is from the same address.
	more := strings.Repeat("x", 950) + " " + strings.Repeat("y", 950)
	long := []string{"2 nobody  1 9"}
	for i := 2; i < 9; i++ {
		long = append(long, fmt.Sprintf("2 %s  %d 9", more, i))
	}
	f.Add([]byte(strings.Join(append(long, "2  9 9"), "\n\n\n\n\n\n")), byte(1))
	f.Fuzz(func(t *testing.T, script []byte, step byte) {
		d := (&Server{MaxPeers: 3, MaxFiles: 3, MaxSessions: 3, MaxRequest: 20_000}).newDispatcher(hall)
		now := epoch
		for i, b := range bytes.Split(script, []byte{'\n'}) {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i%2)}), uint16(1+i%3))
			d.begin()
			d.arrived(now, from, b)
			p, err := parsePacket(b)
			if (err != nil || p.isAck() && len(d.sessions) == 0 || !p.isAck() && !p.typ.isRequest()) && len(d.out) > 0 {
				t.Fatalf("%q was answered with %q", b, d.out[0].Data)
			}
			for _, out := range d.out {
				if _, err := parsePacket(out.Data); err != nil || len(out.Data) > len(b)+MaxDatagram {
					t.Fatalf("%q was answered with %q", b, out.Data)
				}
			}
			if len(d.registry.peers) > 3 || d.registry.entries > 9 || len(d.sessions) > 3 || len(d.wakes) != len(d.sessions) {
				t.Fatal("out of bounds")
			}
			now = now.Add(time.Duration(step) * 10 * time.Millisecond)
			d.begin()
			d.tick(now)
		}
	})
}

// FuzzExchange: whatever a directory sends, a request ends, and answers no request.
func FuzzExchange(f *testing.F) {
	f.Add([]byte("2 a  2 1\n6 t  1 2\n6 t a 10.0.0.2 80  2 2"))
	f.Add([]byte("9 t  1 2\n9 t 404 2 a  2 2"))
	f.Add([]byte("6  1 2\n6 - a 10.0.0.2 x  2 2\n4  1 1"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var tm timer
		now := epoch
		x := newExchange(now, Lookup, "a", []byte("a "), &tm, time.Second)
		for b := range bytes.SplitSeq(script, []byte{'\n'}) {
			x.step(now, nil)
			ack, err := x.arrived(now, b, nil)
			p, parseErr := parsePacket(b)
			if len(ack) > 0 && (parseErr != nil || p.isAck() || !p.typ.isAnswer()) || err == nil && parseErr != nil {
				t.Fatalf("%q was answered with %q, %v", b, ack, err)
			}
			if x.done && x.err == nil {
				if _, err := parseFound(x.answer[1:]); err == nil && x.answer[0] != "a" {
					t.Fatalf("took %q", x.answer)
				}
				return
			}
			now = now.Add(10 * time.Millisecond)
		}
		if x.step(now.Add(time.Hour), nil); !x.done {
			t.Fatal("goes on for ever")
		}
	})
}
