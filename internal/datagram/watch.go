package datagram

import (
	"context"
	"net"
	"sync"
	"time"
)

// past is a read deadline that has passed on any clock, synctest's included.
var past = time.Unix(1, 0)

// farewell is how long a Write may still wait after the context has ended.
const farewell = time.Second

// A watch owns the deadlines of a conn, so that the end of a context wakes its reader
// however the two meet.
type watch struct {
	pc   net.PacketConn
	once sync.Once
	end  func() // ends the watching and waits for it

	// armed is the read deadline set last, zero if none; fired, that it has been seen
	// to pass. Both are the reader's own.
	armed time.Time
	fired bool

	mu    sync.Mutex // held while a deadline is set
	ended error      // why the context has ended; then the deadline stays in the past
}

// start begins to watch.
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
	// The error of a closed conn: the reader finds it, too.
	_ = w.pc.SetReadDeadline(past)
	_ = w.pc.SetWriteDeadline(time.Now().Add(farewell))
}

// stop ends the watching and clears the deadlines.
func (w *watch) stop() {
	w.once.Do(func() {
		w.end()
		_ = w.pc.SetReadDeadline(time.Time{})
		if w.ended != nil {
			_ = w.pc.SetWriteDeadline(time.Time{})
		}
	})
}

// arm sees to it that a read waits until t, or for less. A deadline set too early
// stays: it moves away with almost every packet, and a read that fails early now and
// then (see [watch.fires]) costs less than a timer set each time.
func (w *watch) arm(t time.Time) error {
	if !w.fired && (w.armed.Equal(t) || !w.armed.IsZero() && (t.IsZero() || w.armed.Before(t))) {
		return nil
	}
	return w.set(t)
}

// fires notes that a deadline has passed, and reports whether it was one before t, and
// the read is to be repeated.
func (w *watch) fires(t time.Time) (early bool) {
	w.fired = true
	return !w.armed.IsZero() && !w.armed.Equal(t)
}

// set sets the read deadline, unless the context has ended: a deadline of ours must not
// undo the one that ended the reading.
func (w *watch) set(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		return w.ended
	}
	if err := w.pc.SetReadDeadline(t); err != nil {
		return err
	}
	w.armed, w.fired = t, false
	return nil
}
