package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A deaf client enters and never reads.
func (h *hall) enterDeaf() net.Conn {
	conn := h.l.dial()
	synctest.Wait()
	return conn
}

// TestDisconnect: a client that stops reading is disconnected. The others receive everything, and wait for one
// SlowTimeout.
func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan error, 3)
		h := newHall(t, &Server{Queue: 10_000, SlowTimeout: time.Second, Trace: &Trace{
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
			t.Errorf("500 messages took %v, want SlowTimeout, 1s", took)
		}
		if err := <-left; !errors.Is(err, ErrSlow) {
			t.Errorf("the deaf client left with %v, want ErrSlow", err)
		}
	})
}

// TestSlowReader: a client with a full queue stays if it takes 16 KiB in each SlowTimeout, at any point of it.
func TestSlowReader(t *testing.T) {
	for _, tt := range []struct {
		name  string
		taken int // after each pause
		pause time.Duration
		stays bool
		least time.Duration // that the messages take
	}{
		{"steady", 20, time.Millisecond, true, 25 * time.Second},
		{"all at once", 2 * minTaken, 999 * time.Millisecond, true, 15 * time.Second},
		{"too little", minTaken - 1000, 1001 * time.Millisecond, false, 0},
		{"nothing for too long", 1 << 20, 1100 * time.Millisecond, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var left departures
				h := newHall(t, &Server{Queue: 10_000, SlowTimeout: time.Second, Trace: left.trace()})
				a, slow := h.enter(), h.enterDeaf()
				go func() {
					for {
						time.Sleep(tt.pause)
						if _, err := io.ReadFull(slow, make([]byte, tt.taken)); err != nil {
							return
						}
					}
				}()
				start := time.Now()
				for range 10 {
					a.say(strings.Repeat(strings.Repeat("x", 99)+"\n", 600))
				}
				if got := left.all(); (len(got) == 0) != tt.stays || time.Since(start) < tt.least {
					t.Errorf("left with %v after %v; is it to stay: %v", got, time.Since(start), tt.stays)
				}
				h.close()
				slow.Close()
				after(time.Hour)
			})
		})
	}
}

// TestRateBesideDeaf: one client floods three that read at a steady rate. A fifth client that never reads costs
// them at most a tenth of the rate. The flood takes five seconds. The queues are so short that the flood waits for
// the fifth client at once.
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

// paced reads to the end, with a pause after every size bytes.
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

// TestDisconnectAtOnce: if a client has read nothing during SlowTimeout when its queue fills up, the others do not
// wait.
func TestDisconnectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Queue: 10_000, SlowTimeout: time.Second})
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

// TestDropOldest: no client waits, and a notice marks the gap.
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
		// The first message was being written already.
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

// TestWait: the client that speaks waits until WriteTimeout ends the slow client.
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

// TestWriteTimeout: a client that does not read is disconnected although its queue is not full.
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

// TestWriteDeadlineMoves: each write has at least seven eighths of WriteTimeout.
func TestWriteDeadlineMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 8 * time.Second
		left := make(chan time.Time, 2)
		h := newHall(t, &Server{WriteTimeout: limit, Trace: &Trace{
			Left: func(Client, ClientReport, error) { left <- time.Now() },
		}})
		defer h.close()
		a, b := h.enter(), h.enterDeaf()
		a.say("one")
		if _, err := io.ReadFull(b, make([]byte, len("1: one\n"))); err != nil {
			t.Fatal(err)
		}
		after(limit * 3 / 4)
		a.say("two")
		start := time.Now()
		if took := (<-left).Sub(start); took < limit-limit/8 || took > limit {
			t.Errorf("gone after %v, want %v, less an eighth at most", took, limit)
		}
	})
}

// TestWaitEndsWithSpeaker: a client stops waiting for a full queue when its own connection ends.
func TestWaitEndsWithSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan uint64, 3)
		h := newHall(t, &Server{Queue: 1000, Slow: Wait, WriteTimeout: -1, Trace: &Trace{
			Left: func(c Client, _ ClientReport, _ error) { left <- c.ID },
		}})
		defer h.close()
		a, b := h.enter(), h.enter()
		h.enterDeaf()
		for range 2 { // the second waits for room
			a.say(strings.Repeat("x", 900))
		}
		a.Close()
		b.say("is 1 there?")
		select {
		case id := <-left:
			if id != 1 {
				t.Errorf("client %d has left", id)
			}
		default:
			t.Error("client 1 has gone, and the server still waits on its behalf")
		}
	})
}

// TestFullUntilHalfFree: a queue that was full counts as full until half of it is free.
func TestFullUntilHalfFree(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	c := newClient(1, here, options{queue: 1000, slow: Wait})
	for i, s := range []struct {
		size int
		full bool
	}{{500, false}, {300, false}, {100, true}, {1, true}} {
		if full, _ := c.push(deliveryOf(0, s.size)); full != s.full {
			t.Errorf("step %d: %d bytes: %v, want %v", i, s.size, full, s.full)
		}
	}
	c.take(nil) // to be written
	if full, _ := c.push(deliveryOf(0, 1)); !full {
		t.Error("room before it is written")
	}
	c.take(nil) // it is
	if full, _ := c.push(deliveryOf(0, 500)); full {
		t.Error("no room afterwards")
	}
}

// TestOneOrder: all clients, a slow one included, receive the messages of several in the same order.
func TestOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Framing: Line, Queue: 1000, Slow: Wait, WriteTimeout: -1})
		defer h.close()
		fast, slow := h.enter(), h.enterDeaf()
		var heard strings.Builder
		go func() {
			for buf := make([]byte, 50); ; time.Sleep(time.Millisecond) {
				n, err := slow.Read(buf)
				if heard.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
		var speakers sync.WaitGroup
		for range 3 {
			g := h.l.dial()
			go io.Copy(io.Discard, g)
			speakers.Go(func() {
				for i := range 100 {
					fmt.Fprintf(g, "%d\n", i)
				}
			})
		}
		speakers.Wait()
		after(time.Minute)
		if want := fast.heard(); heard.String() != want || strings.Count(want, "\n") != 300 {
			t.Errorf("the slow client heard\n%q\nthe other\n%q", heard.String(), want)
		}
		slow.Close()
		after(time.Second)
	})
}
