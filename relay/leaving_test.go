package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// leave lets a client say exit before it has read its queue.
func leave(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, exit); err != nil {
		t.Error(err)
	}
	synctest.Wait()
}

// TestManyLeave: the number of departed clients with unread queues is at most MaxClients. The first to leave is
// disconnected first.
func TestManyLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 3
		var left departures
		h := newHall(t, &Server{MaxClients: most, Trace: left.trace()})
		defer h.close()
		a := h.enter()
		var conns []net.Conn
		for range 10 * most {
			c := h.enterDeaf()
			a.say("hello\n")
			leave(t, c)
			conns = append(conns, c)
		}
		if n := len(h.server.leaving); n != most {
			t.Errorf("%d clients are leaving, want %d", n, most)
		}
		if got := left.all(); len(got) != len(conns)-most || !errors.Is(errors.Join(got...), ErrSlow) {
			t.Errorf("left with %v, want %d times ErrSlow", got, len(conns)-most)
		}
		for i, c := range conns {
			want := ""
			if i >= len(conns)-most {
				want = "1: hello\n"
			}
			if got, _ := io.ReadAll(c); string(got) != want {
				t.Errorf("client %d heard %q, want %q", i+2, got, want)
			}
		}
	})
}

// TestLeavingTakesTime: a departed client has one WriteTimeout for its whole queue. Shutdown waits until its
// context ends.
func TestLeavingTakesTime(t *testing.T) {
	const messages = 10
	line := strings.Repeat("x", maxWritten-10) + "\n"
	for name, tt := range map[string]struct {
		leave func(*testing.T, *hall, net.Conn)
		want  int // messages that arrive
		err   error
	}{
		"exit": {func(t *testing.T, _ *hall, c net.Conn) { leave(t, c) }, 3, ErrSlow},
		"Shutdown": {func(t *testing.T, h *hall, _ net.Conn) {
			go h.server.Shutdown(t.Context())
			synctest.Wait()
		}, messages, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var left departures
				h := newHall(t, &Server{Trace: left.trace()})
				defer h.close()
				a, slow := h.enter(), h.enterDeaf()
				for range messages {
					a.say(line)
				}
				tt.leave(t, h, slow)
				heard := 0
				for buf := make([]byte, len("1: ")+len(line)); ; heard++ {
					after(DefaultWriteTimeout * 3 / 10)
					if _, err := io.ReadFull(slow, buf); err != nil {
						break
					}
				}
				if got := left.all(); heard != tt.want || !errors.Is(errors.Join(got...), tt.err) {
					t.Errorf("heard %d messages, left with %v; want %d, %v", heard, got, tt.want, tt.err)
				}
			})
		})
	}
}

// A shaker is a conn whose Write reads first, as a TLS conn's does.
type shaker struct{ net.Conn }

func (s shaker) Write(b []byte) (int, error) {
	if _, err := io.ReadFull(s.Conn, make([]byte, 1)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

// TestRefusedShakesNoHands: refused clients whose handshake never ends delay neither later clients nor Shutdown.
func TestRefusedShakesNoHands(t *testing.T) {
	for _, refused := range []int{1, maxPartings + 3} {
		synctest.Test(t, func(t *testing.T) {
			h := newHall(t, &Server{MaxClients: 1})
			a := h.enter()
			for range refused {
				_, there := net.Pipe()
				select {
				case h.l.conns <- shaker{there}:
				case <-time.After(time.Minute):
					t.Fatal("nobody is accepted any more")
				}
			}
			synctest.Wait()
			if got := h.server.Stats().Refused; got != uint64(refused) {
				t.Errorf("%d refused, want %d", got, refused)
			}
			a.say("exit")
			a.expect("EOF")
			ctx, cancel := context.WithTimeout(t.Context(), 2*partingTimeout)
			defer cancel()
			if err := h.server.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			h.close()
		})
	}
}
