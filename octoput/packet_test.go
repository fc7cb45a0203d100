package octoput

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/checksum"
	"github.com/google/go-cmp/cmp"
)

// The sums were made by hand.
var packetVectors = []struct {
	name string
	p    Packet
	b    []byte
}{
	{
		name: "the third octoleg of a tiny octoblock",
		p:    Packet{Type: Leg, Flags: 0b00100000, Checksum: 0x9cd7, Session: 0x01020304, Block: 2, Payload: []byte("]")},
		b:    []byte{2, 0x20, 0x9c, 0xd7, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2, ']'},
	},
	{
		name: "an acknowledgement of all but the third",
		p:    Packet{Type: Ack, Flags: 0b11011111, Checksum: 0xf818, Session: 0x01020304, Block: 2, Payload: []byte{}},
		b:    []byte{3, 0xdf, 0xf8, 0x18, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2},
	},
	{
		name: "an offer",
		p:    Packet{Type: Open, Checksum: 0x368e, Session: 0x01020304, Payload: []byte{0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 'a', 'b', 'c'}},
		b:    []byte{1, 0, 0x36, 0x8e, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 'a', 'b', 'c'},
	},
	{
		name: "a question",
		p:    Packet{Type: Open, Flags: 1, Checksum: 0x3696, Session: 0x01020304, Payload: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c'}},
		b:    []byte{1, 1, 0x36, 0x96, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c'},
	},
	{
		name: "a digest",
		p:    Packet{Type: Fin, Checksum: 0xf7f6, Session: 0x01020304, Block: 3, Payload: make([]byte, 32)},
		b:    append([]byte{4, 0, 0xf7, 0xf6, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 3}, make([]byte, 32)...),
	},
	{
		name: "an end",
		p:    Packet{Type: Err, Checksum: 0xf0f7, Session: 0x01020304, Block: 2, Payload: []byte{6}},
		b:    []byte{5, 0, 0xf0, 0xf7, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2, 6},
	},
	{
		name: "the last octoblock there can be",
		p:    Packet{Type: Ack, Flags: 0b11111111, Checksum: 0xfc00, Session: 0xffffffff, Block: math.MaxUint64, Payload: []byte{}},
		b:    []byte{3, 0xff, 0xfc, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	},
}

func TestPacketVectors(t *testing.T) {
	for _, tt := range packetVectors {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.p.AppendBinary([]byte("kept"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]byte("kept"), tt.b...), b); diff != "" {
				t.Errorf("AppendBinary (-want +got):\n%s", diff)
			}
			p, err := ParsePacket(tt.b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.p, p); diff != "" {
				t.Errorf("ParsePacket (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPacketPrefixesFail(t *testing.T) {
	for _, tt := range packetVectors {
		for n := range tt.b {
			if p, err := ParsePacket(tt.b[:n]); err == nil {
				t.Errorf("%s: the first %d bytes parsed as %+v", tt.name, n, p)
			}
		}
	}
}

func TestPacketEveryFlippedBitIsNoticed(t *testing.T) {
	for _, tt := range packetVectors {
		for i := range len(tt.b) * 8 {
			b := bytes.Clone(tt.b)
			b[i/8] ^= 0x80 >> (i % 8)
			if p, err := ParsePacket(b); !errors.Is(err, ferry.ErrChecksum) {
				t.Errorf("%s: with bit %d flipped it parsed as %+v, %v", tt.name, i, p, err)
			}
		}
	}
}

// badPackets have a right checksum and are wrong all the same.
var badPackets = []struct {
	name string
	p    Packet
	want error
}{
	{"type 0", Packet{Session: 1}, ErrType},
	{"type 6", Packet{Type: 6, Session: 1}, ErrType},
	{"no session", Packet{Type: Ack, Flags: 1}, ErrSession},
	{"an octoleg without a bit", Packet{Type: Leg, Session: 1, Block: 1, Payload: []byte{0}}, ErrFlag},
	{"an octoleg with two bits", Packet{Type: Leg, Flags: 0b11000000, Session: 1, Block: 1, Payload: []byte{0}}, ErrFlag},
	{"an octoleg with all bits", Packet{Type: Leg, Flags: 0b11111111, Session: 1, Block: 1, Payload: []byte{0}}, ErrFlag},
	{"an octoleg of octoblock 0", Packet{Type: Leg, Flags: 1, Session: 1, Payload: []byte{0}}, ErrBlock},
	{"an empty octoleg", Packet{Type: Leg, Flags: 1, Session: 1, Block: 1}, ErrLength},
	{"an octoleg of 1112 bytes", Packet{Type: Leg, Flags: 1, Session: 1, Block: 1, Payload: make([]byte, 1112)}, ErrLength},
	{"an acknowledgement of nothing", Packet{Type: Ack, Session: 1, Block: 1}, ErrFlag},
	{"an acknowledgement with a payload", Packet{Type: Ack, Flags: 1, Session: 1, Block: 1, Payload: []byte{0}}, ErrLength},
	{"an OPEN with flag 2", Packet{Type: Open, Flags: 2, Session: 1, Payload: make([]byte, 12)}, ErrFlag},
	{"an OPEN of octoblock 1", Packet{Type: Open, Session: 1, Block: 1, Payload: make([]byte, 12)}, ErrBlock},
	{"an OPEN of 11 bytes", Packet{Type: Open, Session: 1, Payload: make([]byte, 11)}, ErrLength},
	{"a name of 256 bytes", Packet{Type: Open, Session: 1, Payload: make([]byte, 12+256)}, ErrLength},
	{"a size of 2^63", Packet{Type: Open, Session: 1, Payload: append([]byte{0x80}, make([]byte, 11)...)}, ErrSize},
	{"a size of 2^64-1", Packet{Type: Open, Session: 1, Payload: append(bytes.Repeat([]byte{0xff}, 8), 0, 0, 0, 0)}, ErrSize},
	{"a FIN of octoblock 0", Packet{Type: Fin, Session: 1, Payload: make([]byte, 32)}, ErrBlock},
	{"a FIN with a flag", Packet{Type: Fin, Flags: 1, Session: 1, Block: 1, Payload: make([]byte, 32)}, ErrFlag},
	{"a digest of 31 bytes", Packet{Type: Fin, Session: 1, Block: 1, Payload: make([]byte, 31)}, ErrLength},
	{"a digest of 33 bytes", Packet{Type: Fin, Session: 1, Block: 1, Payload: make([]byte, 33)}, ErrLength},
	{"an ERR without a code", Packet{Type: Err, Session: 1, Block: 1}, ErrLength},
	{"an ERR with a flag", Packet{Type: Err, Flags: 1, Session: 1, Block: 1, Payload: []byte{1}}, ErrFlag},
}

// raw encodes a packet without looking at it, with a right checksum.
func raw(p Packet) []byte {
	b := []byte{byte(p.Type), byte(p.Flags), 0, 0}
	b = binary.BigEndian.AppendUint32(b, p.Session)
	b = binary.BigEndian.AppendUint64(b, p.Block)
	b = append(b, p.Payload...)
	binary.BigEndian.PutUint16(b[2:], checksum.Sum(b))
	return b
}

func TestBadPackets(t *testing.T) {
	for _, tt := range badPackets {
		if p, err := ParsePacket(raw(tt.p)); !errors.Is(err, tt.want) {
			t.Errorf("%s: ParsePacket = %+v, %v; want %v", tt.name, p, err, tt.want)
		}
		if b, err := tt.p.AppendBinary([]byte("kept")); !errors.Is(err, tt.want) || string(b) != "kept" {
			t.Errorf("%s: AppendBinary = %q, %v; want %v", tt.name, b, err, tt.want)
		}
	}
	if _, err := ParsePacket(make([]byte, 16)); !errors.Is(err, ferry.ErrChecksum) {
		t.Errorf("zeros: %v, want %v", err, ferry.ErrChecksum)
	}
	if _, err := ParsePacket(nil); !errors.Is(err, ferry.ErrTruncated) {
		t.Errorf("nothing: %v, want %v", err, ferry.ErrTruncated)
	}
}

func TestUnmarshalCopies(t *testing.T) {
	b := bytes.Clone(packetVectors[0].b)
	var p Packet
	if err := p.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if string(p.Payload) != "]" {
		t.Errorf("payload %q changed with the buffer", p.Payload)
	}
	if err := p.UnmarshalBinary(b); err == nil || string(p.Payload) != "]" {
		t.Errorf("a failed UnmarshalBinary: %v, %+v", err, p)
	}
}

func TestOpening(t *testing.T) {
	for _, o := range []Opening{{}, {Size: math.MaxInt64, Answers: 7, Name: "a name"}, {Size: 1, Name: string(make([]byte, MaxName))}} {
		b, err := o.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseOpening(b); err != nil || got != o {
			t.Errorf("%+v became %+v, %v", o, got, err)
		}
	}
	for _, o := range []Opening{{Size: -1}, {Name: string(make([]byte, MaxName+1))}} {
		if b, err := o.MarshalBinary(); err == nil {
			t.Errorf("%+v became %x", o, b)
		}
	}
	if _, err := ParseOpening(make([]byte, 11)); !errors.Is(err, ErrLength) {
		t.Errorf("11 bytes: %v", err)
	}
	if _, err := ParseOpening(bytes.Repeat([]byte{0xff}, 12)); !errors.Is(err, ErrSize) {
		t.Errorf("all ones: %v", err)
	}
}

func TestTypeString(t *testing.T) {
	for typ, want := range map[Type]string{Open: "OPEN", Leg: "LEG", Ack: "ACK", Fin: "FIN", Err: "ERR", 9: "type 9"} {
		if got := typ.String(); got != want {
			t.Errorf("Type(%d) = %q, want %q", uint8(typ), got, want)
		}
	}
}
