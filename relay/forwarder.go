package relay

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The defaults of a Forwarder.
const (
	DefaultMaxConns         = 1024
	DefaultDialTimeout      = 10 * time.Second
	DefaultHalfCloseTimeout = 5 * time.Minute
)

// A Forwarder copies TCP connections to another host, in both directions. The zero value is ready to use. One Forwarder may
// run several calls at the same time.
type Forwarder struct {
	// Dial connects to the upstream host. Nil means a zero net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Listen opens ListenAndForward's listener. Nil means a zero net.ListenConfig's Listen.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// DialTimeout is the timeout of one try to connect to the upstream host. 0 means DefaultDialTimeout; negative means
	// no limit.
	DialTimeout time.Duration
	// Retry is the pause between two tries to connect to the upstream host. 0 means one try only. The tries for a client
	// end when its connection is reset, and 30 s after it closed its sending direction: the client may be gone.
	Retry time.Duration
	// MaxConns is the maximum number of clients at once; more wait to be accepted. 0 means DefaultMaxConns; negative
	// means no limit.
	MaxConns int
	// HalfCloseTimeout resets a connection of which one direction is closed if nothing is copied in this time. 0 means
	// DefaultHalfCloseTimeout; negative means no limit.
	HalfCloseTimeout time.Duration
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace
}

// ListenAndForward connects to the upstream host at to, then listens at address, in the order of CSCI 351 project 4,
// question 2. The first client gets that connection, unless the upstream host has closed it or its sending direction. Each
// later client gets a new connection.
//
// It returns an [*UpstreamError] if the upstream host cannot be reached and Retry is 0, or the error of listening. After
// that it behaves as [Forwarder.Forward].
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

// Forward accepts clients from l, connects to the upstream host at to for each of them, and copies bytes both ways until
// both sides have closed. A side that closes only its sending direction still receives. A reset of one side is passed on
// after the data before it. If the upstream host cannot be reached, the client's connection is closed.
//
// It returns the cause of ctx when that ends, or the error of l. By then all connections are reset, so that neither side
// mistakes the end for the end of the data, and all goroutines have ended. The caller closes l, as with [Server.Serve].
func (f *Forwarder) Forward(ctx context.Context, l net.Listener, to string) error {
	return f.newForwarding(to).forward(ctx, l)
}

// A forwarding is one call of Forward. The goroutine of that call accepts; each client has a goroutine for each direction.
type forwarding struct {
	*Forwarder
	to    string
	trace Trace
	ready chan net.Conn // the connection made before the first client
	slots chan struct{} // has an element for each client
	short chan struct{} // has an element while the system is short of descriptors
	conns sync.WaitGroup
}

func (f *Forwarder) newForwarding(to string) *forwarding {
	slots := orDefault(f.MaxConns, DefaultMaxConns)
	if slots < 0 {
		slots = math.MaxInt32
	}
	w := &forwarding{
		Forwarder: f,
		to:        to,
		ready:     make(chan net.Conn, 1),
		slots:     make(chan struct{}, slots),
		short:     make(chan struct{}, 1),
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
	err := acceptLoop(ctx, l, &w.trace, func(c net.Conn) { w.admit(ctx, c) })
	cancel()
	w.conns.Wait()
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

// admit starts a client's goroutine when there is a slot and no other client waits for a descriptor.
func (w *forwarding) admit(ctx context.Context, c net.Conn) {
	for _, wait := range []chan struct{}{w.short, w.slots} {
		select {
		case wait <- struct{}{}:
		case <-ctx.Done():
			c.Close()
			return
		}
	}
	<-w.short
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
		return // the Trace has the error
	}
	defer up.Close()
	if w.trace.Connected != nil {
		w.trace.Connected(from)
	}
	start := time.Now()
	report, err := join(ctx, c, up, early, orDefault(w.HalfCloseTimeout, DefaultHalfCloseTimeout))
	report.Elapsed = time.Since(start)
	if w.trace.Closed != nil {
		w.trace.Closed(from, report, err)
	}
}
