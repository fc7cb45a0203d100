package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	// maxEarly is the maximum number of bytes read from one side before the other is connected. The end of a client that
	// has sent as many is not noticed.
	maxEarly = 4 << 10
	// endedTimeout limits the tries for a client that has closed its sending direction: it may be gone.
	endedTimeout = 30 * time.Second
)

// upstream returns the connection of ListenAndForward if it is still open, or a new one.
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
	// aliveWait is the read timeout of alive.
	aliveWait = time.Millisecond
	// If the read took longer than delayed, the process may have had no processor and may not have read at all. alive
	// then reads again, at most aliveTries times.
	delayed    = 5 * aliveWait
	aliveTries = 4
)

// alive reports whether the other side has conn open. It reads to find out, and returns the bytes that it read.
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

func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// reach connects to the upstream host for a client, unless the client ends first. sent holds the bytes that the client
// sent meanwhile.
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

// readEarly reads from a client until the read deadline, until maxEarly bytes were read, or until the client is gone.
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

// dial connects to the upstream host, repeatedly if Retry is set.
func (w *forwarding) dial(ctx context.Context, from netip.AddrPort) (net.Conn, error) {
	for {
		up, err := w.try(ctx, from)
		if err == nil || ctx.Err() != nil || w.Retry <= 0 {
			return up, err
		}
		sleep(ctx, w.Retry)
	}
}

// try is one try of dial.
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

// dialWhenShort dials, and repeats that while the system is short of descriptors. No client is accepted meanwhile: it would
// take the next free descriptor.
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
