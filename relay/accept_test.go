package relay

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A failingListener returns a list of errors, and then net.ErrClosed.
type failingListener struct {
	net.Listener
	errs  []error
	calls []time.Time
}

func (l *failingListener) Accept() (net.Conn, error) {
	l.calls = append(l.calls, time.Now())
	if len(l.errs) == 0 {
		return nil, net.ErrClosed
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", err)}
}

func (l *failingListener) SetDeadline(time.Time) error { return nil }

// TestAcceptAgain: after a temporary error Accept is called again, with growing pauses. Any other error ends the loop.
func TestAcceptAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passing := []error{
			syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
			syscall.EMFILE, syscall.EMFILE, syscall.EMFILE, syscall.EMFILE,
		}
		l := &failingListener{errs: slices.Clone(passing)}
		var failed []error
		err := acceptLoop(t.Context(), l, &Trace{AcceptFailed: func(err error) { failed = append(failed, err) }}, nil)
		if !errors.Is(err, net.ErrClosed) || len(failed) != len(passing) {
			t.Errorf("it ended with %v after %d failures", err, len(failed))
		}
		for i, pause := 0, minAcceptPause; i < len(l.calls)-1; i, pause = i+1, min(2*pause, maxAcceptPause) {
			if got := l.calls[i+1].Sub(l.calls[i]); got != pause {
				t.Errorf("pause %d is %v, want %v", i+1, got, pause)
			}
		}
	})
}

// TestAcceptPauseEnds: the end of the context ends the pause.
func TestAcceptPauseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		err := acceptLoop(ctx, &failingListener{errs: []error{syscall.EMFILE}}, &Trace{}, nil)
		if took := time.Since(start); err != nil || took != time.Millisecond {
			t.Errorf("it ended with %v after %v", err, took)
		}
	})
}
