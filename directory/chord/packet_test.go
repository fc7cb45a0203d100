package chord

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var packets = map[string]Packet{
	"neighbours": {Kind: Neighbours, Nonce: 1},
	"find":       {Kind: Find, Nonce: 1<<64 - 1, Key: HashName("new.txt")},
	"put":        {Kind: Put, Nonce: 3, Key: HashName("x"), Token: 5, Port: 8080},
	"remove":     {Kind: Put, Nonce: 3, Remove: true, Token: 5, Port: 8080},
	"notify":     {Kind: Notify, Token: 9},
	"found": {Kind: FindAnswer, Done: true, Nonce: 4, Token: 7, Addrs: []netip.AddrPort{
		netip.MustParseAddrPort("10.0.0.1:7777"), netip.MustParseAddrPort("[2001:db8::1]:1"),
	}},
	"neighbours answer": {Kind: NeighboursAnswer, Nonce: 4, Pred: netip.MustParseAddrPort("10.0.0.9:7777")},
	"nobody":            {Kind: GetAnswer, Nonce: 2},
}

func TestPackets(t *testing.T) {
	for name, p := range packets {
		b, err := p.MarshalBinary()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := ParsePacket(b)
		if diff := cmp.Diff(p, got, cmpopts.EquateComparable(netip.AddrPort{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		for i := range b {
			if _, err := ParsePacket(b[:i]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut to %d bytes: %v", name, i, err)
			}
		}
		if _, err := ParsePacket(append(b, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s and a byte: %v", name, err)
		}
	}
}

func TestPacketLayout(t *testing.T) {
	b, _ := Packet{Kind: Put, Nonce: 0x0102, Key: ID{19: 0xAB}, Token: 0x0304, Port: 80}.MarshalBinary()
	want := append([]byte{0xC4, 1, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2}, make([]byte, 19)...)
	want = append(want, 0xAB, 0, 0, 0, 0, 0, 0, 3, 4, 0, 80)
	if !bytes.Equal(b, want) {
		t.Errorf("PUT is % x, want % x", b, want)
	}
}

// TestAnswerLength: no answer is longer than three times its request (RFC 9000, section 8.1).
func TestAnswerLength(t *testing.T) {
	p := Packet{Kind: FindAnswer, Pred: host(1)}
	for range maxAddrs {
		p.Addrs = append(p.Addrs, host(2))
	}
	b, err := p.MarshalBinary()
	if err != nil || len(b) > 3*requestSize {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if need := 16 + alternatives; maxAddrs < need {
		t.Errorf("an answer holds %d addresses, and a list of 16 with the alternatives needs %d", maxAddrs, need)
	}
	p.Addrs = append(p.Addrs, host(3))
	if _, err := p.MarshalBinary(); !errors.Is(err, ErrMalformed) {
		t.Errorf("a longer one: %v", err)
	}
}

func FuzzPacket(f *testing.F) {
	for _, p := range packets {
		b, _ := p.MarshalBinary()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		again, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParsePacket(again)
		if diff := cmp.Diff(p, q, cmpopts.EquateComparable(netip.AddrPort{})); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}
