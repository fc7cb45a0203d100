package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// CSCI 351 project 4, question 1: what one says, all others hear, and know who said it.
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

// Question 1: at most five, unless asked for more. IDs are not used again.
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

// "Handler function for a Thread": "exit" or the end of the data end that client, and
// only that one.
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

// What waits for a client that has closed its side is delivered, and counts.
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

// TestForgedID: in a chunk, too, every line is labelled.
func TestForgedID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		defer h.close()
		a, b := h.enter(), h.enter()
		a.say("hi")
		a.say("hi\n2: I am 2\r\n3: and 3")
		b.expect("1: hi\n1: hi\n1: 2: I am 2\n1: 3: and 3\n")
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
		// A line without an end is too long before it ends.
		c := h.enter()
		c.say("\n")
		c.say("0123456789\r")
		c.say("a")
		c.expect("* message longer than 10 bytes\nEOF")
		// A chunk is cut.
		d := h.enter()
		d.say("0123456789abcde")
		a.expect("3: \n4: 0123456789\n4: abcde\n")
	})
}

// TestUnfinishedLine: what was said before the end counts, whole or not.
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

// A deaf client enters and never reads.
func (h *hall) enterDeaf() net.Conn {
	conn := h.l.dial()
	synctest.Wait()
	return conn
}

// TestDisconnect: who stops reading is gone, the others miss nothing, and wait no
// longer than Patience, once.
func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan error, 3)
		h := newHall(t, &Server{Queue: 10_000, Patience: time.Second, Trace: &Trace{
			Left: func(_ Client, _ ClientReport, err error) { left <- err },
		}})
		defer h.close()
		a, b := h.enter(), h.enter()
		h.enterDeaf()
		start := time.Now()
		for i := range 500 {
			a.say(fmt.Sprintf("%0100d", i))
			b.expect(fmt.Sprintf("1: %0100d\n", i))
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("500 messages took %v, want Patience, 1s", took)
		}
		if err := <-left; !errors.Is(err, ErrSlow) {
			t.Errorf("the deaf client left with %v, want ErrSlow", err)
		}
	})
}

// TestRateBesideDeaf: four clients, of which three read at a steady rate what the
// fourth floods them with, get all of it at nine tenths of the rate, at least, that
// they have without a fifth that never reads. The flood takes five seconds, and the
// queues are so short that it begins to wait for the deaf client at once: the worst
// case of a server that is otherwise as it comes.
func TestRateBesideDeaf(t *testing.T) {
	const piece, pieces = 16 << 10, 500
	line := strings.Repeat("x", 63) + "\n"
	want := pieces * piece / len(line)
	flood := func(deaf bool) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			h := newHall(t, &Server{Queue: 32 << 10})
			defer h.close()
			a := h.enter()
			var readers sync.WaitGroup
			for range 3 {
				conn := h.l.dial()
				synctest.Wait()
				readers.Go(func() {
					got := paced(conn, piece, 10*time.Millisecond)
					if lines := strings.Count(got, "1: "+line); lines != want || len(got) != want*(len(line)+3) {
						t.Errorf("with a deaf client: %v: %d lines in %d bytes, want %d lines", deaf, lines, len(got), want)
					}
				})
			}
			if deaf {
				h.enterDeaf()
			}
			start := time.Now()
			for range pieces {
				a.say(strings.Repeat(line, piece/len(line)))
			}
			a.say("exit\n")
			if err := h.server.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			readers.Wait()
			took = time.Since(start)
		})
		return took
	}
	without, with := flood(false), flood(true)
	t.Logf("%v without, %v with: %.1f %% of the rate", without, with, 100*without.Seconds()/with.Seconds())
	if without.Seconds() < 0.9*with.Seconds() || with <= without {
		t.Errorf("the flood takes %v, and %v beside a deaf client; want a tenth longer at most", without, with)
	}
}

// paced reads to the end, at most size bytes and then nothing for a time, over and over.
func paced(conn net.Conn, size int, pause time.Duration) string {
	var all strings.Builder
	for buf := make([]byte, size); ; time.Sleep(pause) {
		n, err := io.ReadFull(conn, buf)
		all.Write(buf[:n])
		if err != nil {
			return all.String()
		}
	}
}

// TestDisconnectAtOnce: who has not read for longer than Patience when its queue fills
// up costs nobody anything.
func TestDisconnectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Queue: 10_000, Patience: time.Second})
		defer h.close()
		a, b := h.enter(), h.enter()
		h.enterDeaf()
		a.say("first")
		after(2 * time.Second)
		start := time.Now()
		for range 500 {
			a.say(strings.Repeat("x", 100))
		}
		if took := time.Since(start); took != 0 || h.server.Stats().Clients != 2 {
			t.Errorf("500 messages took %v, %d clients are left; want 0s, 2", took, h.server.Stats().Clients)
		}
		if got := strings.Count(b.heard(), "\n"); got != 501 {
			t.Errorf("heard %d messages, want 501", got)
		}
	})
}

// TestTrickle: who reads a little all the time is waited for longer, not for ever.
func TestTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer after(time.Second)
		h := newHall(t, &Server{Queue: 2_000_000, Patience: time.Second})
		defer h.close()
		a, b := h.enter(), h.enter()
		slow := h.enterDeaf()
		go func() {
			for buf := make([]byte, 70); ; time.Sleep(time.Millisecond) {
				if _, err := slow.Read(buf); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		heard := 0
		for range 300 {
			a.say(strings.Repeat(strings.Repeat("x", 99)+"\n", 100))
			heard += strings.Count(b.heard(), "\n")
		}
		if took := time.Since(start); took != 8*time.Second || h.server.Stats().Clients != 2 {
			t.Errorf("30000 messages took %v, %d clients are left; want 8s, 2", took, h.server.Stats().Clients)
		}
		if heard != 30000 {
			t.Errorf("heard %d messages, want 30000", heard)
		}
	})
}

// TestDropOldest: nobody waits, and the gap is told where it is.
func TestDropOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost int
		h := newHall(t, &Server{Queue: 1000, Slow: DropOldest, WriteTimeout: -1, Trace: &Trace{
			Lost: func(_ Client, n int) { lost += n },
		}})
		defer h.close()
		a, b := h.enter(), h.enter()
		deaf := h.enterDeaf()
		start := time.Now()
		for i := range 100 {
			a.say(fmt.Sprintf("%04d", i))
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("100 messages took %v, want no time", took)
		}
		if got := strings.Count(b.heard(), "\n"); got != 100 {
			t.Errorf("heard %d messages, want 100", got)
		}
		g := &guest{Conn: deaf, t: t, lines: make(chan string, 1000)}
		synctest.Wait()
		buf := make([]byte, 1<<16)
		var got strings.Builder
		for !strings.HasSuffix(got.String(), "0099\n") {
			n, err := g.Read(buf)
			if err != nil {
				t.Fatalf("after %q: %v", got.String(), err)
			}
			got.Write(buf[:n])
		}
		// The first was being written when the queue was empty.
		lines := strings.Split(strings.TrimSpace(got.String()), "\n")
		var told int
		if fmt.Sscanf(lines[1], "* %d messages lost", &told); lines[0] != "1: 0000" || told != lost || told+len(lines)-1 != 100 {
			t.Errorf("%d lines, %q, %q ...; %d lost", len(lines), lines[0], lines[1], lost)
		}
		for i, line := range lines[2:] {
			if want := fmt.Sprintf("1: %04d", 1+told+i); line != want {
				t.Errorf("line %d is %q, want %q", i, line, want)
			}
		}
		if s := h.server.Stats(); s.Lost != uint64(lost) {
			t.Errorf("Stats() = %+v, want %d lost", s, lost)
		}
	})
}

// TestWait: who speaks waits, until WriteTimeout ends the slow client.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Queue: 1000, Slow: Wait, WriteTimeout: time.Minute})
		defer h.close()
		a, b := h.enter(), h.enter()
		h.enterDeaf()
		start := time.Now()
		for range 100 {
			a.say(strings.Repeat("x", 100))
		}
		if took := time.Since(start); took < time.Minute-time.Minute/8 || took > time.Minute {
			t.Errorf("100 messages took %v, want WriteTimeout, less an eighth at most", took)
		}
		if got := strings.Count(b.heard(), "\n"); got != 100 {
			t.Errorf("heard %d messages, want 100", got)
		}
	})
}

// TestWriteTimeout: a client that does not read and whose queue is not full goes, too.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left departures
		h := newHall(t, &Server{Trace: left.trace()})
		defer h.close()
		a := h.enter()
		h.enterDeaf()
		a.say("hello")
		after(DefaultWriteTimeout)
		if all := left.all(); len(all) != 1 || !errors.Is(all[0], ErrSlow) || h.server.Stats().Clients != 1 {
			t.Errorf("left with %v, %d clients; want ErrSlow, 1", all, h.server.Stats().Clients)
		}
	})
}

// TestShutdownDrains: what has been read is delivered; Close does not wait for that.
func TestShutdownDrains(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHall(t, &Server{})
			a := h.enter()
			deaf := h.enterDeaf()
			for i := range 10 {
				a.say(fmt.Sprintf("%d\n", i))
			}
			var got strings.Builder
			if graceful {
				go func() {
					buf := make([]byte, 1000)
					for {
						time.Sleep(100 * time.Millisecond)
						n, err := deaf.Read(buf)
						got.Write(buf[:n])
						if err != nil {
							return
						}
					}
				}()
				if err := h.server.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				synctest.Wait()
				time.Sleep(time.Second)
				synctest.Wait()
				if got.String() != "1: 0\n1: 1\n1: 2\n1: 3\n1: 4\n1: 5\n1: 6\n1: 7\n1: 8\n1: 9\n" {
					t.Errorf("after Shutdown: %q", got.String())
				}
			} else {
				h.server.Close()
				if n, err := deaf.Read(make([]byte, 1000)); err == nil {
					t.Errorf("after Close, %d bytes arrived", n)
				}
			}
			a.expect("EOF")
			if err := <-h.ended; !errors.Is(err, ErrServerClosed) {
				t.Errorf("Serve returned %v, want ErrServerClosed", err)
			}
			if err := h.server.Serve(t.Context(), newMemListener()); !errors.Is(err, ErrServerClosed) {
				t.Errorf("Serve after that returned %v, want ErrServerClosed", err)
			}
			h.cancel()
		})
	}
}

// TestShutdownGivesUp: its context ends before a client reads.
func TestShutdownGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		a := h.enter()
		h.enterDeaf()
		a.say("hello")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := h.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Shutdown returned %v after %v", err, time.Since(start))
		}
		if err := <-h.ended; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve returned %v, want ErrServerClosed", err)
		}
		h.cancel()
	})
}

func TestServeEnds(t *testing.T) {
	errCause := errors.New("a cause")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		h := &hall{t: t, server: &Server{}, l: newMemListener(), ended: make(chan error, 1)}
		go func() { h.ended <- h.server.Serve(ctx, h.l) }()
		a := h.enter()
		cancel(errCause)
		if err := <-h.ended; !errors.Is(err, errCause) {
			t.Errorf("Serve returned %v, want the cause", err)
		}
		a.expect("EOF")
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{})
		a := h.enter()
		h.l.Close()
		if err := <-h.ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v, want the listener's error", err)
		}
		a.expect("EOF")
		h.cancel()
	})
}

func TestServerMistakes(t *testing.T) {
	for _, s := range []*Server{{MaxMessage: -1}, {Queue: -1}, {Framing: 7}, {Slow: -1}} {
		if err := s.Serve(t.Context(), newMemListener()); err == nil || !strings.HasPrefix(err.Error(), "relay: ") {
			t.Errorf("Serve returned %v", err)
		}
	}
}

// TestTwoListeners: clients of both are in one room.
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
