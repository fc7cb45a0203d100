package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The defaults of a Peer.
const (
	DefaultPeriod   = 7 * time.Second
	DefaultMaxConns = 256
	DefaultGrace    = 5 * time.Second
)

// A Peer serves files over HTTP, and tells a directory so. Root is required. The fields
// are not changed while a call runs; files are shared and withdrawn at any time. A Peer
// must not be copied.
//
// Only the shared files in Root are served, to any client: NAME as
// /NAME, with ranges, a strong ETag and a Repr-Digest (RFC 9530), which are its
// SHA-256, and the list of its [Pieces] as /pieces/NAME. Everything else is not found.
type Peer struct {
	// Root is the directory that holds the files. It stays the caller's, and open
	// while calls run.
	Root *os.Root
	// Publisher is told what is shared; [Client] is one. Nil means that files are served and not announced.
	Publisher Publisher
	// Addr is the address that is published. Its default is the listener's; there an
	// unspecified IP stands for the one that the directory sees.
	Addr netip.AddrPort
	// Period is how often the directory is told. 0 means DefaultPeriod. Serve returns an
	// error if it is negative.
	Period time.Duration
	// MaxConns bounds the connections that are served at once. If there are more, the
	// one that has been idle for the longest time is closed, or else one of a host with
	// more than a quarter of them; otherwise the new one waits. A client that takes less
	// than 64 KiB in two minutes loses its connection. 0 means DefaultMaxConns, negative
	// means as many as the system admits.
	MaxConns int
	// Grace is how long a download that is under way at the end may go on, and how long
	// taking leave of the directory may take. 0 means DefaultGrace, negative no time at
	// all.
	Grace time.Duration
	// Trace observes the calls. Nil observes nothing.
	Trace *Trace

	// DigestCache is a directory in which Serve keeps the digests of files of 64 MiB and
	// more, so that they need not be computed again after a restart. Nil means that they
	// are not kept.
	DigestCache *os.Root

	store     shareStore
	preparing atomic.Bool // Serve computes the digests of large files
	mu        sync.Mutex
	wake      chan struct{}  // tells the loops of Serve that the shares have changed
	addr      netip.AddrPort // while Serve runs
	trace     sync.Mutex     // one hook at a time
}

// errNotServing is the error of Announce while Serve does not run: no address is known.
var errNotServing = errors.New("directory: the peer is not serving")

// Share offers a file in Root to others, from now on. name is a file name, not a path.
// The directory is told soon, or at once by [Peer.Announce].
func (p *Peer) Share(name string) error {
	if err := p.store.add(p.Root, name); err != nil {
		return err
	}
	p.changed()
	return nil
}

// Unshare stops offering a file. Downloads that are under way go on. It reports whether
// the file was shared.
func (p *Peer) Unshare(name string) bool {
	ok := p.store.remove(name)
	p.changed()
	return ok
}

// Files returns the names of the files that are shared, in the order in which they
// were.
func (p *Peer) Files() []string { return p.store.list() }

// changed wakes the loops of Serve.
func (p *Peer) changed() {
	select {
	case p.waker() <- struct{}{}:
	default: // they are awake
	}
}

func (p *Peer) waker() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake == nil {
		p.wake = make(chan struct{}, 1)
	}
	return p.wake
}

// Announce tells the directory what is shared, now, and returns when it knows. It is an
// error if Serve does not run.
func (p *Peer) Announce(ctx context.Context) error {
	p.mu.Lock()
	addr := p.addr
	p.mu.Unlock()
	if !addr.IsValid() {
		return errNotServing
	}
	if p.Publisher == nil {
		return nil
	}
	files := p.Files()
	err := p.publish(ctx, addr, files)
	p.hook(func(t *Trace) {
		if t.Announced != nil {
			t.Announced(Event{Files: len(files), Err: err})
		}
	})
	return err
}

// publish tells the directory. A Client gives up an update that makes no progress for a
// period: the next one is due then, and may say more.
func (p *Peer) publish(ctx context.Context, addr netip.AddrPort, files []string) error {
	if c, ok := p.Publisher.(*Client); ok {
		return c.publish(ctx, addr, files, min(c.giveUp(), orDefault(p.Period, DefaultPeriod)))
	}
	return p.Publisher.Publish(ctx, addr, files)
}

func (p *Peer) hook(call func(*Trace)) {
	if p.Trace == nil {
		return
	}
	p.trace.Lock()
	defer p.trace.Unlock()
	call(p.Trace)
}

// Serve serves the shared files on l, and tells the directory each [Peer.Period] and
// when something changed, until ctx ends. Then it takes leave of the directory, lets
// downloads that are under way end within [Peer.Grace], and returns ctx's cause. A
// directory that does not answer does not end Serve, which tells it again at the next
// period.
//
// l stays the caller's. If it has no method SetDeadline, Serve closes it at the end,
// because nothing else ends its Accept. One call runs at a time.
func (p *Peer) Serve(ctx context.Context, l net.Listener) error {
	if p.Root == nil {
		return errors.New("directory: a Peer without a Root")
	}
	if p.Period < 0 {
		return errNegative
	}
	if err := p.begin(l); err != nil {
		return err
	}
	limited := limitConns(l, p.maxConns())
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	srv := &http.Server{
		Handler:           p,
		ConnState:         limited.state,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       requestTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	p.preparing.Store(true)
	defer p.preparing.Store(false)
	running, halt := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { halt(srv.Serve(limited)) })
	wake := make(chan struct{}, 1)
	wg.Go(func() { p.digestAll(running, wake) })
	p.announceAll(running, wake)
	err := context.Cause(running)
	p.end(ctx, srv)
	stop()
	wg.Wait()
	limited.drain() // a server that is closed does not wait for what it interrupts
	limited.release()
	return fmt.Errorf("directory: serving files: %w", err)
}

func (p *Peer) maxConns() int {
	if p.MaxConns < 0 {
		return math.MaxInt
	}
	return orDefault(p.MaxConns, DefaultMaxConns)
}

// begin settles which address is published.
func (p *Peer) begin(l net.Listener) error {
	addr := p.Addr
	if !addr.IsValid() {
		tcp, ok := l.Addr().(*net.TCPAddr)
		if !ok && p.Publisher != nil {
			return fmt.Errorf("directory: %v is no address to publish", l.Addr())
		}
		if ok {
			addr = unmap(tcp.AddrPort())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addr.IsValid() {
		return errors.New("directory: the peer is serving already")
	}
	p.addr = addr
	return nil
}

// announceAll tells the directory, again and again, until ctx ends. It passes on that
// the shares have changed.
func (p *Peer) announceAll(ctx context.Context, changed chan<- struct{}) {
	period := orDefault(p.Period, DefaultPeriod)
	tick := time.NewTicker(period)
	defer tick.Stop()
	waker := p.waker()
	for {
		select {
		case changed <- struct{}{}:
		default:
		}
		err := p.Announce(ctx) // the Trace was told of the error
		again := tick.C
		if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Code == CodeTooLong {
			again = nil // the same list would be refused again
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
		case <-waker:
		}
	}
}

// digestAll computes the digests of the shared files before a client asks for them.
func (p *Peer) digestAll(ctx context.Context, changed <-chan struct{}) {
	p.cache().clean(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		for _, name := range p.Files() {
			if s := p.store.share(name); s != nil && ctx.Err() == nil {
				p.digestShare(ctx, s, name)
			}
		}
	}
}

// digestShare computes the digests of one file, if they are not known. After an error a
// request for the file starts it again.
func (p *Peer) digestShare(ctx context.Context, s *share, name string) {
	f, info, err := open(p.Root, name)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = s.digests(ctx, f, info, p.cache(), p.digested(name))
}

func (p *Peer) cache() *digestCache {
	if p.DigestCache == nil {
		return nil
	}
	return &digestCache{p.DigestCache}
}

// digested returns the hook for a file's digests.
func (p *Peer) digested(name string) digestHook {
	return func(size int64, err error) {
		p.hook(func(t *Trace) {
			if t.Digested != nil {
				t.Digested(Event{Name: name, Size: size, Err: err})
			}
		})
	}
}

// end withdraws from the directory, and then lets the downloads end.
func (p *Peer) end(ctx context.Context, srv *http.Server) {
	p.mu.Lock()
	addr := p.addr
	p.addr = netip.AddrPort{}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(orDefault(p.Grace, DefaultGrace), 0))
	defer cancel()
	var wg sync.WaitGroup
	if p.Publisher != nil {
		wg.Go(func() { _ = p.Publisher.Withdraw(ctx, addr) }) // else it will expire
	}
	if srv.Shutdown(ctx) != nil {
		_ = srv.Close() // out of giveUpAfter
	}
	wg.Wait()
}
