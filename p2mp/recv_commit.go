package p2mp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ferrygo/ferry"
)

// commit verifies and commits the file in another goroutine. Reading a file again, or writing
// it to a disk safely, may take longer than other transfers can wait.
func (l *recvLoop) commit(now time.Time, t *transfer) {
	t.state, t.since = committing, now
	t.result = make(chan error, 1)
	l.committing = append(l.committing, t)
	l.commits.Go(func() {
		t.result <- t.verify(l.ctx)
		if l.conn != nil {
			l.conn.Wake()
		}
	})
}

// verify runs in the goroutine of the commit, which owns the sink until it ends.
func (t *transfer) verify(ctx context.Context) error {
	if s := t.session; s != nil {
		h := t.hash
		if h == nil {
			h = sha256.New()
			held := heldFile{ctx, io.NewSectionReader(t.sink.(ferry.Resumer), 0, t.bytes)}
			if _, err := io.Copy(h, held); err != nil {
				return fmt.Errorf("p2mp: reading the file again: %w", err)
			}
		}
		if [32]byte(h.Sum(nil)) != s.digest {
			return errDigest
		}
	}
	if err := t.sink.Commit(); err != nil {
		return &commitError{err}
	}
	return nil
}

// A heldFile reads what a Resumer holds, until ctx ends: the file may be very long.
type heldFile struct {
	ctx context.Context
	r   io.Reader
}

func (f heldFile) Read(b []byte) (int, error) {
	if f.ctx.Err() != nil {
		return 0, &stoppedError{context.Cause(f.ctx)}
	}
	return f.r.Read(b)
}

// A stoppedError means that the end of the context stopped a verification.
type stoppedError struct{ cause error }

func (e *stoppedError) Error() string { return e.cause.Error() }

func (e *stoppedError) Unwrap() error { return e.cause }

// A commitError is an error of Commit. After it Abort must not be called.
type commitError struct{ err error }

func (e *commitError) Error() string { return "p2mp: keeping the file: " + e.err.Error() }

func (e *commitError) Unwrap() error { return e.err }

// committed ends the transfers whose commit has a result. A result is not looked at in the
// instant in which the commit began: in virtual time it would be a race whether it is there.
func (l *recvLoop) committed(now time.Time) {
	l.committing = slices.DeleteFunc(l.committing, func(t *transfer) bool {
		if !now.After(t.since) {
			return false
		}
		select {
		case err := <-t.result:
			l.conclude(now, t, err)
			return true
		default:
			return false
		}
	})
}

// conclude ends a transfer with the result of its commit, and tells the sender.
func (l *recvLoop) conclude(now time.Time, t *transfer, err error) {
	_, stopped := errors.AsType[*stoppedError](err)
	switch {
	case err == nil:
		l.finish(now, t, whole, nil)
		l.confirm(now, t)
	case stopped:
		l.fail(now, t, err, ReasonCanceled)
	default:
		if errors.Is(err, ferry.ErrDigest) && t.held > 0 {
			t.session.again = true
		}
		l.fail(now, t, err, trouble(err))
	}
}

// nextCommit is when the loop must look for the results of commits that began now: they
// may have woken it already. It is zero if there are none.
func (l *recvLoop) nextCommit(now time.Time) (wake time.Time) {
	for _, t := range l.committing {
		if !now.After(t.since) {
			wake = now.Add(time.Microsecond)
		}
	}
	return wake
}
