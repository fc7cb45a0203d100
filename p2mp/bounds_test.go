package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// gathered feeds chunks, "NUMBER:payload", to a gather of mss 2, and returns what is
// written and a word for each.
func gathered(g *gather, chunks ...string) (data, words string) {
	for _, c := range chunks {
		p := chunk(uint32(c[0]-'0'), c[2:])
		what, err := g.take(p)
		words += [...]string{"due", "early", "known", "away"}[what]
		if err != nil {
			words += "!"
		}
		words += " "
		if what != due {
			continue
		}
		for b := p.Payload; b != nil; b = g.ready() {
			data += string(b)
			g.wrote(len(b))
		}
	}
	return data, words
}

func TestGather(t *testing.T) {
	for _, tt := range []struct {
		name         string
		size         int64
		window       int
		chunks       []string
		data, words  string
		end          int64 // told by FIN
		ok, complete bool
	}{
		{"the edge of the window", 20, 3, []string{"4:gh", "3:ef", "2:cd", "1:ab", "4:gh"}, "abcdefgh", "away early early due due ", 20, true, false},
		{"too short in the middle", 20, 3, []string{"1:a"}, "", "away! ", 20, true, false},
		{"a short one below a kept one", -1, 5, []string{"3:ef", "2:c", "2:cd", "1:ab"}, "abcdef", "early away! early due ", 6, true, true},
		{"one behind the short one", -1, 5, []string{"2:c", "3:ef", "1:ab"}, "abc", "early away! due ", 3, true, true},
		{"the end is before what came", -1, 5, []string{"1:ab", "2:cd"}, "abcd", "due due ", 2, false, false},
		{"the end is before what waits", -1, 5, []string{"3:ef"}, "", "early ", 4, false, false},
		{"the end is behind the short one", -1, 5, []string{"1:ab", "2:c"}, "abc", "due due ", 6, false, false},
		{"the last one waits, too long", -1, 5, []string{"2:cd"}, "", "early ", 3, false, false},
	} {
		g := gather{mss: 2, size: tt.size}
		g.begin(0, tt.window)
		data, words := gathered(&g, tt.chunks...)
		ok := g.end(tt.end)
		if data != tt.data || words != tt.words || ok != tt.ok || ok && g.complete() != tt.complete {
			t.Errorf("%s: %q, %q, end %v, complete %v", tt.name, data, words, ok, g.complete())
		}
	}
}

// a world without network: packets in, packets out
func served(t *testing.T, r Receiver, h Handler) (v *serving, in func(c Category, m message) []string) {
	v = r.newServing(h)
	from := netip.MustParseAddrPort("10.0.0.9:9")
	return v, func(c Category, m message) (out []string) {
		b := appendMessage(nil, c, m)
		p, _ := ParsePacket(b)
		v.message(time.Now(), from, p, len(b))
		for _, o := range v.out {
			q, _ := ParsePacket(o.Data)
			out = append(out, q.Category.String())
		}
		v.out, v.bytes = v.out[:0], v.bytes[:0]
		return out
	}
}

func TestSessions(t *testing.T) {
	s := &shelf{t: t}
	v, in := served(t, Receiver{MaxTransfers: 2}, s)
	for i := range 50 {
		h := offerOf("f", 10)
		h.session += uint64(i)
		got := fmt.Sprint(in(CategoryHello, &h))
		if want := map[bool]string{true: "[REPORT]", false: "[ABORT]"}[i < 2]; got != want {
			t.Errorf("offer %d: %s, want %s", i, got, want)
		}
	}
	if len(v.sessions) != 2 || len(s.items) != 2 {
		t.Errorf("%d sessions, %d sinks", len(v.sessions), len(s.items))
	}
	v, in = served(t, Receiver{MaxTransfers: 2}, &shelf{t: t, refuse: errBroken})
	for i := range 50 {
		h := offerOf("f", 10)
		h.session += uint64(i)
		in(CategoryHello, &h)
	}
	if len(v.sessions) > 4 {
		t.Errorf("%d refused sessions are remembered", len(v.sessions))
	}
	// too short to be answered
	b, _ := Packet{Category: CategoryHello, Payload: make([]byte, 12)}.MarshalBinary()
	p, _ := ParsePacket(b)
	v.message(time.Now(), netip.MustParseAddrPort("10.0.0.8:9"), p, len(b))
	if len(v.out) != 0 {
		t.Error("a HELLO of 20 bytes is answered")
	}
	// Receive takes one
	w := &shelf{t: t}
	v, in = served(t, Receiver{}, w)
	v.only, v.wanted, v.room = true, 1, 2
	for i := range 3 {
		h := offerOf("f", 10)
		h.session += uint64(i)
		in(CategoryHello, &h)
	}
	if len(w.items) != 1 {
		t.Errorf("Receive began %d transfers", len(w.items))
	}
}

// An ABORT while the file is checked, or after, changes nothing.
func TestLateAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{t: t}
		v, in := served(t, Receiver{}, s)
		h := offerOf("f", 0)
		in(CategoryHello, &h)
		in(CategoryFin, &fin{session: h.session, number: 1, rto: time.Hour, digest: sha256.Sum256(nil)})
		in(CategoryAbort, &abort{h.session, ReasonCanceled})
		synctest.Wait()
		v.checked(time.Now())
		in(CategoryAbort, &abort{h.session, ReasonCanceled})
		ses := v.sessions[sessionKey{netip.MustParseAddrPort("10.0.0.9:9"), h.session}]
		if ses.state != whole || s.items[0].ended != "committed" || ses.linger != DefaultLinger {
			t.Errorf("state %d, %s, linger %v", ses.state, s.items[0].ended, ses.linger)
		}
	})
}

// A FIN that contradicts the HELLO.
func TestFinContradicts(t *testing.T) {
	s := &shelf{t: t}
	_, in := served(t, Receiver{}, s)
	h := offerOf("f", 0)
	sum := sha256.Sum256(nil)
	other := sha256.Sum256([]byte("x"))
	h.digest = &other
	in(CategoryHello, &h)
	if got := fmt.Sprint(in(CategoryFin, &fin{session: h.session, number: 1, digest: sum})); got != "[ABORT]" {
		t.Errorf("drew %s", got)
	}
}

type lyingResumer struct {
	*item
	held int64
}

func (r lyingResumer) Resume(int) (int64, error)         { return r.held, nil }
func (r lyingResumer) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestLyingResumer(t *testing.T) {
	for _, held := range []int64{-1, 50, 101, 251} {
		s := &shelf{t: t}
		_, in := served(t, Receiver{}, HandlerFunc(func(o Offer) (Sink, error) {
			i, err := s.Accept(o)
			return lyingResumer{i.(*item), held}, err
		}))
		h := offerOf("f", 250)
		h.digest = new([32]byte)
		if got := fmt.Sprint(in(CategoryHello, &h)); got != "[ABORT]" || s.items[0].ended != "aborted" {
			t.Errorf("holds %d: %s, %q", held, got, s.items[0].ended)
		}
	}
}

// A receiver that has all but waits for others, or is only polled, does not give up.
func TestPollsExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{GiveUp: 10 * time.Second}, s)
		h := offerOf("f", 250)
		p.postTo(CategoryHello, &h)
		p.answer()
		for i := range 5 {
			pause(8 * time.Second)
			p.postTo(CategoryPoll, &poll{session: h.session, number: uint32(i + 1)})
			if got := p.answer(); got != fmt.Sprintf("REPORT %d: 0 held, gathering", i+1) {
				t.Fatal(got)
			}
		}
		p.stop()
	})
}

// While one receiver holds the window up, the other is asked often enough to stay.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		p := newParty(t, 2, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool {
			d := time.Since(begun)
			return (q.To == firstReceiver || q.From == firstReceiver) && d > 20*time.Millisecond && d < 60*time.Second
		}))
		p.startReceive(0, time.Hour)
		p.startReceive(1, 10*time.Second)
		data := noise(1, 100000)
		aside := 0
		_, err := (&Sender{MSS: 100, Window: 20, GiveUp: 2 * time.Minute, Trace: &Trace{SetAside: func(netip.AddrPort) { aside++ }}}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: -1})
		p.stop()
		if err != nil || aside != 1 {
			t.Errorf("%v, set aside %d times", err, aside)
		}
		p.check(data)
	})
}

// A receiver set aside costs POLLs alone.
func TestAside(t *testing.T) {
	var f flight
	now := time.Unix(0, 0)
	f.begin(now, 0, 50, 50, time.Millisecond)
	sent := 0
	for range 1000 {
		switch a, seq, wake := f.act(now, 1000, true); a {
		case newChunk, oldChunk:
			if f.silent >= asideAfter {
				t.Fatal("a chunk for one that is set aside")
			}
			sent++
			f.sent(now, seq)
		case askPoll:
			f.asked(now)
		default:
			now = wake
		}
	}
	if sent == 0 || sent > 50 {
		t.Errorf("%d chunks", sent)
	}
}

// hostile HELLO that joins with what it cannot hold
func TestJoined(t *testing.T) {
	src := Source{R: bytes.NewReader(make([]byte, 1000)), Size: 1000}
	for _, s := range []status{
		{cum: 5, space: 10},            // no digest was told
		{cum: 0, space: 0},             //
		{number: 3, cum: 0, space: 10}, //
	} {
		v, err := (&Sender{MSS: 100}).newSending([]netip.AddrPort{firstReceiver}, src)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.reported(time.Now(), 0, &s); !errors.Is(err, ErrSequence) || v.peers[0].stage != joining {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// DirHandler: unknown size is cut off at MaxSize.
func TestMaxSizeUnknown(t *testing.T) {
	root, dir := openRoot(t)
	d := DirHandler{Root: root, MaxSize: 10}
	s, err := d.Accept(Offer{Extended: true, Name: "f", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if _, err := s.Write(make([]byte, 1)); !errors.Is(err, ErrTooLarge) || refusal(err) != ReasonTooLarge {
		t.Error(err)
	}
	s.Abort(errBroken)
	if len(names(t, dir)) != 0 {
		t.Error("left")
	}
	_ = os.Remove
}

func (p *party) startReceive(i int, giveUp time.Duration) {
	m := p.receivers[i]
	m.start(func(ctx context.Context) error {
		_, err := (&Receiver{GiveUp: giveUp}).Receive(ctx, m.conn, &m.got)
		return err
	})
}
