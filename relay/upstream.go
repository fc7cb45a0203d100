package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxEarly bounds what is read from one side before there is the other. A client that has sent as much
	// can go without being noticed.
	maxEarly = 4 << 10
	// endedTimeout is how long the upstream host is tried for a client that has closed its sending direction:
	// one that has gone looks the same.
	endedTimeout = 30 * time.Second
)

// upstream returns the connection that was made before if it is still open, or a new one.
func (w *forwarding) upstream(ctx context.Context, c net.Conn) (up net.Conn, e early, err error) {
	select {
	case up = <-w.ready:
		var ok bool
		if e.down, ok = w.alive(ctx, up); ok {
			return up, e, nil
		}
		up.Close()
	default:
	}
	up, e.up, err = w.reach(ctx, c)
	return up, e, err
}

const (
	// aliveWait is how long alive waits for what has arrived already.
	aliveWait = time.Millisecond
	// delayed is how long that takes where the process had to wait for a processor, and may not have looked
	// at all; then alive looks again, aliveTries times in all.
	delayed    = 5 * aliveWait
	aliveTries = 4
)

// alive reports whether the other side has not closed conn, and returns what it has sent: the only way to
// know is to read.
func (w *forwarding) alive(ctx context.Context, conn net.Conn) (sent []byte, ok bool) {
	defer watch(ctx, func() { conn.Close() })()
	sent = make([]byte, maxEarly)
	n, err := 0, error(nil)
	for range aliveTries {
		start := time.Now()
		if err := conn.SetReadDeadline(start.Add(aliveWait)); err != nil {
			return nil, false
		}
		n, err = conn.Read(sent)
		if !timedOut(err) || time.Since(start) < delayed {
			break
		}
	}
	if err != nil && !timedOut(err) {
		return nil, false
	}
	return sent[:n], conn.SetReadDeadline(time.Time{}) == nil
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// reach connects to the upstream host for a client, unless the client goes first. sent is what the client has
// sent by then.
func (w *forwarding) reach(ctx context.Context, c net.Conn) (up net.Conn, sent []byte, err error) {
	dialing, giveUp := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() {
		var gone bool
		if sent, gone = readEarly(dialing, c); gone {
			giveUp()
		}
	})
	up, err = w.dial(dialing, addrPort(c.RemoteAddr()))
	giveUp()
	_ = c.SetReadDeadline(past)
	reader.Wait()
	_ = c.SetReadDeadline(time.Time{})
	return up, sent, err
}

// readEarly returns what a client sends until its read deadline passes, until maxEarly bytes have come, or until
// it has gone.
func readEarly(ctx context.Context, c net.Conn) (sent []byte, gone bool) {
	buf := make([]byte, maxEarly)
	for len(sent) < len(buf) {
		n, err := c.Read(buf[len(sent):])
		sent = buf[:len(sent)+n]
		switch {
		case err == io.EOF:
			sleep(ctx, endedTimeout)
			return sent, true
		case err != nil:
			return sent, !timedOut(err)
		}
	}
	return sent, false
}

// dial connects to the upstream host, again and again with Retry.
func (w *forwarding) dial(ctx context.Context, from netip.AddrPort) (net.Conn, error) {
	for {
		up, err := w.try(ctx, from)
		if err == nil || ctx.Err() != nil || w.Retry <= 0 {
			return up, err
		}
		sleep(ctx, w.Retry)
	}
}

// try is one try, of DialTimeout at most.
func (w *forwarding) try(ctx context.Context, from netip.AddrPort) (net.Conn, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if d := orDefault(w.DialTimeout, DefaultDialTimeout); d > 0 {
		limited, cancel = context.WithTimeout(ctx, d)
	}
	defer cancel()
	up, err := w.dialWhenShort(limited)
	switch {
	case err == nil:
		return up, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("relay: forwarding: %w", context.Cause(ctx))
	}
	err = &UpstreamError{To: w.to, Err: err}
	if w.trace.Unreachable != nil {
		w.trace.Unreachable(from, err)
	}
	return nil, err
}

// dialWhenShort dials again while the system is short of descriptors. No client is accepted meanwhile: it would
// take the descriptor that this one lacks.
func (w *forwarding) dialWhenShort(ctx context.Context) (net.Conn, error) {
	dial := w.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	up, err := dial(ctx, "tcp", w.to)
	if !shortage(err) {
		return up, err
	}
	select {
	case w.short <- struct{}{}:
		defer func() { <-w.short }()
	case <-ctx.Done():
	}
	for shortage(err) && ctx.Err() == nil {
		sleep(ctx, minAcceptPause)
		up, err = dial(ctx, "tcp", w.to)
	}
	return up, err
}
