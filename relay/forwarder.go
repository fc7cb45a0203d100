package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// DefaultMaxConns is how many clients a Forwarder serves at once.
const DefaultMaxConns = 1024

// A Forwarder carries connections on to another host, byte by byte, in both directions.
// The zero value is ready to use. One Forwarder may run several calls at the same time.
type Forwarder struct {
	// Dial connects to the upstream host. Nil means a zero net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Listen opens ListenAndForward's listener. Nil means a zero net.ListenConfig's
	// Listen.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Retry is the time between two tries to reach the upstream host. 0 means that there
	// is one try only. There are no more for a client whose connection breaks, and after
	// 30 s for one that has closed its sending direction, because one that has gone looks
	// the same.
	Retry time.Duration
	// MaxConns is how many clients are served at once; more wait to be accepted. 0
	// means DefaultMaxConns.
	MaxConns int
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace
}

// ListenAndForward does what CSCI 351 project 4, question 2 asks for, in its order: it
// connects to the upstream host at to, then listens at address, and the first client
// gets that connection. Each later one gets a connection of its own. If the upstream
// host has closed the connection, or its sending direction, before there is a client, a
// new one is made.
//
// It returns an [*UpstreamError] if the upstream host cannot be reached and Retry is 0,
// or the error of listening. After that it is as [Forwarder.Forward].
func (f *Forwarder) ListenAndForward(ctx context.Context, address, to string) error {
	w := f.newForwarding(to)
	up, err := w.dial(ctx, netip.AddrPort{})
	if err != nil {
		return err
	}
	w.ready <- up
	listen := f.Listen
	if listen == nil {
		listen = (&net.ListenConfig{}).Listen
	}
	l, err := listen(ctx, "tcp", address)
	if err != nil {
		up.Close()
		return fmt.Errorf("relay: %w", err)
	}
	defer l.Close()
	return w.forward(ctx, l)
}

// Forward accepts clients from l, connects to the upstream host at to for each of them,
// and carries bytes both ways until both sides have closed. A side that closes only its
// sending direction still receives. A client for which the upstream host cannot be
// reached is closed.
//
// It returns when ctx ends, with its cause, or when l fails, after all connections are
// broken off, so that nobody takes what has come for all there was, and all goroutines
// are gone. l stays the caller's, as with [Server.Serve].
func (f *Forwarder) Forward(ctx context.Context, l net.Listener, to string) error {
	return f.newForwarding(to).forward(ctx, l)
}

// A forwarding is one call of Forward. It accepts in the goroutine of that call; each
// client has a goroutine for either direction.
type forwarding struct {
	*Forwarder
	to    string
	trace Trace
	ready chan net.Conn // the connection made before there was a client
	slots chan struct{}
	conns sync.WaitGroup
}

func (f *Forwarder) newForwarding(to string) *forwarding {
	w := &forwarding{
		Forwarder: f,
		to:        to,
		ready:     make(chan net.Conn, 1),
		slots:     make(chan struct{}, max(1, orDefault(f.MaxConns, DefaultMaxConns))),
	}
	if f.Trace != nil {
		w.trace = *f.Trace
	}
	return w
}

// forward runs until ctx ends or l fails.
func (w *forwarding) forward(parent context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	release := interruptAccept(ctx, l)
	at := addrPort(l.Addr())
	err := acceptLoop(ctx, l, acceptHooks{
		waiting: func() {
			if w.trace.Waiting != nil {
				w.trace.Waiting(at)
			}
		},
		failed:   w.trace.AcceptFailed,
		accepted: func(c net.Conn) { w.admit(ctx, c) },
	})
	cancel()
	w.conns.Wait()
	release()
	select {
	case up := <-w.ready:
		up.Close()
	default:
	}
	if parent.Err() != nil {
		return fmt.Errorf("relay: forwarding: %w", context.Cause(parent))
	}
	return fmt.Errorf("relay: accepting: %w", err)
}

// admit gives a client its goroutine, when there is a slot for it.
func (w *forwarding) admit(ctx context.Context, c net.Conn) {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		c.Close()
		return
	}
	w.conns.Go(func() {
		defer func() { <-w.slots }()
		defer c.Close()
		w.attend(ctx, c)
	})
}

// attend connects one client to the upstream host.
func (w *forwarding) attend(ctx context.Context, c net.Conn) {
	from := addrPort(c.RemoteAddr())
	up, early, err := w.upstream(ctx, c)
	if err != nil {
		return // traced; nothing more can be done for the client
	}
	defer up.Close()
	stop := watch(ctx, func() { breakOff(c, up) })
	if w.trace.Connected != nil {
		w.trace.Connected(from)
	}
	start := time.Now()
	report, err := join(c, up, early)
	stop() // what has all been carried is not broken off
	report.Elapsed = time.Since(start)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if w.trace.Closed != nil {
		w.trace.Closed(from, report, err)
	}
}

// upstream returns the connection that was made before if it is still there, or a new
// one. early is what either side has said already.
func (w *forwarding) upstream(ctx context.Context, c net.Conn) (up net.Conn, early said, err error) {
	select {
	case up = <-w.ready:
		var ok bool
		if early.down, ok = w.alive(ctx, up); ok {
			return up, early, nil
		}
		up.Close()
	default:
	}
	up, early.up, err = w.reach(ctx, c)
	return up, early, err
}

const (
	// glance is how long alive waits for what has arrived already.
	glance = time.Millisecond
	// heldUp is how long that takes where the process had to wait for a processor, and may
	// not have looked at all; then it looks again, glances times in all.
	heldUp  = 5 * glance
	glances = 4
)

// alive reports whether the other side has not closed conn, and returns what it
// has sent: the only way to know is to read.
func (w *forwarding) alive(ctx context.Context, conn net.Conn) (early []byte, ok bool) {
	defer watch(ctx, func() { conn.Close() })()
	early = make([]byte, mostEarly)
	n, err := 0, error(nil)
	for range glances {
		start := time.Now()
		if err := conn.SetReadDeadline(start.Add(glance)); err != nil {
			return nil, false
		}
		n, err = conn.Read(early)
		if !timedOut(err) || time.Since(start) < heldUp {
			break
		}
	}
	if err != nil && !timedOut(err) {
		return nil, false
	}
	return early[:n], conn.SetReadDeadline(time.Time{}) == nil
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// dial connects to the upstream host, again and again if so wished.
func (w *forwarding) dial(ctx context.Context, from netip.AddrPort) (net.Conn, error) {
	for {
		up, err := w.try(ctx, from)
		if err == nil || ctx.Err() != nil || w.Retry <= 0 {
			return up, err
		}
		sleep(ctx, w.Retry)
	}
}

// try is one try.
func (w *forwarding) try(ctx context.Context, from netip.AddrPort) (net.Conn, error) {
	dial := w.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	up, err := dial(ctx, "tcp", w.to)
	if err == nil {
		return up, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("relay: forwarding: %w", context.Cause(ctx))
	}
	err = &UpstreamError{To: w.to, Err: err}
	if w.trace.Unreachable != nil {
		w.trace.Unreachable(from, err)
	}
	return nil, err
}
