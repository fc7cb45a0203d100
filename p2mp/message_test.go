package p2mp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const testSession = 0x0102030405060708

var testDigest = [32]byte{31: 0xdd}

// The bodies, byte by byte, as the package comment lays them out.
var messageVectors = []struct {
	name string
	c    Category
	m    message
	hex  string // of the body
}{
	{
		"HELLO", CategoryHello,
		&hello{session: testSession, version: 1, name: "f", size: 258, mode: 0o644, mss: 1400, kind: digestSHA256, digest: &testDigest, fec: 16, group: netip.MustParseAddrPort("239.1.2.3:7735"), join: 5 * time.Second},
		"0102030405060708 0001 0000" +
			"01 0001 66" +
			"02 0008 0000000000000102" +
			"03 0004 000001a4" +
			"04 0002 0578" +
			"05 0001 01" +
			"06 0020 " + strings.Repeat("00", 31) + "dd" +
			"07 0002 0010" +
			"08 0006 ef010203 1e37" +
			"09 0004 00001388",
	},
	{
		"a short HELLO, padded", CategoryHello,
		&hello{session: testSession, version: 1, size: -1, mss: 1, kind: digestSHA256},
		"0102030405060708 0001 0000" + "04 0002 0001" + "05 0001 01" + "00 0020 " + strings.Repeat("00", 32),
	},
	{
		"POLL", CategoryPoll,
		&poll{session: testSession, number: 9, highest: 300, modulus: 4, remainder: 3},
		"0102030405060708 00000009 0000012c 0004 0003",
	},
	{
		"FIN", CategoryFin,
		&fin{session: testSession, number: 10, rto: 2 * time.Millisecond, size: 258, digest: testDigest},
		"0102030405060708 0000000a 000007d0 0000000000000102" + strings.Repeat("00", 31) + "dd",
	},
	{
		"REPORT", CategoryReport,
		&status{session: testSession, id: 7, number: 9, cum: 255, space: 4096, burst: 64, received: 260, clock: 1_000_000, progress: checking, held: []byte{0xa0, 0x01}},
		"0102030405060708 00000007 00000009 000000ff 00001000 00000040 00000104 000f4240 01 00 a001",
	},
	{
		"ABORT", CategoryAbort,
		&abort{session: testSession, reason: ReasonUnknown},
		"0102030405060708 0002",
	},
	{
		"HELLO with a token", CategoryHello,
		&hello{session: testSession, version: 1, size: -1, mss: 1, kind: digestSHA256, token: 0x1112131415161718},
		"0102030405060708 0001 0000" + "04 0002 0001" + "05 0001 01" + "11 0008 1112131415161718" + "00 0015 " + strings.Repeat("00", 21),
	},
}

// parseMessage parses a body of any kind.
func parseMessage(c Category, b []byte) (message, error) {
	switch c {
	case CategoryHello:
		m, err := parseHello(b)
		return &m, err
	case CategoryPoll:
		m, err := parsePoll(b)
		return &m, err
	case CategoryFin:
		m, err := parseFin(b)
		return &m, err
	case CategoryReport:
		m, err := parseStatus(b)
		return &m, err
	case CategoryAbort:
		m, err := parseAbort(b)
		return &m, err
	}
	return nil, ErrCategory
}

var cmpMessages = cmp.Options{
	cmp.AllowUnexported(hello{}, poll{}, fin{}, status{}, abort{}),
	cmpopts.EquateComparable(netip.AddrPort{}),
}

func TestMessageVectors(t *testing.T) {
	for _, tt := range messageVectors {
		t.Run(tt.name, func(t *testing.T) {
			want, err := hex.DecodeString(strings.ReplaceAll(tt.hex, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			b := appendMessage([]byte("kept"), tt.c, tt.m)[4:]
			p, err := ParsePacket(b)
			if err != nil || p.Category != tt.c {
				t.Fatalf("%v, %v", p.Category, err)
			}
			if !bytes.Equal(p.Payload, want) {
				t.Errorf("encoded\n%x, want\n%x", p.Payload, want)
			}
			m, err := parseMessage(tt.c, want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.m, m, cmpMessages); diff != "" {
				t.Errorf("parsed (-want +got):\n%s", diff)
			}
			for n := range want {
				if _, err := parseMessage(tt.c, want[:n]); err == nil && !cutMayParse(tt.c, want, n) {
					t.Errorf("the first %d of %d bytes parsed", n, len(want))
				}
			}
		})
	}
}

// cutMayParse: a HELLO may end behind any field, a REPORT's bitmap anywhere.
func cutMayParse(c Category, b []byte, n int) bool {
	switch c {
	case CategoryReport:
		return n >= statusLen
	case CategoryHello:
		at := 12
		for at < n {
			at += 3 + int(b[at+1])<<8 + int(b[at+2])
		}
		return at == n
	}
	return false
}

func TestHelloFields(t *testing.T) {
	plain := (&hello{session: 1, version: 1, size: -1, mss: 5, kind: digestSHA256}).append(nil)
	with := func(field string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(field, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return append(bytes.Clone(plain), b...)
	}
	if h, err := parseHello(with("fe 0003 010203")); err != nil || h.mss != 5 {
		t.Errorf("an unknown field: %+v, %v; want it skipped", h, err)
	}
	for name, field := range map[string]string{
		"a field twice":            "04 0002 0005",
		"a size of 2^63":           "02 0008 8000000000000000",
		"a size of 7 bytes":        "02 0007 01020304050607",
		"a mode of 3 bytes":        "03 0003 010203",
		"a digest of 31 bytes":     "06 001f" + strings.Repeat("00", 31),
		"an FEC block of 1 byte":   "07 0001 01",
		"a group of 5 bytes":       "08 0005 0102030405",
		"a join time of 5 bytes":   "09 0005 0102030405",
		"a field cut off":          "01 0005 6162",
		"a field without a length": "01 00",
	} {
		if h, err := parseHello(with(field)); err == nil {
			t.Errorf("%s: parsed as %+v", name, h)
		}
	}
}

// An answer to an unverified address is not longer than the packet that it answers.
func TestAnswersAreNotLonger(t *testing.T) {
	h := appendMessage(nil, CategoryHello, &hello{session: 1, version: 1, size: -1, mss: 1, kind: digestSHA256})
	p := appendMessage(nil, CategoryPoll, &poll{session: 1})
	f := appendMessage(nil, CategoryFin, &fin{session: 1})
	s := appendMessage(nil, CategoryReport, &status{session: 1})
	a := appendMessage(nil, CategoryAbort, &abort{session: 1})
	if len(s) > len(h) || len(a) > len(h) || len(a) > len(p) || len(a) > len(f) || len(h) < helloMin {
		t.Errorf("HELLO %d, POLL %d, FIN %d draw REPORT %d, ABORT %d bytes", len(h), len(p), len(f), len(s), len(a))
	}
}

func TestPollSubset(t *testing.T) {
	for _, tt := range []struct {
		modulus, remainder uint16
		id                 uint32
		want               bool
	}{{0, 0, 5, true}, {1, 0, 5, true}, {4, 1, 5, true}, {4, 2, 5, false}, {4, 4, 4, false}} {
		q := poll{modulus: tt.modulus, remainder: tt.remainder}
		if got := q.asks(tt.id); got != tt.want {
			t.Errorf("%+v asks %d: %v", q, tt.id, got)
		}
	}
}

func TestSessionChangesTheSum(t *testing.T) {
	p := Packet{Session: newSession(), Seq: 1, Category: CategoryData, Payload: []byte("ab")}
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if q, err := ParseSessionPacket(p.Session, b); err != nil || string(q.Payload) != "ab" {
		t.Errorf("%+v, %v", q, err)
	}
	if _, err := ParsePacket(b); err == nil {
		t.Error("it passes for a packet of the classic mode")
	}
	if _, err := ParseSessionPacket(p.Session+1, b); err == nil {
		t.Error("it passes for one of another session")
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, v := range messageVectors {
		f.Add(uint16(v.c), v.m.append(nil))
	}
	f.Fuzz(func(t *testing.T, c uint16, b []byte) {
		m, err := parseMessage(Category(c), b)
		if err != nil {
			return
		}
		again, err := parseMessage(Category(c), m.append(nil))
		if err != nil {
			t.Fatalf("%+v does not survive: %v", m, err)
		}
		if diff := cmp.Diff(m, again, cmpMessages, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
