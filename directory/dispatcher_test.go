package directory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
)

var epoch = time.Date(2015, 11, 1, 15, 12, 0, 0, time.UTC)

// A dispatcherTest is a dispatcher, and its clock.
type dispatcherTest struct {
	t   *testing.T
	d   *dispatcher
	now time.Time
}

func newDispatcherTest(t *testing.T, s *Server) *dispatcherTest {
	return &dispatcherTest{t: t, d: s.newDispatcher(hall), now: epoch}
}

// gets gives the dispatcher a datagram, and returns what it sends, without the tokens.
func (x *dispatcherTest) gets(from, b string) []string {
	x.d.begin()
	x.d.arrived(x.now, netip.MustParseAddrPort(from), []byte(b))
	return x.sent(from)
}

// after lets time pass, and returns what is sent at its end.
func (x *dispatcherTest) after(d time.Duration, to string) []string {
	x.now = x.now.Add(d)
	x.d.begin()
	x.d.tick(x.now)
	return x.sent(to)
}

func (x *dispatcherTest) sent(to string) (all []string) {
	for _, p := range x.d.out {
		if p.Addr.String() != to {
			x.t.Errorf("%q went to %v, not %s", p.Data, p.Addr, to)
		}
		all = append(all, string(p.Data))
	}
	return all
}

// check compares what was sent.
func (x *dispatcherTest) check(got []string, want ...string) {
	x.t.Helper()
	if !slices.Equal(got, want) {
		x.t.Errorf("sent %q, want %q", got, want)
	}
}

// token returns the token of an answer's first fragment.
func token(b string) string { return strings.Split(b, " ")[1] }

// ackFor is the acknowledgement that a client sends.
func ackFor(t *testing.T, b string) string {
	p, err := parsePacket([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	return string(appendPacket(nil, ackOf(p)))
}

const (
	h2 = "10.0.0.2:8888"
	h3 = "10.0.0.3:4444"
)

func TestDispatcherDialogue(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	// The trace's datagrams, and their acknowledgements.
	x.check(x.gets(h2, "1 10.0.0.2 80  1 1"), "1 10.0.0.2 80  2 1")
	x.check(x.gets(h3, "1 10.0.0.3 80 new.txt  1 1"), "1 10.0.0.3 80 new.txt  2 1")
	// A look-up. The answer's first fragment is no longer than the request.
	out := x.gets(h2, "2 new.txt  1 1")
	if len(out) != 2 || out[0] != "2 new.txt  2 1" || len(out[1]) > len("2 new.txt  1 1") || !strings.HasPrefix(out[1], "6 ") || !strings.HasSuffix(out[1], "  1 2") {
		t.Fatalf("look-up: %q", out)
	}
	tok := token(out[1])
	answer := "6 " + tok + " new.txt 10.0.0.3 80  2 2"
	x.check(x.gets(h2, ackFor(t, out[1])), answer)
	x.check(x.gets(h2, ackFor(t, out[1]))) // a copy: nothing
	x.check(x.gets(h2, ackFor(t, answer)))
	if len(x.d.sessions) != 0 {
		t.Error("a session is left")
	}
	// No peer has it.
	out = x.gets(h2, "2 nonsuch  1 1")
	x.check(x.gets(h2, ackFor(t, out[1])), "9 "+token(out[1])+" 404 2 nonsuch  2 2")
	// The view, the one that was silent for the longest time first.
	x.now = x.now.Add(time.Second)
	x.check(x.gets(h2, "1 10.0.0.2 80  1 1"), "1 10.0.0.2 80  2 1")
	out = x.gets(h2, "4 key  1 1")
	x.check(x.gets(h2, ackFor(t, out[1])), fmt.Sprintf("8 %s key 2 10.0.0.3 80 %d.000000 1 new.txt 10.0.0.2 80 %d.000000 0  2 2", token(out[1]), epoch.Unix(), epoch.Unix()+1))
	// Exit.
	x.check(x.gets(h3, "3 10.0.0.3 80  1 1"), "3 10.0.0.3 80  2 1")
	x.check(x.gets(h3, "3 10.0.0.3 80  1 1"), "3 10.0.0.3 80  2 1")
	if len(x.d.registry.peers) != 1 || x.d.registry.entries != 0 || len(x.d.registry.names.ids) != 0 {
		t.Error("something is left of the peer that has left")
	}
}

// TestDispatcherIgnores: what a directory must not answer.
func TestDispatcherIgnores(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	for _, b := range []string{
		"", "hello", "4 1 1", "7  1 1", "5  1 1", "4  1 0", "4  2 1", "4  3 2", "4  2 2", "1 10.0.0.2 80  2 3", "1 10.0.0.2 80  1 1000000",
		"1 10.0.0.2 80  1 999999",                            // never to be completed
		"6 tok  1 2", "8 tok  1 2", "9 tok  1 2", "6 a  2 1", // answers, and their acknowledgements
		"1 10.0.0.2 80 " + strings.Repeat("f ", readSize/2) + " 1 1", // longer than is read
		strings.Repeat("x", 5000), "1 10.0.0.2 80  2 1", "\xff\xfe  1 1",
	} {
		if out := x.gets(h2, b); len(out) != 0 {
			t.Errorf("%.40q was answered with %q", b, out)
		}
	}
	if out := x.gets(hall.String(), "1 10.0.0.1 80  1 1"); len(out) != 0 {
		t.Errorf("its own address was answered with %q", out)
	}
	if out := x.gets("10.0.0.2:0", "1 10.0.0.2 80  1 1"); len(out) != 0 {
		t.Errorf("port 0 was answered with %q", out)
	}
	if len(x.d.registry.peers)+len(x.d.sessions) != 0 || x.d.stats.Unexpected+x.d.stats.Unsolicited != x.d.stats.Received {
		t.Errorf("%d peers, %d sessions, %+v", len(x.d.registry.peers), len(x.d.sessions), x.d.stats)
	}
}

// TestDispatcherRefuses: instead of an acknowledgement comes an error.
func TestDispatcherRefuses(t *testing.T) {
	for _, tt := range []struct {
		server  *Server
		request string
		code    string // empty: accepted
	}{
		{&Server{}, "1 10.0.0.9 80  1 1", "403 1"},
		{&Server{AnyAddress: true}, "1 10.0.0.9 80  1 1", ""},
		{&Server{}, "3 10.0.0.9 80  1 1", "403 3"},
		{&Server{}, "1 0.0.0.0 80  1 1", ""},
		{&Server{AnyAddress: true}, "1 224.0.0.1 80  1 1", "400 1"},
		{&Server{AnyAddress: true}, "1 fe80::1%25eth0 80  1 1", "400 1"},
		{&Server{}, "1 ::ffff:10.0.0.2 80  1 1", ""},
		{&Server{}, "1 10.0.0.2 0  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 080  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 65536  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 99999999999999999999  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 80 ../f  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 80 a%2Fb  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 80 %zz  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 80 a%0Ab  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 80 \xff  1 1", "400 1"},
		{&Server{}, "1 10.0.0.2 80 " + strings.Repeat("x", 256) + "  1 1", "400 1"},
		{&Server{MaxFiles: 2}, "1 10.0.0.2 80 a b c  1 1", "413 1"},
		{&Server{MaxFiles: 2}, "1 10.0.0.2 80 a b a b  1 1", ""},
		{&Server{MaxEntries: 2}, "1 10.0.0.2 80 a b c  1 1", "503 1"},
		{&Server{}, "2 ..  1 1", "400 2"},
		{&Server{}, "2  1 1", "400 2"},
	} {
		x := newDispatcherTest(t, tt.server)
		out := x.gets(h2, tt.request)
		if tt.request[0] == '2' {
			out = out[1:] // the acknowledgement: a look-up is acknowledged in any case
		}
		if len(out) != 1 {
			t.Errorf("%.60q: %q", tt.request, out)
			continue
		}
		if tt.code == "" {
			if out[0][len(out[0])-4:] != " 2 1" || len(x.d.registry.peers) != 1 {
				t.Errorf("%.60q: %q", tt.request, out)
			}
			continue
		}
		if len(out[0]) > len(tt.request) {
			t.Errorf("%.60q: a first fragment of %d bytes", tt.request, len(out[0]))
		}
		if tok := token(out[0]); tok != "" {
			x.check(x.gets(h2, ackFor(t, out[0])), "9 "+tok+" "+tt.code+"  2 2")
		} else {
			x.check(x.gets(h2, ackFor(t, out[0])), "9 - "+tt.code+"  2 2")
		}
		if len(x.d.registry.peers) != 0 {
			t.Errorf("%.60q: registered", tt.request)
		}
	}
	x := newDispatcherTest(t, &Server{MaxPeers: 1})
	x.gets(h3, "1 10.0.0.3 80  1 1")
	if out := x.gets(h2, "1 10.0.0.2 80  1 1"); !strings.HasPrefix(out[0], "9 ") {
		t.Errorf("one peer too many: %q", out)
	}
}

// TestDispatcherRefusesInBrief: the refusal names the file and nothing else, however much more
// the request holds, and fits the shortest last fragment. What would not fit is not sent.
func TestDispatcherRefusesInBrief(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	more := strings.Repeat("x", 950) + " " + strings.Repeat("y", 950)
	x.gets(h2, "2 nobody  1 9")
	for i := 2; i < 9; i++ {
		x.gets(h2, fmt.Sprintf("2 %s  %d 9", more, i))
	}
	x.check(x.gets(h2, "2  9 9"), "2  10 9", "9  1 2")
	x.check(x.gets(h2, "9  2 1"), "9 - 404 2 nobody  2 2")

	x.gets(h3, "2 nobody  1 1")
	s := x.d.sessions[netip.MustParseAddrPort(h3)]
	x.d.begin()
	x.d.fail(x.now, s, CodeNotFound, []byte(strings.Repeat(more+" ", 9)), len("2  9 9"))
	x.check(x.sent(h3))
	if x.d.sessions[s.from] != nil {
		t.Error("a session without an answer is left")
	}
}

// TestDispatcherFragments: the expected fragment is taken, the one before is acknowledged
// again, and nothing else is.
func TestDispatcherFragments(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	x.check(x.gets(h2, "1 10.0.0.2 80 a  1 3"), "1 10.0.0.2 80 a  2 1")
	x.check(x.gets(h2, "1 10.0.0.2 80 a  1 3"), "1 10.0.0.2 80 a  2 1")
	x.check(x.gets(h2, "1 c  3 3"))
	x.check(x.gets(h2, "1 b  2 4"))
	x.check(x.gets(h2, "3 b  2 3"))
	x.check(x.gets(h3, "1 b  2 3"))
	x.check(x.gets(h2, "1 b  2 3"), "1 b  3 2")
	x.check(x.gets(h2, "1 10.0.0.2 80 a  1 3")) // a late copy
	x.check(x.gets(h2, "1 x  2 3"))             // two requests mixed
	x.check(x.gets(h2, "1 b  2 3"), "1 b  3 2")
	if len(x.d.registry.peers) != 0 {
		t.Fatal("registered before the request is whole")
	}
	x.check(x.gets(h2, "1 c  3 3"), "1 c  4 3")
	x.check(x.gets(h2, "1 c  3 3"), "1 c  4 3")
	m := x.d.registry.peers[keyOf(netip.MustParseAddrPort("10.0.0.2:80"))]
	if m == nil || len(m.files) != 3 {
		t.Fatalf("registered: %+v", m)
	}
	// A copy of the last fragment renews the expiry as much as the request did.
	x.now = x.now.Add(4 * time.Second)
	x.gets(h2, "1 c  3 3")
	if !m.heard.Equal(x.now) {
		t.Error("not renewed")
	}
	// Fragment 1 with other content begins a new request.
	x.check(x.gets(h2, "1 10.0.0.2 80 z  1 2"), "1 10.0.0.2 80 z  2 1")
	x.check(x.gets(h2, "1 10.0.0.2 80 y  1 2"), "1 10.0.0.2 80 y  2 1")
	x.check(x.gets(h2, "1 w  2 2"), "1 w  3 2")
	var files []string
	x.d.registry.visit(x.now, func(_ *member, all func(func(string) bool)) bool { files = slices.Collect(all); return true })
	if !slices.Equal(files, []string{"y", "w"}) {
		t.Errorf("files %q", files)
	}
	// What makes no progress is forgotten.
	x.gets(h2, "1 10.0.0.2 80 q  1 2")
	x.after(giveUpAfter-1, h2)
	if len(x.d.sessions) != 1 {
		t.Error("forgotten too early")
	}
	x.after(1, h2)
	if len(x.d.sessions) != 0 || len(x.d.wakes) != 0 || x.d.progress[0].oldest != nil || x.d.progress[1].oldest != nil || x.d.held != 0 {
		t.Error("not forgotten")
	}
}

// TestDispatcherAmplification: an address that proves nothing gets at most three times the
// bytes that came from it, whatever it sends, and however long.
func TestDispatcherAmplification(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	for i := range 2000 {
		x.gets(h3, fmt.Sprintf("1 10.0.0.3 %d a-file-with-a-rather-long-name other-%d  1 1", i+1, i))
	}
	for _, request := range []string{
		"4  1 1", "4 k  1 1", "4 some-longer-word  1 1", "2 a-file-with-a-rather-long-name  1 1", "2 x  1 1", "2 nonsuch  1 1",
		"1 10.9.9.9 80 x  1 1", "1 10.0.0.2 80 ../x  1 1", "3 10.9.9.9 80  1 1",
	} {
		for _, copies := range []int{1, 2, 5} {
			from := "10.0.0.2:9"
			got, sent := 0, 0
			count := func(out []string) {
				for _, b := range out {
					if strings.HasSuffix(b, " 1 2") && len(b) > len(request) {
						t.Errorf("%q: a first fragment of %d bytes", request, len(b))
					}
					sent += len(b)
				}
			}
			for range copies {
				got += len(request)
				count(x.gets(from, request))
				count(x.gets(from, "6 guessed  2 1")) // no proof
				count(x.after(300*time.Millisecond, from))
			}
			for range 60 {
				count(x.after(100*time.Millisecond, from))
			}
			if sent > amplify.Factor*got || sent == 0 {
				t.Errorf("%q, %d times: %d bytes went to an address that sent %d", request, copies, sent, got)
			}
			if len(x.d.sessions) != 0 {
				t.Errorf("%q: a session is left", request)
			}
			for port := range 2000 { // they are not to expire
				x.d.registry.keep(x.now, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.3"), uint16(port+1)))
			}
		}
	}
}

// TestDispatcherShortestView: there is room for one digit only, and the listing is cut so
// that it suffices.
func TestDispatcherShortestView(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	for i := range 5000 {
		x.gets(h3, fmt.Sprintf("1 10.0.0.3 %d  1 1", i+1))
	}
	out := x.gets(h2, "4  1 1")
	if len(out) != 2 || len(out[1]) != 6 {
		t.Fatalf("%q", out)
	}
	next := out[1]
	var body strings.Builder
	for range 20 {
		sent := x.gets(h2, ackFor(t, next))
		if len(sent) == 0 {
			break
		}
		next = sent[0]
		p, _ := parsePacket([]byte(next))
		_, content := nextWord(p.body)
		body.WriteString(string(content))
	}
	fields, err := splitBody([]byte(body.String()))
	if err != nil || len(fields) < 2 || fields[0] != "-" {
		t.Fatalf("%.80q, %v", body.String(), err)
	}
	l, err := parseListing(fields[1:])
	if err != nil || l.Total != 5000 || len(l.Peers) < 50 || len(l.Peers) > 1000 {
		t.Errorf("%d of %d peers, %v", len(l.Peers), l.Total, err)
	}
}

// TestDispatcherSessionsAreBounded: the one without progress for the longest time goes.
func TestDispatcherSessionsAreBounded(t *testing.T) {
	x := newDispatcherTest(t, &Server{MaxSessions: 10})
	for i := range 100 {
		from := fmt.Sprintf("10.0.0.2:%d", i+1)
		x.gets(from, "1 10.0.0.2 80 a  1 2")
		if i >= 10 {
			x.gets("10.0.0.2:1", "1 10.0.0.2 80 a  1 2") // still there
		}
	}
	if len(x.d.sessions) != 10 || x.d.stats.Evicted < 90 {
		t.Errorf("%d sessions, %d evicted", len(x.d.sessions), x.d.stats.Evicted)
	}
	// A request that grows without end.
	y := newDispatcherTest(t, &Server{MaxRequest: 100})
	y.gets(h2, "1 10.0.0.2 80 a  1 50")
	for i := 2; i < 50; i++ {
		y.gets(h2, fmt.Sprintf("1 abcdefgh  %d 50", i))
		if s := y.d.sessions[netip.MustParseAddrPort(h2)]; s != nil && len(s.body) > 100 {
			t.Fatalf("a body of %d bytes", len(s.body))
		}
	}
	if s := y.d.sessions[netip.MustParseAddrPort(h2)]; s == nil || !s.refused || len(s.body) > 0 {
		t.Errorf("a request that is too long is still taken: %+v", s)
	}
	if y.d.stats.Refused != 1 {
		t.Errorf("refused %d times", y.d.stats.Refused)
	}
}

// TestDispatcherRetransmits: an answer is sent again until it is acknowledged, with a timer
// that backs off.
func TestDispatcherRetransmits(t *testing.T) {
	x := newDispatcherTest(t, &Server{})
	x.gets(h3, "1 10.0.0.3 80 new.txt  1 1")
	out := x.gets(h2, "2 new.txt  1 1")
	x.check(x.after(99*time.Millisecond, h2))
	x.check(x.after(time.Millisecond, h2), out[1])
	x.check(x.after(time.Second, h2))                       // three times the request have gone out
	x.check(x.gets(h2, "2 new.txt  1 1"), "2 new.txt  2 1") // only acknowledged,
	x.check(x.after(time.Second, h2), out[1])               // but now there is room again
	answer := x.gets(h2, ackFor(t, out[1]))
	x.check(x.after(time.Second, h2), answer...)
	x.check(x.gets(h2, ackFor(t, answer[0])))
	x.check(x.after(time.Minute, h2))
	if x.d.stats.Answered != 1 || x.d.stats.Retransmitted != 3 {
		t.Errorf("%+v", x.d.stats)
	}
}

// TestDispatcherMeasures: a fragment that was sent twice is not measured (Karn).
func TestDispatcherMeasures(t *testing.T) {
	for _, again := range []bool{false, true} {
		x := newDispatcherTest(t, &Server{})
		x.gets(h3, "1 10.0.0.3 80 new.txt  1 1")
		out := x.gets(h2, "2 new.txt  1 1")
		if again {
			x.check(x.after(initialTimeout, h2), out[1])
		}
		x.now = x.now.Add(30 * time.Millisecond)
		x.gets(h2, ackFor(t, out[1]))
		s := x.d.sessions[netip.MustParseAddrPort(h2)]
		if s == nil || s.timer.measured == again || !again && s.timer.est != 30*time.Millisecond {
			t.Errorf("sent again: %v, %+v", again, s)
		}
	}
}
