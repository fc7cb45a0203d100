package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestShutdownDrains: Shutdown delivers all messages that were read. Close does not.
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

// TestShutdownGivesUp: the context of Shutdown ends before a client reads.
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

// TestShutdownOfOneThatWaits: Shutdown ends the reading of a silent client at once.
func TestShutdownOfOneThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{Queue: 1000, Slow: Wait, WriteTimeout: -1, IdleTimeout: 24 * time.Hour})
		defer h.close()
		a, deaf := h.enter(), h.enterDeaf()
		for range 2 { // the second waits for room
			a.say(strings.Repeat("x", 900))
		}
		done := make(chan error)
		go func() { done <- h.server.Shutdown(t.Context()) }()
		synctest.Wait()
		start := time.Now()
		got, err := io.ReadAll(deaf)
		if want := 2 * (len("1: \n") + 900); len(got) != want || err != nil {
			t.Errorf("%d bytes, %v; want %d", len(got), err, want)
		}
		if err := <-done; err != nil || time.Since(start) > time.Minute {
			t.Errorf("Shutdown: %v after %v", err, time.Since(start))
		}
	})
}

// TestCloseDoesNotWait: Close does not wait for refused clients that read nothing.
func TestCloseDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, &Server{MaxClients: 1})
		defer h.close()
		h.enterDeaf()
		refused := h.enterDeaf()
		defer refused.Close()
		start := time.Now()
		h.server.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v", took)
		}
	})
}
