package relay

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// past is a deadline that has passed on any clock, synctest's included.
var past = time.Unix(1, 0)

// The pause after an Accept that failed and may succeed later. It doubles while Accept keeps failing.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// acceptLoop accepts connections until ctx ends, and returns nil, or until l fails.
func acceptLoop(ctx context.Context, l net.Listener, trace *Trace, accepted func(net.Conn)) error {
	defer interruptAccept(ctx, l)()
	pause := minAcceptPause
	for ctx.Err() == nil {
		if trace.Waiting != nil {
			trace.Waiting(addrPort(l.Addr()))
		}
		conn, err := l.Accept()
		switch {
		case err == nil && ctx.Err() != nil:
			conn.Close()
		case err == nil:
			pause = minAcceptPause
			accepted(conn)
		case ctx.Err() != nil:
		case !temporary(err):
			return err
		default:
			if trace.AcceptFailed != nil {
				trace.AcceptFailed(err)
			}
			sleep(ctx, pause)
			pause = min(2*pause, maxAcceptPause)
		}
	}
	return nil
}

// temporary reports whether the next Accept may succeed: the client closed its connection before it was accepted, or
// the system is short of descriptors or memory.
func temporary(err error) bool {
	return errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ECONNRESET) || shortage(err)
}

// shortage reports whether the system is short of descriptors or memory.
func shortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// watch calls f when ctx ends. stop prevents that, or waits until f has returned.
func watch(ctx context.Context, f func()) (stop func()) {
	done := make(chan struct{})
	end := context.AfterFunc(ctx, func() {
		defer close(done)
		f()
	})
	return func() {
		if !end() {
			<-done
		}
	}
}

// interruptAccept ends l's Accept when ctx ends. release undoes that.
func interruptAccept(ctx context.Context, l net.Listener) (release func()) {
	d, ok := l.(interface{ SetDeadline(t time.Time) error })
	if !ok {
		return watch(ctx, func() { l.Close() })
	}
	_ = d.SetDeadline(time.Time{})
	stop := watch(ctx, func() { _ = d.SetDeadline(past) })
	return func() {
		stop()
		_ = d.SetDeadline(time.Time{})
	}
}
