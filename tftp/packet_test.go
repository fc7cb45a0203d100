package tftp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/google/go-cmp/cmp"
)

// packetVectors are packets and their bytes, as the figures of RFC 1350 (5-1 to 5-4),
// RFC 2347 and RFC 7440 have them.
var packetVectors = []struct {
	name string
	p    Packet
	b    string
}{
	{"RRQ", Packet{Op: RRQ, Name: "words.txt", Mode: "octet"}, "\x00\x01words.txt\x00octet\x00"},
	{"WRQ", Packet{Op: WRQ, Name: "a", Mode: "netascii"}, "\x00\x02a\x00netascii\x00"},
	{
		"RRQ with options",
		Packet{Op: RRQ, Name: "f", Mode: "octet", Options: []Option{{"blksize", "1428"}, {"windowsize", "16"}}},
		"\x00\x01f\x00octet\x00blksize\x001428\x00windowsize\x0016\x00",
	},
	{"DATA", Packet{Op: DATA, Block: 0x102, Payload: []byte("ab")}, "\x00\x03\x01\x02ab"},
	{"DATA, empty", Packet{Op: DATA, Block: 65535, Payload: []byte{}}, "\x00\x03\xff\xff"},
	{"ACK", Packet{Op: ACK, Block: 7}, "\x00\x04\x00\x07"},
	{"DATA, four bytes", Packet{Op: DATA, Wide: true, Block: 0x1020304, Payload: []byte("a")}, "\x00\x03\x01\x02\x03\x04a"},
	{"ACK, four bytes", Packet{Op: ACK, Wide: true, Block: 45}, "\x00\x04\x00\x00\x00\x2d"},
	{"ERROR", Packet{Op: ERROR, Code: CodeNotFound, Message: "no"}, "\x00\x05\x00\x01no\x00"},
	{"OACK", Packet{Op: OACK, Options: []Option{{"tsize", "0"}}}, "\x00\x06tsize\x000\x00"},
}

func TestPacketVectors(t *testing.T) {
	for _, v := range packetVectors {
		b, err := v.p.MarshalBinary()
		if err != nil || string(b) != v.b {
			t.Errorf("%s: encoded %q, %v", v.name, b, err)
		}
		p, err := ParsePacket([]byte(v.b), v.p.Wide)
		if diff := cmp.Diff(v.p, p); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", v.name, err, diff)
		}
	}
}

func TestPacketsThatCannotBeEncoded(t *testing.T) {
	for _, p := range []Packet{
		{},
		{Op: 7},
		{Op: DATA, Block: 65536},
		{Op: ACK, Payload: []byte("x")},
		{Op: RRQ, Name: "a\x00b", Mode: "octet"},
		{Op: OACK, Options: []Option{{"", "1"}}},
		{Op: ERROR, Message: "a\x00"},
	} {
		if b, err := p.MarshalBinary(); err == nil {
			t.Errorf("%+v became %q", p, b)
		}
	}
}

// TestPaddedACK: some send each packet from one long buffer.
func TestPaddedACK(t *testing.T) {
	for n := range 30 {
		b := append([]byte{0, 4, 0, 7}, make([]byte, n)...)
		p, err := ParsePacket(b, false)
		if n == 2 { // that is how one of the other width looks
			if !errors.Is(err, ErrLength) {
				t.Errorf("six bytes: %v", err)
			}
		} else if err != nil || p.Op != ACK || p.Block != 7 || p.Payload != nil {
			t.Errorf("%d bytes: %+v, %v", len(b), p, err)
		}
		if _, err := ParsePacket(append(b, 1), false); !errors.Is(err, ErrLength) {
			t.Errorf("%d bytes, the last of them 1: %v", len(b)+1, err)
		}
		if _, err := ParsePacket(append([]byte{0, 4, 0, 0, 0, 7, 0}, make([]byte, n)...), true); !errors.Is(err, ErrLength) {
			t.Errorf("wide, %d bytes: %v", 7+n, err)
		}
	}
}

// TestTruncatedPackets: no prefix of a packet is taken for the whole, where that can be
// known.
func TestTruncatedPackets(t *testing.T) {
	for _, v := range packetVectors {
		for n := range len(v.b) {
			p, err := ParsePacket([]byte(v.b[:n]), v.p.Wide)
			again, encErr := p.MarshalBinary()
			// A prefix of a DATA is a shorter one; a message and options may end early.
			if err == nil && (encErr != nil || len(again) > n+1) {
				t.Errorf("%s, %d bytes: %+v", v.name, n, p)
			}
		}
	}
	for _, b := range []string{"", "\x00", "\x00\x04\x00", "\x00\x05\x00", "\x00\x03\x00", "\x00\x01x", "\x00\x01x\x00octet"} {
		if _, err := ParsePacket([]byte(b), false); !errors.Is(err, ferry.ErrTruncated) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

// FuzzParsePacket: what parses, encodes, and parses as the same again.
func FuzzParsePacket(f *testing.F) {
	for _, v := range packetVectors {
		f.Add([]byte(v.b), v.p.Wide)
		for i := range v.b { // every flipped bit of the first vectors
			b := []byte(v.b)
			b[i] ^= 1 << (i % 8)
			f.Add(b, v.p.Wide)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		p, err := ParsePacket(b, wide)
		if err != nil {
			return
		}
		again, err := p.MarshalBinary()
		if err != nil {
			t.Fatalf("%+v does not encode: %v", p, err)
		}
		q, err := ParsePacket(again, wide)
		if diff := cmp.Diff(p, q); diff != "" || err != nil {
			t.Fatalf("%x: %v\n%s", b, err, diff)
		}
	})
}

// FuzzInbound: whatever packets arrive at a receiver, its blocks are delivered in order
// and nothing panics.
func FuzzInbound(f *testing.F) {
	f.Add([]byte{1, 8, 2, 8, 3, 3}, true)
	f.Add([]byte{2, 8, 1, 8, 1, 8, 4, 0}, false)
	f.Fuzz(func(t *testing.T, script []byte, selective bool) {
		in := newInbound(numbering{wide: selective}, selective, Settings{BlockSize: 8, WindowSize: 4}, receiverTimer(plain(), selective))
		now := time.Unix(1, 0)
		want := int64(1)
		for ; len(script) >= 2; script = script[2:] {
			now = now.Add(time.Millisecond)
			payload := make([]byte, script[1]%9)
			for i := range payload {
				payload[i] = script[0]
			}
			v, b := in.classify(now, uint32(script[0]), payload)
			if v == deliver {
				if b != want || in.over() {
					t.Fatalf("block %d delivered, want %d", b, want)
				}
				for ok := true; ok; payload, ok = in.takeHeld() {
					if len(payload) > 0 && payload[0] != byte(want) {
						t.Fatalf("block %d has the bytes of %d", want, payload[0])
					}
					in.taken(now)
					want++
				}
			}
			if n, ok, _ := in.due(now); ok {
				if n != in.next-1 {
					t.Fatalf("ACK %d, with %d missing", n, in.next)
				}
				in.acknowledged(now, n, false)
			}
		}
	})
}

func TestNumbering(t *testing.T) {
	for _, n := range []numbering{{}, {toOne: true}, {wide: true}, {wide: true, toOne: true}} {
		m := n.modulus()
		for _, ref := range []int64{0, 1, 5, m / 3, m - 1, m, m + 1, 7*m - 1, 7*m + 2, 1 << 40} {
			for d := int64(-1000); d <= 1000; d++ {
				b := ref + d
				if b < 0 || n.toOne && b == 0 && ref > 0 {
					continue
				}
				if got := n.near(n.wire(b), ref); got != b {
					t.Fatalf("%+v: block %d has number %d, which near %d is %d", n, b, n.wire(b), ref, got)
				}
			}
		}
	}
	for _, tt := range []struct {
		n     numbering
		block int64
		want  uint32
	}{
		{numbering{}, 65535, 65535},
		{numbering{}, 65536, 0},
		{numbering{}, 65537, 1},
		{numbering{toOne: true}, 65536, 1},
		{numbering{toOne: true}, 0, 0},
		{numbering{wide: true}, 65536, 65536},
		{numbering{wide: true}, 1 << 32, 0},
		{numbering{wide: true}, math.MaxUint32, math.MaxUint32},
	} {
		if got := tt.n.wire(tt.block); got != tt.want {
			t.Errorf("%+v: block %d has number %d, want %d", tt.n, tt.block, got, tt.want)
		}
	}
}

func TestNetascii(t *testing.T) {
	for plain, wire := range map[string]string{
		"": "", "a": "a", "a\nb\n": "a\r\nb\r\n", "\r": "\r\x00", "\r\n": "\r\x00\r\n", "\n\n": "\r\n\r\n", "a\r\rb": "a\r\x00\r\x00b",
	} {
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			got, err := io.ReadAll(wrap(&netasciiReader{r: wrap(strings.NewReader(plain))}))
			if string(got) != wire || err != nil {
				t.Errorf("%q encodes to %q, %v", plain, got, err)
			}
		}
		for step := 1; step <= len(wire)+1; step++ {
			var b strings.Builder
			w := netasciiWriter{w: &b}
			for i := 0; i < len(wire); i += step {
				w.Write([]byte(wire[i:min(i+step, len(wire))]))
			}
			w.Close()
			if b.String() != plain {
				t.Errorf("%q in steps of %d decodes to %q", wire, step, b.String())
			}
		}
	}
	var b strings.Builder
	w := netasciiWriter{w: &b}
	w.Write([]byte("a\rb\r"))
	w.Close()
	if b.String() != "a\rb\r" {
		t.Errorf("a CR that is against the rules became %q", b.String())
	}
}

// TestGrant: what a server makes of options.
func TestGrant(t *testing.T) {
	l := limits{blockSize: 1468, window: func(int) int { return 64 }, size: 5000, op: RRQ}
	write, text := l, l
	write.op, text.netascii = WRQ, true
	for _, tt := range []struct {
		l     limits
		asked string
		want  string
	}{
		{l, "", ""},
		{l, "blksize 512", "blksize 512"},
		{l, "blksize 8", "blksize 8"},
		{l, "blksize 7", ""},
		{l, "blksize 65464", "blksize 1468"},
		{l, "blksize 65465", "blksize 1468"},
		{l, "blksize 99999999999999999999", "blksize 1468"},
		{l, "blksize +9", ""},
		{l, "blksize 1e3", ""},
		{l, "blksize -1", ""},
		{l, "BlkSize 1000 x y tSize 0", "BlkSize 1000 tSize 5000"},
		{l, "windowsize 0", ""},
		{l, "windowsize 4", "windowsize 4"},
		{l, "windowsize 65535", "windowsize 64"},
		{l, "windowsize 65536", "windowsize 64"},
		{l, "timeout 1", ""},
		{l, "timeout 5 blksize 512", "blksize 512"},
		{l, "tsize 0 tsize 7", "tsize 5000"},
		{write, "tsize 123", "tsize 123"},
		{text, "tsize 0 blksize 99", "blksize 99"},
		{l, "blksize 99999999999999999999x", ""},
		{l, "tsize 99999999999999999999", ""},
	} {
		var asked []Option
		for f := strings.Fields(tt.asked); len(f) > 0; f = f[2:] {
			asked = append(asked, Option{f[0], f[1]})
		}
		_, answer := grant(asked, tt.l)
		var got []string
		for _, o := range answer {
			got = append(got, o.Name, o.Value)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%q is answered %q, want %q", tt.asked, s, tt.want)
		}
	}
}

// TestAccept: what a client makes of an OACK.
func TestAccept(t *testing.T) {
	want := Settings{BlockSize: 1428, WindowSize: 16, Size: 0, Timeout: 2 * time.Second}
	asked := ask(want)
	for answer, ok := range map[string]bool{
		"": true, "blksize 1428": true, "BLKSIZE 8": true, "blksize 1429": false, "blksize 7": false, "blksize x": false,
		"windowsize 16": true, "windowsize 17": false, "windowsize 0": false, "tsize 77": true, "tsize -1": false,
		"timeout 2": true, "timeout 1": false, "unknown 1": false, "blksize 9 blksize 9": false,
	} {
		var options []Option
		for f := strings.Fields(answer); len(f) > 0; f = f[2:] {
			options = append(options, Option{f[0], f[1]})
		}
		_, err := accept(asked, want, RRQ, options)
		var caused *peerError
		if (err == nil) != ok || err != nil && (!errors.As(err, &caused) || caused.code != CodeOption || !errors.Is(err, ErrNegotiation)) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// TestFitting: a datagram with a block never exceeds the MTU.
func TestFitting(t *testing.T) {
	for _, tt := range []struct {
		mtu  int
		addr string
		wide bool
		want int
	}{
		{1500, "10.0.0.1:1", false, 1468},
		{1500, "[::ffff:10.0.0.1]:1", false, 1468},
		{1500, "[fe80::1]:1", false, 1448},
		{1500, "10.0.0.1:1", true, 1466},
		{1280, "[fe80::1]:1", true, 1226},
		{10, "10.0.0.1:1", false, 8},
		{1 << 20, "10.0.0.1:1", false, 65464},
	} {
		if got := fitting(tt.mtu, mustAddr(tt.addr), tt.wide); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
	for block, window := range map[int]int{512: 166, 1428: 92, 8192: 12, 65464: 1} {
		if got := windowFor(0, block); got != window {
			t.Errorf("a window of %d blocks of %d bytes, want %d", got, block, window)
		}
	}
}

func TestErrors(t *testing.T) {
	for code, target := range map[Code]error{1: fs.ErrNotExist, 2: fs.ErrPermission, 3: ferry.ErrDiskFull, 6: fs.ErrExist} {
		err := fmt.Errorf("around: %w", &Error{Code: code, Message: "x"})
		if !errors.Is(err, target) || errors.Is(err, io.EOF) {
			t.Errorf("%v is not %v", err, target)
		}
		if p := errorPacket(target); p.Code != code {
			t.Errorf("%v is told as %d", target, p.Code)
		}
	}
	if p := errorPacket(&fs.PathError{Op: "open", Path: "/home/secret", Err: fs.ErrInvalid}); p.Code != CodeAccess || strings.Contains(p.Message, "secret") {
		t.Errorf("a bad name is told as %+v", p)
	}
	p := errorPacket(&Error{Code: 7, Message: "who?" + strings.Repeat("x\x00", 200)})
	if p.Code != 7 || len(p.Message) != maxMessage || strings.Contains(p.Message, "\x00") {
		t.Errorf("%+v", p)
	}
	if s := (&Error{Code: 0, Message: "\x1b[2J"}).Error(); strings.Contains(s, "\x1b") {
		t.Errorf("%q steers the terminal", s)
	}
	if s := Code(77).String() + Opcode(9).String(); s != "error code 77opcode 9" {
		t.Error(s)
	}
}
