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

// A Server delivers each client's messages to all other clients, in the same order to all. The zero value is ready to
// use. Do not change its fields after the first Serve, and do not copy it.
type Server struct {
	// MaxClients is the maximum number of clients at once. As many more may be leaving: they have ended and have not
	// read their queues yet. If there are more, the connection that left first is closed. 0 means DefaultMaxClients;
	// negative means no limit.
	MaxClients int
	// Framing defines where messages end.
	Framing Framing
	// MaxMessage is the maximum length of a message in bytes, without its newline. 0 means DefaultMaxMessage. A client
	// that sends a longer line is told so and disconnected. A longer chunk is split.
	MaxMessage int
	// Queue is the size of a client's queue in bytes. 0 means DefaultQueue. Each delivery counts 64 bytes more than its
	// text. The queue may exceed Queue by one delivery of each other client (64 KiB or one message), because a client
	// is not read while it waits for a full queue. Socket buffers are not included.
	Queue int
	// Slow is the policy for a client whose queue is full.
	Slow Slow
	// SlowTimeout, under the policy Disconnect: a client with a full queue is disconnected if it takes less than 16 KiB
	// in this time. 0 means DefaultSlowTimeout; negative means at once.
	SlowTimeout time.Duration
	// WriteTimeout is the time for one write of at most 64 KiB or one message, and after a client has left, for all of
	// its queue. Then the client is disconnected. 0 means DefaultWriteTimeout; negative means no limit.
	WriteTimeout time.Duration
	// IdleTimeout disconnects a client that completes no message in this time. 0 means no limit: a client that only
	// listens is normal.
	IdleTimeout time.Duration
	// Notices tells a new client its ID, and all others which clients join and leave.
	Notices bool
	// Admit, if it is not nil, decides whether a client may join. Client.ID is still 0. If Admit returns an error, its
	// text is sent to the client, and the connection is closed. The goroutine that called Serve calls Admit, and
	// accepts no other client meanwhile.
	Admit func(Client) error
	// Filter, if it is not nil, is called for each message except "exit". It returns the text to deliver, or false to
	// deliver nothing. It may change the bytes in place. A newline in the text becomes a space. Many goroutines call it
	// at once, for the messages of each client one after another.
	Filter func(from Client, text []byte) ([]byte, bool)
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace

	mu       sync.Mutex // also orders deliveries
	clients  map[uint64]*client
	lastID   uint64
	reading  int           // number of clients whose reading has not ended
	quiet    chan struct{} // closed when reading becomes 0; nil if nothing waits
	leaving  []*client     // not in clients any more, and not disconnected yet; the first to leave comes first
	departed Stats         // Joined and Refused, and the counters of disconnected clients
	serving  map[*serving]struct{}
	closed   bool // Shutdown or Close was called
}

// Serve accepts clients from l and serves them. It returns the cause of ctx when that ends, [ErrServerClosed] after
// Shutdown or Close, or the error of l. All connections are closed and all goroutines have ended by then. Several Serves
// of one Server, on several listeners, share its clients.
//
// The caller closes l. Serve sets its deadline, and clears it before it returns. If l has no method SetDeadline, Serve
// closes it, because nothing else ends Accept.
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

// Shutdown ends all Serves gracefully. They accept no more clients, read nothing more, deliver all messages that were
// read, and close the connections. If ctx ends first, Shutdown calls Close and returns the cause of ctx. A Trace must not
// call it.
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

// Close ends all Serves at once, and waits for them. Undelivered messages are lost. The error is nil. A Trace must not call
// it.
func (s *Server) Close() error {
	for _, v := range s.stop(func(v *serving) { v.kill(ErrServerClosed) }) {
		<-v.done
	}
	return nil
}

// stop prevents new Serves, and calls end with each running one.
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

// Stats returns the counters since the first Serve.
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

// Clients returns the present clients, sorted by ID.
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

// Say delivers a message of the server to all clients, as "* text". A newline in text becomes a space. Say waits for full
// queues as a client that speaks does.
func (s *Server) Say(text string) { s.deliver(nil, notice(text), nil) }

// Kick disconnects a client. The client is told, and may read its queue within WriteTimeout. Kick reports whether there was
// a client with this ID.
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

// options are a Server's options, with the defaults filled in.
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

// begin registers a Serve.
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

// finish removes a Serve.
func (s *Server) finish(v *serving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.serving, v)
	v.kill(nil)
	close(v.done)
}

// addrPort returns the unmapped address of a TCP connection, or zero.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || tcp == nil {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// oneLine replaces newlines: the rest of the text would look like another message.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }
