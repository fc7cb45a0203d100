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

// The defaults of a Server.
const (
	// DefaultMaxClients is the limit of CSCI 351 project 4, question 1.
	DefaultMaxClients   = 5
	DefaultMaxMessage   = 64 << 10
	DefaultQueue        = 1 << 20
	DefaultPatience     = 250 * time.Millisecond
	DefaultWriteTimeout = 10 * time.Second
)

// A Server delivers what each of its clients says to all others. The zero value is
// ready to use. Once Serve has been called its fields are not changed, and it is not
// copied.
type Server struct {
	// MaxClients is how many clients there may be at once. As many more may be leaving:
	// they have said "exit", and not read yet what waits for them; when there are more,
	// the connection of the one that left first is closed. 0 means DefaultMaxClients;
	// negative means as many as the system lets in.
	MaxClients int
	// Framing says where messages end.
	Framing Framing
	// MaxMessage is the length of the longest message in bytes, without its newline. 0
	// means DefaultMaxMessage. A client that sends a longer line is told so and
	// disconnected; a longer chunk is cut in pieces.
	MaxMessage int
	// Queue bounds what waits for one client, in bytes, with 64 bytes added for each
	// read that was delivered. 0 means DefaultQueue. The system's socket buffers come
	// on top, and an empty queue takes one delivery however long it is.
	Queue int
	// Slow says what becomes of a client whose queue is full.
	Slow Slow
	// Patience is how long others wait, under the policy Disconnect, for a client with
	// a full queue that does not read: one write of at most 64 KiB, or one message,
	// takes longer than that. They wait four times as long for one that has taken 16
	// MiB, which shows that it has read, because its machine may be busy; and eight
	// times as long, in all, until half of a queue is free. 0 means DefaultPatience;
	// negative means that they do not wait.
	Patience time.Duration
	// WriteTimeout is how long a client may take to receive one write of at most 64
	// KiB, or one message, and when it has left, all that waits for it; then it is
	// disconnected. 0 means DefaultWriteTimeout; negative means no limit.
	WriteTimeout time.Duration
	// IdleTimeout is how long a client may take to say something: bytes that complete no
	// message do not count. 0 means no limit, because who listens is silent.
	IdleTimeout time.Duration
	// Notices tells a newcomer its ID, and all others who joins and who leaves.
	Notices bool
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace

	room roster

	mu      sync.Mutex
	serving map[*serving]struct{}
	closed  bool // Shutdown or Close was called
}

// Serve accepts clients from l and serves them until ctx ends, and then returns its
// cause; until Shutdown or Close, and then returns [ErrServerClosed]; or until l fails.
// Whatever the reason, all connections are closed and all goroutines gone when it
// returns. Several Serves of one Server, on several listeners, share its clients.
//
// l stays the caller's: Serve sets its deadline, and clears it before it returns. It
// closes l only if that has no method SetDeadline, because nothing else ends its
// Accept.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	v, err := s.begin(ctx, l)
	if err != nil {
		return err
	}
	defer s.finish(v)
	release := interruptAccept(v.soft, l)
	err = v.accept()
	if err != nil {
		v.kill(err) // no effect if it has been said already why this ends
	}
	v.conns.Wait()
	release()
	switch cause := context.Cause(v.soft); {
	case errors.Is(cause, ErrServerClosed):
		return ErrServerClosed
	case ctx.Err() != nil:
		return fmt.Errorf("relay: serving: %w", cause)
	}
	return fmt.Errorf("relay: accepting: %w", err)
}

// Shutdown ends all Serves gracefully: no more clients, nothing more is read, what has
// been read is delivered, and then the connections are closed. When ctx ends before
// that is done, Shutdown does what Close does, and returns ctx's cause. It is not to be
// called by a Trace.
func (s *Server) Shutdown(ctx context.Context) error {
	serving := s.stop(func(v *serving) { v.drain(ErrServerClosed) })
	for _, v := range serving {
		select {
		case <-v.done:
		case <-ctx.Done():
			s.Close()
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close ends all Serves at once: what has not been delivered is lost. It returns when
// they have ended, and is not to be called by a Trace. The error is nil.
func (s *Server) Close() error {
	for _, v := range s.stop(func(v *serving) { v.kill(ErrServerClosed) }) {
		<-v.done
	}
	return nil
}

// stop lets no Serve begin any more, and calls end with each that is under way.
func (s *Server) stop(end func(*serving)) (all []*serving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for v := range s.serving {
		end(v)
		all = append(all, v)
	}
	return all
}

// Stats returns what has happened so far.
func (s *Server) Stats() Stats { return s.room.stats() }

// options are a Server's, with the defaults filled in.
type options struct {
	maxClients, maxMessage, queue       int
	patience, writeTimeout, idleTimeout time.Duration
	framing                             Framing
	slow                                Slow
	notices                             bool
}

func (s *Server) options() (options, error) {
	o := options{
		maxClients:   orDefault(s.MaxClients, DefaultMaxClients),
		maxMessage:   orDefault(s.MaxMessage, DefaultMaxMessage),
		queue:        orDefault(s.Queue, DefaultQueue),
		patience:     min(orDefault(s.Patience, DefaultPatience), longestPatience),
		writeTimeout: orDefault(s.WriteTimeout, DefaultWriteTimeout),
		idleTimeout:  s.IdleTimeout,
		framing:      s.Framing,
		slow:         s.Slow,
		notices:      s.Notices,
	}
	switch {
	case o.maxMessage < 1:
		return o, fmt.Errorf("relay: MaxMessage of %d bytes", o.maxMessage)
	case o.queue < 1:
		return o, fmt.Errorf("relay: Queue of %d bytes", o.queue)
	case o.framing < Auto || o.framing > Chunk:
		return o, fmt.Errorf("relay: unknown %v", o.framing)
	case o.slow < Disconnect || o.slow > Wait:
		return o, fmt.Errorf("relay: unknown %v", o.slow)
	}
	return o, nil
}

// orDefault returns v, or def if v is zero.
func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// begin notes that a Serve is under way.
func (s *Server) begin(ctx context.Context, l net.Listener) (*serving, error) {
	o, err := s.options()
	if err != nil {
		return nil, err
	}
	v := &serving{options: o, room: &s.room, l: l, done: make(chan struct{}), partings: make(chan struct{}, mostPartings)}
	if s.Trace != nil {
		v.trace = *s.Trace
	}
	v.hard, v.kill = context.WithCancelCause(ctx)
	v.soft, v.drain = context.WithCancelCause(v.hard)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		v.kill(ErrServerClosed)
		return nil, ErrServerClosed
	}
	if s.serving == nil {
		s.serving = make(map[*serving]struct{})
	}
	s.serving[v] = struct{}{}
	return v, nil
}

// finish notes that a Serve has ended.
func (s *Server) finish(v *serving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.serving, v)
	v.kill(nil)
	close(v.done)
}

// addrPort is the IP address and port of a, unmapped; zero if it has none.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || tcp == nil {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
