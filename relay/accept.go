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

// Accept is tried again after an error that may pass, less often the longer it lasts.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// acceptHooks are what an acceptLoop calls. failed may be nil.
type acceptHooks struct {
	waiting  func()
	accepted func(net.Conn)
	failed   func(error)
}

// acceptLoop accepts connections until ctx ends, and returns nil, or l fails.
func acceptLoop(ctx context.Context, l net.Listener, hooks acceptHooks) error {
	pause := minAcceptPause
	for ctx.Err() == nil {
		hooks.waiting()
		conn, err := l.Accept()
		switch {
		case err == nil && ctx.Err() != nil:
			conn.Close()
		case err == nil:
			pause = minAcceptPause
			hooks.accepted(conn)
		case ctx.Err() != nil:
		case !passing(err):
			return err
		default:
			if hooks.failed != nil {
				hooks.failed(err)
			}
			sleep(ctx, pause)
			pause = min(2*pause, maxAcceptPause)
		}
	}
	return nil
}

// passing reports whether Accept may succeed the next time: the client has gone already, or the system is short
// of something that others will give back.
func passing(err error) bool {
	return errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ECONNRESET) || shortage(err)
}

// shortage reports whether err says that the system is short of descriptors or memory.
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

// watch calls f when ctx ends, until stop is called, which waits for f.
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

// interruptAccept lets the end of ctx end l's Accept, until release is called.
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
