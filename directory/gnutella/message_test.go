package gnutella

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var at = netip.MustParseAddrPort("10.1.2.3:6346")

var vectors = map[string]struct {
	m Message
	b []byte // behind the GUID
}{
	"ping":  {Message{Type: Ping, TTL: 7}, []byte{0x00, 7, 0, 0, 0, 0, 0}},
	"pong":  {Message{Type: Pong, TTL: 3, Hops: 1, Addr: at, Files: 5, Kilobytes: 0x0102}, []byte{0x01, 3, 1, 14, 0, 0, 0, 0xCA, 0x18, 10, 1, 2, 3, 5, 0, 0, 0, 2, 1, 0, 0}},
	"query": {Message{Type: Query, TTL: 7, Speed: 56, Text: "new.txt"}, append([]byte{0x80, 7, 0, 10, 0, 0, 0, 56, 0}, "new.txt\x00"...)},
	"hit": {Message{Type: QueryHit, TTL: 2, Addr: at, Speed: 1, Results: []Result{{2, 300, "a"}, {3, 4, "bc"}}, Servent: GUID{15: 9}}, append(append(append(append(
		[]byte{0x81, 2, 0, 11 + 11 + 12 + 16, 0, 0, 0, 2, 0xCA, 0x18, 10, 1, 2, 3, 1, 0, 0, 0},
		[]byte{2, 0, 0, 0, 0x2C, 1, 0, 0, 'a', 0, 0}...), []byte{3, 0, 0, 0, 4, 0, 0, 0, 'b', 'c', 0, 0}...), make([]byte, 15)...), 9)},
	"push": {Message{Type: Push, TTL: 7, Servent: GUID{1}, Index: 7, Addr: at}, append(append([]byte{0x40, 7, 0, 26, 0, 0, 0, 1}, make([]byte, 15)...), 7, 0, 0, 0, 10, 1, 2, 3, 0xCA, 0x18)},
}

var addrs = cmpopts.EquateComparable(netip.AddrPort{})

func parse(b []byte) (Message, error) {
	m, n, err := ParseHeader(b)
	if err != nil {
		return m, err
	}
	if len(b) != HeaderSize+n {
		return m, ErrMalformed
	}
	return m, m.ParsePayload(b[HeaderSize:])
}

func TestMessages(t *testing.T) {
	for name, v := range vectors {
		v.m.ID = GUID{1, 2, 3}
		want := append(v.m.ID[:], v.b...)
		got, err := v.m.AppendBinary(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: % x, %v\nwant % x", name, got, err, want)
		}
		m, err := parse(want)
		if diff := cmp.Diff(v.m, m, addrs); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		for i := range want {
			if _, err := parse(want[:i]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut to %d bytes: %v", name, i, err)
			}
		}
	}
}

func TestMessageErrors(t *testing.T) {
	six := netip.MustParseAddrPort("[2001:db8::1]:1")
	for name, m := range map[string]Message{
		"IPv6":     {Type: Pong, Addr: six},
		"NUL":      {Type: Query, Text: "a\x00b"},
		"too long": {Type: Query, Text: string(bytes.Repeat([]byte("x"), MaxPayload))},
		"type":     {Type: 0x33},
		"results":  {Type: QueryHit, Addr: at, Results: make([]Result, 256)},
	} {
		if b, err := m.AppendBinary([]byte("before")); !errors.Is(err, ErrMalformed) || string(b) != "before" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, v := range vectors {
		f.Add(append(make([]byte, 16), v.b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		again, err := m.AppendBinary(nil)
		if err != nil {
			return // a type that is not known
		}
		n, err := parse(again)
		if diff := cmp.Diff(m, n, addrs); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}
