package directory

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// messageVectors are the datagrams of CEN 502 project 2 (part II, 3, test 1: frames of
// 62 and 70 bytes with 44 bytes of headers) and their acknowledgements, and others.
var messageVectors = []struct {
	b string
	m Message
}{
	{"1 10.0.0.2 80  1 1", Message{Update, []string{"10.0.0.2", "80"}, 1, 1}},
	{"1 10.0.0.2 80  2 1", Message{Update, []string{"10.0.0.2", "80"}, 2, 1}},
	{"1 10.0.0.3 80 new.txt  1 1", Message{Update, []string{"10.0.0.3", "80", "new.txt"}, 1, 1}},
	{"1 10.0.0.3 80 new.txt  2 1", Message{Update, []string{"10.0.0.3", "80", "new.txt"}, 2, 1}},
	{"2 new.txt  1 1", Message{Lookup, []string{"new.txt"}, 1, 1}},
	{"3 fd00::1 65535  1 1", Message{Exit, []string{"fd00::1", "65535"}, 1, 1}},
	{"4  1 1", Message{View, nil, 1, 1}},
	{"6 a%20b%25%0A  2 3", Message{Found, []string{"a b%\n"}, 2, 3}},
	{"8 naïve  999999 999999", Message{Listing, []string{"naïve"}, 999999, 999999}},
	{"9 404  1000000 999999", Message{Failure, []string{"404"}, 1000000, 999999}},
}

func TestMessageVectors(t *testing.T) {
	for _, v := range messageVectors {
		got, err := ParseMessage([]byte(v.b))
		if diff := cmp.Diff(v.m, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got)\n%s", v.b, err, diff)
		}
		b, err := v.m.AppendBinary([]byte("before "))
		if err != nil || string(b) != "before "+v.b {
			t.Errorf("%+v: %q, %v, want %q", v.m, b, err, v.b)
		}
		var m Message
		if err := m.UnmarshalBinary([]byte(v.b)); err != nil || !cmp.Equal(m, v.m) {
			t.Errorf("%q: %+v, %v", v.b, m, err)
		}
	}
	// The lengths of the trace.
	if len(messageVectors[0].b) != 18 || len(messageVectors[2].b) != 26 {
		t.Error("not 18 and 26 bytes")
	}
}

func TestAcknowledgement(t *testing.T) {
	for i := 0; i < 4; i += 2 {
		p, err := parsePacket([]byte(messageVectors[i].b))
		if err != nil {
			t.Fatal(err)
		}
		ack := appendPacket(nil, ackOf(p))
		if string(ack) != messageVectors[i+1].b {
			t.Errorf("%q is acknowledged by %q", messageVectors[i].b, ack)
		}
		q, err := parsePacket(ack)
		if err != nil || !q.isAck() || p.isAck() || !q.acknowledges(p) {
			t.Errorf("%q does not acknowledge: %v", ack, err)
		}
		q.body = []byte("1.2.3.4 80 ")
		if q.acknowledges(p) {
			t.Error("what has other content acknowledges")
		}
	}
}

func TestMessageMalformed(t *testing.T) {
	for _, b := range []string{
		"", "4", "4 1 1", "4   1 1", "0  1 1", "x  1 1", "12  1 1", "4  1", "4  1 0", "4  0 1", "4  01 1", "4  1 01", "4  3 1", "4  1 1 ",
		"4  1 1000000", "4  1 9999999999999999999999", "4  -1 1", "4  +1 1", "4  1.0 1", "4 a 1 1", "4 a  b  1 1", "4 \xff  1 1",
		"4 a%  1 1", "4 a%4  1 1", "4 a%zz  1 1", "4 a\nb  1 1", "4 a\x00b  1 1", "4 %ff  1 1", "4  a  1 1", " 4  1 1", "4\t\t1 1",
	} {
		if m, err := ParseMessage([]byte(b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %+v, %v", b, m, err)
		}
	}
	for _, v := range messageVectors {
		for i := range v.b {
			if m, err := ParseMessage([]byte(v.b[:i])); err == nil && i < len(v.b)-1 && m.Total == v.m.Total {
				t.Errorf("the first %d bytes of %q: %+v", i, v.b, m)
			}
		}
	}
	for _, m := range []Message{
		{},
		{Type: 10, Seq: 1, Total: 1},
		{Type: 1, Seq: 0, Total: 1},
		{Type: 1, Seq: 3, Total: 1},
		{Type: 1, Seq: 1, Total: 1000000},
		{Type: 1, Fields: []string{""}, Seq: 1, Total: 1},
		{Type: 1, Fields: []string{"\xff"}, Seq: 1, Total: 1},
		{Type: 1, Seq: -1, Total: 1},
	} {
		if b, err := m.MarshalBinary(); err == nil || len(b) > 0 {
			t.Errorf("%+v: %q, %v", m, b, err)
		}
	}
}

// TestCut: fragments are no longer than MaxDatagram, hold whole fields, and make the
// whole.
func TestCut(t *testing.T) {
	for _, fields := range []int{0, 1, 20, 21, 22, 500} {
		var body []byte
		for i := range fields {
			body = append(AppendField(body, strings.Repeat("x y", i%85)), ' ')
			if i%85 == 0 {
				body = append(body[:len(body)-1], "z "...)
			}
		}
		f := cut(Update, body, 0)
		var whole []byte
		for seq := 1; seq <= f.total(); seq++ {
			b := appendPacket(nil, f.at(seq))
			if len(b) > MaxDatagram {
				t.Errorf("%d fields: a fragment of %d bytes", fields, len(b))
			}
			if _, err := ParseMessage(b); err != nil {
				t.Errorf("%d fields: %v", fields, err)
			}
			whole = append(whole, f.at(seq).body...)
		}
		if string(whole) != string(body) || f.total() > 1+2*len(body)/MaxDatagram {
			t.Errorf("%d fields, %d bytes: %d fragments that make %d", fields, len(body), f.total(), len(whole))
		}
	}
}
