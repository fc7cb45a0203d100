package datagram

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// past is a read deadline that has passed on any clock, including synctest's.
var past = time.Unix(1, 0)

// writeGrace is how long a Write may still wait after the context has ended.
const writeGrace = time.Second

// errWoken is the error of a read that Wake has ended.
var errWoken = errors.New("datagram: woken")

// A watch owns the deadlines of a conn, so that the end of a context, or a call of Wake,
// always ends a read.
type watch struct {
	pc   net.PacketConn
	once sync.Once
	end  func() // stops waiting for the context's end

	// armed is the read deadline that was set last, zero if none. fired is set when a read
	// has found it passed. Only the reader uses both.
	armed time.Time
	fired bool

	woken atomic.Bool // set with mu held

	mu    sync.Mutex // held while a deadline is set
	ended error      // why the context has ended; then the deadline stays in the past
}

// start begins to wait for the context's end.
func (w *watch) start(ctx context.Context, pc net.PacketConn) {
	w.pc = pc
	_ = pc.SetReadDeadline(time.Time{})
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		w.cancel(context.Cause(ctx))
	})
	w.end = func() {
		if !stop() {
			<-done
		}
	}
}

func (w *watch) cancel(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = cause
	// If the conn is closed, the reader gets the same error.
	_ = w.pc.SetReadDeadline(past)
	_ = w.pc.SetWriteDeadline(time.Now().Add(writeGrace))
}

// wake ends a read, now or when it begins.
func (w *watch) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.woken.Swap(true) && w.ended == nil {
		_ = w.pc.SetReadDeadline(past)
	}
}

// takeWoken reports whether wake was called since the last time.
func (w *watch) takeWoken() bool {
	if !w.woken.Load() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken.Store(false)
	w.fired = true // the deadline is wake's
	return true
}

// stop stops waiting for the context's end and clears the deadlines.
func (w *watch) stop() {
	w.once.Do(func() {
		w.end()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.woken.Store(true) // no wake sets a deadline any more
		_ = w.pc.SetReadDeadline(time.Time{})
		if w.ended != nil {
			_ = w.pc.SetWriteDeadline(time.Time{})
		}
	})
}

// arm sets the read deadline to t, or leaves an earlier one: a protocol moves its deadline
// with almost every packet, and a read that fails early now and then (see [watch.fires])
// costs less than a timer per read.
func (w *watch) arm(t time.Time) error {
	if !w.fired && (w.armed.Equal(t) || !w.armed.IsZero() && (t.IsZero() || w.armed.Before(t))) {
		return nil
	}
	return w.set(t)
}

// fires notes that a deadline has passed. It reports whether that was earlier than t, so
// that the read has to be repeated.
func (w *watch) fires(t time.Time) (early bool) {
	w.fired = true
	return !w.armed.IsZero() && !w.armed.Equal(t)
}

// set sets the read deadline. It does not undo the deadline of cancel or wake.
func (w *watch) set(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		return w.ended
	}
	if w.woken.Load() {
		return errWoken
	}
	if err := w.pc.SetReadDeadline(t); err != nil {
		return err
	}
	w.armed, w.fired = t, false
	return nil
}
