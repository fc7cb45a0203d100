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

// ended takes a FIN: it answers it, and begins to check the file if it is all there.
func (v *serving) ended(now time.Time, s *session, f *fin) {
	if s.state == underWay {
		if !s.gather.end(f.size) || s.offer.SHA256 != nil && *s.offer.SHA256 != f.digest {
			v.failSession(now, s, fmt.Errorf("p2mp: %w: the end contradicts the beginning", ferry.ErrDigest), ReasonDigest, true)
			return
		}
		s.digest, s.number = f.digest, f.number
		if v.lingers == 0 { // not told otherwise
			s.linger = min(DefaultLinger, max(leastLinger, s.lingerTimers()*f.rto))
		}
		if s.gather.complete() {
			if !v.unload(now, s) {
				return
			}
			v.check(now, s)
		}
	}
	v.answer(now, s, f.number)
}

// check verifies and commits the file in a goroutine: a digest of what lies on a disk,
// and bringing a file safely there, may take longer than others may wait.
func (v *serving) check(now time.Time, s *session) {
	s.state, s.checkedSince = beingChecked, now
	s.result = make(chan error, 1)
	v.checking = append(v.checking, s)
	go func() { s.result <- s.verify(v.ctx) }()
}

// verify runs in a goroutine of its own, which owns the sink meanwhile.
func (s *session) verify(ctx context.Context) error {
	h := s.hash
	if h == nil {
		h = sha256.New()
		if _, err := io.Copy(h, heldFile{ctx, io.NewSectionReader(s.sink.(ferry.Resumer), 0, s.size)}); err != nil {
			return fmt.Errorf("p2mp: reading the file again: %w", err)
		}
	}
	if [32]byte(h.Sum(nil)) != s.digest {
		return errDigest
	}
	if err := s.sink.Commit(); err != nil {
		return &commitError{err}
	}
	return nil
}

// A heldFile reads what a Resumer holds, until ctx ends: it may be very long.
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

// A stoppedError says that the context's end cut a check short.
type stoppedError struct{ cause error }

func (e *stoppedError) Error() string { return e.cause.Error() }

func (e *stoppedError) Unwrap() error { return e.cause }

// A commitError is an error of Commit, after which Abort must not be called.
type commitError struct{ err error }

func (e *commitError) Error() string { return "p2mp: keeping the file: " + e.err.Error() }

func (e *commitError) Unwrap() error { return e.err }

// checked ends the sessions whose check has come to a result. The sender, which waits
// for it, is told without being asked. A check's own instant is too early to look: in
// virtual time, what is seen there would be a race between goroutines.
func (v *serving) checked(now time.Time) {
	v.checking = slices.DeleteFunc(v.checking, func(s *session) bool {
		if !now.After(s.checkedSince) {
			return false
		}
		select {
		case err := <-s.result:
			v.settle(now, s, err)
			return true
		default:
			return false
		}
	})
}

// settle records the result of a check, and tells the sender.
func (v *serving) settle(now time.Time, s *session, err error) {
	_, stopped := errors.AsType[*stoppedError](err)
	switch {
	case err == nil:
		v.complete++
		v.finishSession(now, s, whole, nil)
	case stopped:
		v.failSession(now, s, err, ReasonCanceled, false)
	default:
		v.failSession(now, s, err, trouble(err), false)
	}
	v.answer(now, s, s.number)
}
