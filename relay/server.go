package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// The defaults of a Server.
const (
	// DefaultMaxClients is the limit of CSCI 351 project 4, question 1.
	DefaultMaxClients   = 5
	DefaultMaxMessage   = 64 << 10
	DefaultQueue        = 1 << 20
	DefaultSlowTimeout  = 250 * time.Millisecond
	DefaultWriteTimeout = 10 * time.Second
)

// A Server delivers what each of its clients says to all others, to each of them in the same order. The zero
// value is ready to use. Once Serve has been called its fields are not changed, and it is not copied.
type Server struct {
	// MaxClients is how many clients there may be at once. As many more may be leaving: they have said "exit"
	// and have not read yet what waits for them; when there are more, the connection of the one that left first
	// is closed. 0 means DefaultMaxClients; negative means as many as the system lets in.
	MaxClients int
	// Framing says where messages end.
	Framing Framing
	// MaxMessage is the maximum length of a message in bytes, without its newline. 0 means DefaultMaxMessage. A
	// client that sends a longer line is told so and disconnected; a longer chunk is cut in pieces.
	MaxMessage int
	// Queue is how many bytes may wait for one client before its queue is full; 64 bytes are added for each
	// read that was delivered. 0 means DefaultQueue. The system's socket buffers come on top. While a client
	// waits for a full queue of another, it is not read from: so a queue holds at most one delivery of each of
	// the others beyond the limit, 64 KiB or one message.
	Queue int
	// Slow says what happens to a client whose queue is full.
	Slow Slow
	// SlowTimeout is the time in which a client with a full queue must take 16 KiB, or be disconnected, under the
	// policy Disconnect. 0 means DefaultSlowTimeout; negative means that it is disconnected at once.
	SlowTimeout time.Duration
	// WriteTimeout is how long a client may take to receive one write of at most 64 KiB, or one message, and
	// when it has left, all that waits for it; then it is disconnected. 0 means DefaultWriteTimeout; negative
	// means no limit.
	WriteTimeout time.Duration
	// IdleTimeout is how long a client may take to say something; bytes that complete no message do not count. 0
	// means no limit: a client that only listens is normal.
	IdleTimeout time.Duration
	// Notices tells a new client its ID, and all others who joins and who leaves.
	Notices bool
	// Admit, if it is not nil, decides whether a client may join, whose ID is still 0. The text of an error is sent
	// to the client, which is then disconnected. Admit is called by the goroutine that called Serve; no other
	// client is accepted meanwhile.
	Admit func(Client) error
	// Filter, if it is not nil, is called for each message except "exit", and returns the text to deliver, or
	// false to deliver nothing. It may change the bytes in place. A newline in the text becomes a space. It is
	// called by many goroutines at once, for each client's messages one after another.
	Filter func(from Client, text []byte) ([]byte, bool)
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace

	mu       sync.Mutex // also orders deliveries
	clients  map[uint64]*client
	lastID   uint64
	reading  int           // clients whose reading has not ended
	quiet    chan struct{} // closed when reading becomes 0; nil: nothing waits for that
	leaving  []*client     // no longer in clients, and not disconnected; those that left first come first
	departed Stats         // Joined and Refused, and what clients did that are disconnected
	serving  map[*serving]struct{}
	closed   bool // Shutdown or Close was called
}

// Serve accepts clients from l and serves them until ctx ends, and then returns its cause; until Shutdown or Close,
// and then returns [ErrServerClosed]; or until l fails. In each case all connections are closed and all goroutines
// have ended when it returns. Several Serves of one Server, on several listeners, share its clients.
//
// l stays the caller's: Serve sets its deadline, and clears it before it returns. It closes l only if that has no
// method SetDeadline, because nothing else ends its Accept.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	v, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.finish(v)
	if err = acceptLoop(v.soft, l, &v.trace, v.accept); err != nil {
		v.kill(err) // no effect if there is a cause already
	}
	v.conns.Wait()
	switch cause := context.Cause(v.soft); {
	case errors.Is(cause, ErrServerClosed):
		return ErrServerClosed
	case ctx.Err() != nil:
		return fmt.Errorf("relay: serving: %w", cause)
	}
	return fmt.Errorf("relay: accepting: %w", err)
}

// Shutdown ends all Serves gracefully: no more clients are accepted, nothing more is read, what has been read is
// delivered, and then the connections are closed. When ctx ends before that is done, Shutdown does what Close does,
// and returns ctx's cause. It must not be called by a Trace.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, v := range s.stop(func(v *serving) { v.drain(ErrServerClosed) }) {
		select {
		case <-v.done:
		case <-ctx.Done():
			s.Close()
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close ends all Serves at once: what has not been delivered is lost. It returns when they have ended, and must not
// be called by a Trace. The error is nil.
func (s *Server) Close() error {
	for _, v := range s.stop(func(v *serving) { v.kill(ErrServerClosed) }) {
		<-v.done
	}
	return nil
}

// stop lets no Serve begin any more, and calls end with each that runs.
func (s *Server) stop(end func(*serving)) []*serving {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	all := slices.Collect(maps.Keys(s.serving))
	for _, v := range all {
		end(v)
	}
	return all
}

// Stats returns what has happened so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.departed
	st.Clients = len(s.clients)
	for _, c := range s.clients {
		st.add(c.report())
	}
	for _, c := range s.leaving {
		st.add(c.report())
	}
	return st
}

// Clients returns the clients that are there now, by ID.
func (s *Server) Clients() []Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Client, 0, len(s.clients))
	for _, c := range s.clients {
		all = append(all, c.Client)
	}
	slices.SortFunc(all, func(a, b Client) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Say delivers a message of the server itself to all clients, as "* text"; a newline in text becomes a space. It
// waits for full queues as a client that speaks does.
func (s *Server) Say(text string) { s.deliver(nil, notice(text), nil) }

// Kick disconnects a client, which is told so, and may first read what waits for it, within WriteTimeout. It
// reports whether there was a client with this ID.
func (s *Server) Kick(id uint64) bool {
	s.mu.Lock()
	c := s.clients[id]
	s.mu.Unlock()
	if c == nil {
		return false
	}
	c.stop("kicked", ErrKicked)
	return true
}

// options are a Server's, with the defaults filled in.
type options struct {
	maxClients, maxMessage, queue          int
	slowTimeout, writeTimeout, idleTimeout time.Duration
	framing                                Framing
	slow                                   Slow
	notices                                bool
}

func (s *Server) options() (options, error) {
	o := options{
		maxClients:   orDefault(s.MaxClients, DefaultMaxClients),
		maxMessage:   orDefault(s.MaxMessage, DefaultMaxMessage),
		queue:        orDefault(s.Queue, DefaultQueue),
		slowTimeout:  orDefault(s.SlowTimeout, DefaultSlowTimeout),
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

// begin notes that a Serve has begun.
func (s *Server) begin(ctx context.Context) (*serving, error) {
	o, err := s.options()
	if err != nil {
		return nil, err
	}
	v := &serving{options: o, Server: s, done: make(chan struct{}), partings: make(chan struct{}, maxPartings)}
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
		s.serving, s.clients = make(map[*serving]struct{}), make(map[uint64]*client)
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

// oneLine replaces newlines, so that a text cannot speak for another.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }
