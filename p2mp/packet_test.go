package p2mp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ferrygo/ferry"
	"github.com/google/go-cmp/cmp"
)

// The sums were made by hand from the P2MP-FTP report, "Message Format", point 2.
var packetVectors = []struct {
	name string
	p    Packet
	b    []byte
}{
	{
		name: "data",
		p:    Packet{Seq: 1, Checksum: 0x4947, Category: CategoryData, Payload: []byte("ab")},
		b:    []byte{0, 0, 0, 1, 0x49, 0x47, 0x55, 0x55, 'a', 'b'},
	},
	{
		name: "odd payload, padded with zero for the sum",
		p:    Packet{Seq: 1, Checksum: 0x49a9, Category: CategoryData, Payload: []byte("a")},
		b:    []byte{0, 0, 0, 1, 0x49, 0xa9, 0x55, 0x55, 'a'},
	},
	{
		name: "acknowledgement",
		p:    Packet{Seq: 1, Checksum: 0x5554, Category: CategoryAck, Payload: []byte{}},
		b:    []byte{0, 0, 0, 1, 0x55, 0x54, 0xaa, 0xaa},
	},
	{
		name: "empty chunk with the last number",
		p:    Packet{Seq: 0xffffffff, Checksum: 0xaaaa, Category: CategoryData, Payload: []byte{}},
		b:    []byte{0xff, 0xff, 0xff, 0xff, 0xaa, 0xaa, 0x55, 0x55},
	},
	{
		name: "a sum of all ones, whose complement is zero",
		p:    Packet{Seq: 0xaaaa, Category: CategoryData, Payload: []byte{}},
		b:    []byte{0, 0, 0xaa, 0xaa, 0, 0, 0x55, 0x55},
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
	whole := packetVectors[0].b
	for n := range whole {
		if p, err := ParsePacket(whole[:n]); err == nil {
			t.Errorf("the first %d bytes parsed as %+v", n, p)
		}
	}
}

func TestPacketEveryFlippedBitIsNoticed(t *testing.T) {
	for _, tt := range packetVectors {
		for i := range len(tt.b) * 8 {
			b := bytes.Clone(tt.b)
			b[i/8] ^= 0x80 >> (i % 8)
			if p, err := ParsePacket(b); err == nil {
				t.Errorf("%s: with bit %d flipped it parsed as %+v", tt.name, i, p)
			}
		}
	}
}

func TestParsePacketErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ferry.ErrTruncated},
		{"seven bytes", make([]byte, 7), ferry.ErrTruncated},
		{"all zero", make([]byte, 8), ErrCategory},
		{"data with a sum of zero", []byte{0, 0, 0, 1, 0, 0, 0x55, 0x55}, ferry.ErrChecksum},
		{"acknowledgement with a sum of one", []byte{0, 0, 0, 1, 0, 1, 0xaa, 0xaa}, ferry.ErrChecksum},
		{"data number 0", []byte{0, 0, 0, 0, 0xaa, 0xaa, 0x55, 0x55}, ErrSequence},
		{"a numbered HELLO", []byte{0, 0, 0, 1, 0xa5, 0x59, 0x5a, 0xa5}, ErrSequence},
		{"unknown category", []byte{0, 0, 0, 1, 0xa5, 0x58, 0x5a, 0xa6}, ErrCategory},
	} {
		if p, err := ParsePacket(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: ParsePacket = %+v, %v; want %v", tt.name, p, err, tt.want)
		}
	}
}

// Other implementations of the report leave an acknowledgement's sum zero.
func TestAckWithoutSum(t *testing.T) {
	p, err := ParsePacket([]byte{0, 0, 0, 7, 0, 0, 0xaa, 0xaa})
	if want := (Packet{Seq: 7, Category: CategoryAck, Payload: []byte{}}); err != nil || !cmp.Equal(p, want) {
		t.Errorf("ParsePacket = %+v, %v; want %+v", p, err, want)
	}
}

func TestAppendPacketErrors(t *testing.T) {
	if b, err := (Packet{Seq: 1, Category: CategoryData, Payload: make([]byte, MaxMSS)}).MarshalBinary(); err != nil || len(b) != 65507 {
		t.Errorf("payload of MaxMSS: %d bytes, %v; want 65507", len(b), err)
	}
	if _, err := (Packet{Seq: 1, Category: CategoryData, Payload: make([]byte, MaxMSS+1)}).MarshalBinary(); err == nil {
		t.Error("payload of MaxMSS+1: no error")
	}
	if _, err := (Packet{Category: CategoryData}).MarshalBinary(); err == nil {
		t.Error("sequence number 0: no error")
	}
}

func TestUnmarshalCopies(t *testing.T) {
	b := bytes.Clone(packetVectors[0].b)
	var p Packet
	if err := p.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if string(p.Payload) != "ab" {
		t.Errorf("payload %q changed with the buffer", p.Payload)
	}
	if err := p.UnmarshalBinary(b); err == nil || string(p.Payload) != "ab" {
		t.Errorf("a failed UnmarshalBinary: %v, %+v", err, p)
	}
}

func TestCategoryString(t *testing.T) {
	for c, want := range map[Category]string{CategoryData: "DATA", CategoryAck: "ACK", CategoryHello: "HELLO", 3: "0x0003"} {
		if got := c.String(); !strings.Contains(got, want) {
			t.Errorf("Category(%d) = %q, want %q in it", uint16(c), got, want)
		}
	}
}
