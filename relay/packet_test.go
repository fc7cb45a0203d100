package relay

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ferrygo/ferry"
	"github.com/google/go-cmp/cmp"
)

var packetVectors = []struct {
	name   string
	packet Packet
	bytes  string
}{
	{"message", Packet{Say, 0x0102030405060708, 9, []byte("hi")}, "FC\x01\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x09hi"},
	{"empty message", Packet{Say, 1, 1, []byte{}}, "FC\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01"},
	{"acknowledgement", Packet{Ack, 1<<64 - 1, 1<<32 - 1, []byte{}}, "FC\x02\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
	{"longest", Packet{Say, 1, 1, bytes.Repeat([]byte("x"), MaxText)}, "FC\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01" + strings.Repeat("x", MaxText)},
}

func TestPacketVectors(t *testing.T) {
	for _, tt := range packetVectors {
		got, err := tt.packet.AppendBinary([]byte("before"))
		if err != nil || string(got) != "before"+tt.bytes {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.bytes)
		}
		var p Packet
		if err := p.UnmarshalBinary([]byte(tt.bytes)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.packet, p); diff != "" && len(p.Text) > 0 {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
		for n := range headerLen {
			if _, err := ParsePacket([]byte(tt.bytes[:n])); !errors.Is(err, ferry.ErrTruncated) {
				t.Errorf("%s: the first %d bytes: %v, want ErrTruncated", tt.name, n, err)
			}
		}
	}
	if len(packetVectors[3].bytes) != 1200 {
		t.Errorf("the longest packet has %d bytes, want 1200", len(packetVectors[3].bytes))
	}
}

func TestParsePacketErrors(t *testing.T) {
	for _, tt := range []struct {
		at    int
		value byte
		want  error
	}{
		{0, 'G', ErrMagic},
		{1, 'G', ErrMagic},
		{2, 0, ErrKind},
		{2, 3, ErrKind},
		{2, 2, ErrLength}, // an acknowledgement with a text
		{3, 1, ErrMagic},
		{15, 0, ErrNumber},
	} {
		b := []byte(packetVectors[0].bytes)
		b[tt.at] = tt.value
		if _, err := ParsePacket(b); !errors.Is(err, tt.want) {
			t.Errorf("byte %d = %d: %v, want %v", tt.at, tt.value, err, tt.want)
		}
	}
	if _, err := ParsePacket([]byte(packetVectors[3].bytes + "x")); !errors.Is(err, ErrLength) {
		t.Errorf("one byte too many: %v, want ErrLength", err)
	}
	for _, p := range []Packet{{}, {Kind: Say}, {Kind: Ack, Number: 1, Text: []byte("x")}, {Kind: Say, Number: 1, Text: make([]byte, MaxText+1)}} {
		if b, err := p.MarshalBinary(); err == nil {
			t.Errorf("%+v became %q", p, b)
		}
	}
}

func FuzzParsePacket(f *testing.F) {
	for _, tt := range packetVectors {
		f.Add([]byte(tt.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		again, err := p.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q became %q, %v", b, again, err)
		}
	})
}
