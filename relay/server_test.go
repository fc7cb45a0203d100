package relay

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// CSCI 351 project 4, question 1: each message reaches all others, with its sender's ID.
func TestBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		defer h.close()
		a, b, c := h.enter(), h.enter(), h.enter()
		a.say("hello")
		b.say("line\n")
		c.say("one\r\ntwo\n")
		a.expect("2: line\n3: one\n3: two\n")
		b.expect("1: hello\n3: one\n3: two\n")
		c.expect("1: hello\n2: line\n")
		if got, want := h.server.Stats(), (Stats{Clients: 3, Joined: 3, ClientReport: ClientReport{Messages: 4, Delivered: 8}}); got != want {
			t.Errorf("Stats() = %+v, want %+v", got, want)
		}
	})
}

// Question 1: at most five clients by default. IDs are not used again.
func TestLimitAndIDs(t *testing.T) {
	for _, tt := range []struct{ max, room int }{{0, 5}, {1, 1}, {7, 7}} {
		synctest.Test(t, func(t *testing.T) {
			h := newHall(t, &Server{MaxClients: tt.max})
			defer h.close()
			var guests []*guest
			for range tt.room {
				guests = append(guests, h.enter())
			}
			for range 2 {
				h.enter().expect(fmt.Sprintf("* full: at most %d clients\nEOF", tt.room))
			}
			guests[0].say("exit")
			guests[0].expect("EOF")
			last := h.enter()
			last.say("hi")
			for _, g := range guests[1:] {
				g.expect(fmt.Sprintf("%d: hi\n", tt.room+1)) // refused ones have no ID
			}
			if s := h.server.Stats(); s.Joined != uint64(tt.room+1) || s.Refused != 2 || s.Clients != tt.room {
				t.Errorf("Stats() = %+v", s)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{MaxClients: -1})
		defer h.close()
		for range 50 {
			h.enter().expect("")
		}
	})
}

// "Handler function for a Thread": "exit" or the end of the data ends that client only.
func TestExit(t *testing.T) {
	for name, leave := range map[string]func(*guest){
		"exit":           func(g *guest) { g.say("exit") },
		"exit in a line": func(g *guest) { g.say("exit\r\nnot heard any more\n") },
		"EOF":            func(g *guest) { g.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var left departures
				h := newHall(t, &Server{Trace: left.trace()})
				defer h.close()
				a, b, c := h.enter(), h.enter(), h.enter()
				leave(b)
				b.expect("EOF")
				a.say("still here")
				a.say("exit now") // is chat
				c.expect("1: still here\n1: exit now\n")
				a.expect("")
				if all := left.all(); len(all) != 1 || all[0] != nil {
					t.Errorf("left: %v, want one without an error", all)
				}
			})
		})
	}
}

// The queue of a client that has closed its sending direction is delivered and counted.
func TestExitDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		defer h.close()
		a := h.enter()
		b := h.l.dial()
		synctest.Wait()
		for range 3 {
			a.say("x")
		}
		if _, err := io.WriteString(b, "exit"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := h.server.Stats(); s.Clients != 1 || s.Messages != 4 || s.Delivered != 0 {
			t.Errorf("before it reads: %+v", s)
		}
		if got, err := io.ReadAll(b); string(got) != "1: x\n1: x\n1: x\n" || err != nil {
			t.Errorf("heard %q, %v", got, err)
		}
		synctest.Wait()
		if s := h.server.Stats(); s.Clients != 1 || s.Messages != 4 || s.Delivered != 3 {
			t.Errorf("afterwards: %+v", s)
		}
		if n := len(h.server.leaving); n != 0 {
			t.Errorf("%d clients that have parted are remembered", n)
		}
	})
}

func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Notices: true})
		defer h.close()
		a := h.enter()
		a.expect("* you are 1\n")
		b := h.enter()
		a.expect("* 2 joined\n")
		b.expect("* you are 2\n")
		b.say("* 1 left\n3: I am 3\n")
		a.expect("2: * 1 left\n2: 3: I am 3\n") // nobody speaks for the server, or for another
		b.say("exit\n")
		a.expect("* 2 left\n")
		b.expect("EOF")
	})
}

// TestForgedID: every line of a chunk is labelled.
func TestForgedID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		defer h.close()
		a, b := h.enter(), h.enter()
		a.say("hi")
		a.say("hi\n2: I am 2\r\n3: and 3")
		b.expect("1: hi\n1: hi\n1: 2: I am 2\n")
		a.say("\n") // a client of lines by now
		b.expect("1: 3: and 3\n")
	})
}

func TestTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left departures
		h := newHall(t, &Server{MaxMessage: 10, Trace: left.trace()})
		defer h.close()
		a, b := h.enter(), h.enter()
		b.say("0123456789\n0123456789\r\n")
		a.expect("2: 0123456789\n2: 0123456789\n")
		b.say("ok\n0123456789a\nnever\n")
		a.expect("2: ok\n")
		b.expect("* message longer than 10 bytes\nEOF")
		if all := left.all(); len(all) != 1 || !errors.Is(all[0], ErrTooLong) {
			t.Errorf("left with %v, want ErrTooLong", all)
		}
		// A line is too long before its newline arrives.
		c := h.enter()
		c.say("\n")
		c.say("0123456789\r")
		c.say("a")
		c.expect("* message longer than 10 bytes\nEOF")
		// A chunk is split.
		d := h.enter()
		d.say("0123456789abcde")
		a.expect("3: \n4: 0123456789\n4: abcde\n")
	})
}

// TestUnfinishedLine: a last line without a newline is delivered.
func TestUnfinishedLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Framing: Line})
		defer h.close()
		a, b := h.enter(), h.enter()
		b.say("one\ntw")
		b.say("o\nthr")
		a.expect("2: one\n2: two\n")
		b.Close()
		a.expect("2: thr\n")
	})
}

// TestLongFirstLine: a first line that is longer than the first read is one message.
func TestLongFirstLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		defer h.close()
		a, b := h.enter(), h.enter()
		long := strings.Repeat("x", DefaultMaxMessage) + "\n"
		b.say(long)
		b.say("sec")
		b.say("ond\n")
		a.expect("2: " + long + "2: second\n")
	})
}

// TestIdle: bytes that complete no message do not keep a client (slowloris).
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{IdleTimeout: time.Minute, Framing: Line})
		defer h.close()
		a, b := h.enter(), h.enter()
		for range 10 {
			after(50 * time.Second)
			a.say("here\n")
			if got := b.heard(); strings.HasSuffix(got, "EOF") {
				break
			}
			if _, err := b.Write([]byte("x")); err != nil {
				break
			}
		}
		b.expect("EOF")
		if s := h.server.Stats(); s.Clients != 1 {
			t.Errorf("%d clients are left, want the one that speaks", s.Clients)
		}
		after(2 * time.Minute)
		a.expect("* silent too long\nEOF")
	})
}

func TestServerMistakes(t *testing.T) {
	for _, s := range []*Server{{MaxMessage: -1}, {Queue: -1}, {Framing: 7}, {Slow: -1}} {
		if err := s.Serve(t.Context(), newMemListener()); err == nil || !strings.HasPrefix(err.Error(), "relay: ") {
			t.Errorf("Serve returned %v", err)
		}
	}
}

// TestTwoListeners: clients of two listeners hear each other.
func TestTwoListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{MaxClients: 2}
		h, i := newHall(t, s), newHall(t, s)
		defer h.close()
		defer i.close()
		a, b := h.enter(), i.enter()
		a.say("hello")
		b.expect("1: hello\n")
		h.enter().expect("* full: at most 2 clients\nEOF")
	})
}

// TestPrintTrace: the lines of "TCP Server in Python" and "Handler function for a
// Thread".
func TestPrintTrace(t *testing.T) {
	var b strings.Builder
	trace := PrintTrace(&b)
	addr := netip.MustParseAddrPort("127.0.0.1:9000")
	trace.Waiting(addr)
	trace.Joined(Client{ID: 1, Addr: addr})
	trace.Message(Client{ID: 1, Addr: addr}, []byte("hello\x1b"))
	want := "waiting for connection... listening on port 9000\n" +
		"client connected: address  127.0.0.1:9000\n" +
		"received \"hello\\x1b\"\n"
	if b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
}

// TestTraces: every hook is called where it says, LogTrace's too.
func TestTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf(format, args...))
		}
		h := newHall(t, &Server{MaxClients: 1, Trace: &Trace{
			Waiting: func(netip.AddrPort) { note("waiting") },
			Joined:  func(c Client) { note("joined %d", c.ID) },
			Refused: func(_ netip.AddrPort, err error) { note("refused %v", err) },
			Message: func(c Client, text []byte) { note("%d said %s", c.ID, text) },
			Left:    func(c Client, r ClientReport, err error) { note("left %d %+v %v", c.ID, r, err) },
		}})
		a := h.enter()
		h.enter()
		a.say("hello")
		a.say("exit")
		h.close()
		want := "waiting|joined 1|waiting|refused relay: full|waiting|1 said hello|1 said exit|" +
			"left 1 {Messages:2 Delivered:0 Lost:0} <nil>"
		if s := strings.Join(got, "|"); s != want && s != strings.Replace(want, "joined 1|waiting", "waiting|joined 1", 1) &&
			s != strings.Replace(want, "refused relay: full|waiting", "waiting|refused relay: full", 1) {
			t.Errorf("the trace is\n%s, want\n%s", s, want)
		}
	})
}
