package relay

import (
	"errors"
	"fmt"
	"io"
	"math"
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

// TestPatienceWithReaders: who has taken more than any system buffers may stall for
// longer than who has not, and not for ever.
func TestPatienceWithReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left departures
		h := newHall(t, &Server{Framing: Line, MaxMessage: 1 << 20, Queue: 5000, Patience: time.Second, Trace: left.trace()})
		defer h.close()
		a, slow := h.enter(), h.enterDeaf()
		line := func(size int) string { return strings.Repeat("x", size-1) + "\n" }
		hear := func(size int) error {
			_, err := io.ReadFull(slow, make([]byte, len("1: ")+size))
			return err
		}
		stall := func(d time.Duration, want bool) {
			t.Helper()
			for range 5 {
				a.say(line(1000)) // the last one waits for room
			}
			after(d)
			var err error
			for range 5 {
				err = errors.Join(err, hear(1000))
			}
			synctest.Wait()
			if all := left.all(); (err == nil) != want || (len(all) == 0) != want {
				t.Errorf("after %v: %v, left with %v; is it to be there: %v", d, err, all, want)
			}
		}
		stall(time.Second-time.Millisecond, true)
		for range mostBuffered >> 20 {
			a.say(line(1 << 20))
			if err := hear(1 << 20); err != nil {
				t.Fatal(err)
			}
		}
		stall(readerPatience*time.Second-time.Millisecond, true)
		stall(readerPatience*time.Second+time.Millisecond, false)
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

// TestLongestPatience: who waits for as long as it may be said waits.
func TestLongestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left departures
		h := newHall(t, &Server{Queue: 100, Patience: math.MaxInt64, WriteTimeout: -1, Trace: left.trace()})
		defer h.close()
		a := h.enter()
		h.enterDeaf()
		for range 2 { // the second waits for room
			a.say(strings.Repeat("x", 80) + "\n")
		}
		after(24 * time.Hour)
		if got := left.all(); len(got) != 0 {
			t.Errorf("left with %v, want nobody", got)
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

// TestWriteDeadlineMoves: each write has nearly all of WriteTimeout, whatever was
// written before.
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

// TestWaitEndsWithSpeaker: who waits for a deaf client waits no longer when its own
// connection has ended.
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

// TestFullUntilRoomy: a queue that was full takes nothing, however short, until half of
// it is free; else who waits with a long message might wait for ever.
func TestFullUntilRoomy(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	c := newClient(1, here, options{queue: 1000, slow: Wait})
	steps := []struct {
		size int
		want bool
	}{{500, true}, {500, false}, {1, false}}
	for i, s := range steps {
		if ok, _ := c.offer(deliveryOf(0, s.size)); ok != s.want {
			t.Errorf("step %d: %d bytes: %v, want %v", i, s.size, ok, s.want)
		}
	}
	c.take(nil) // to be written
	if ok, _ := c.offer(deliveryOf(0, 1)); ok {
		t.Error("room before it is written")
	}
	c.take(nil) // it is
	if ok, _ := c.offer(deliveryOf(0, 500)); !ok {
		t.Error("no room afterwards")
	}
}
