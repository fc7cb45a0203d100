package tftp

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ferrygo/ferry"
)

// The defaults of a Server.
const (
	// DefaultMaxTransfers and DefaultMaxPerAddress are not hit by a lecture hall
	// of machines that boot at once behind one address.
	DefaultMaxTransfers  = 4096
	DefaultMaxPerAddress = 1024
	// DefaultServerGiveUp is long enough for a device that writes each block to its
	// flash.
	DefaultServerGiveUp = 30 * time.Second
	DefaultMaxWindow    = 64
	// DefaultServerLinger outlasts the timers of most clients.
	DefaultServerLinger = 6 * time.Second
)

// A Server serves files to TFTP clients. It is ready to use once it has an Opener or a Handler, and
// must not be copied after that. Its fields must not change while it serves.
type Server struct {
	// Opener opens the files that clients read. Nil refuses all reads. Opener and Handler
	// are called by several goroutines at once, one for each transfer, and may block:
	// nothing else waits for them. A panic in one of them ends that transfer only.
	Opener ferry.Opener
	// Handler takes the files that clients write. Nil refuses all writes.
	//
	// The client is told only the kind of an error: fs.ErrNotExist becomes code 1,
	// fs.ErrPermission and fs.ErrInvalid code 2, [ferry.ErrDiskFull] and the system's
	// errors for it code 3, fs.ErrExist code 6, an [*Error] what it says, and all others
	// code 0.
	Handler ferry.Handler
	// ListenPacket opens the conn of one transfer at local, whose port is 0 (RFC 1350,
	// section 4: each transfer has a port of its own). The server closes it. Nil means
	// net.ListenPacket. local has the address of the conn that Serve got.
	ListenPacket func(ctx context.Context, local netip.AddrPort) (net.PacketConn, error)
	// SinglePort makes all transfers use the conn that Serve got, for firewalls that
	// let nothing else pass. They are told apart by the clients' addresses and ports. Use
	// it where nobody can forge those: see Limits above.
	SinglePort bool
	// MTU bounds the block size that is granted so that no datagram is cut into
	// fragments: the path's, in bytes, IP header included. 0 means DefaultMTU, with
	// which IPv4 gets blocks of 1468 bytes at most and IPv6 of 1448. With 65535 clients
	// get what they ask for.
	MTU int
	// MaxWindow bounds the windowsize that is granted; so does the receive buffer, the
	// own for writes, and the one that most systems have for reads. 0 means
	// DefaultMaxWindow, negative 1.
	MaxWindow int
	// MaxTransfers bounds the transfers under way, MaxPerAddress those of one IP
	// address. Those that only linger do not count; there are at most MaxTransfers
	// of them, too. A request beyond gets no answer: the client will repeat it. 0 means
	// DefaultMaxTransfers and DefaultMaxPerAddress.
	MaxTransfers, MaxPerAddress int
	// GiveUp is how long a client may make no progress. 0 means DefaultServerGiveUp,
	// negative no limit. A client that never answers is given up after a third of it.
	GiveUp time.Duration
	// Linger is how long, after the last ACK of a write, a repeated last block is
	// acknowledged again. 0 means DefaultServerLinger; negative means not at all.
	Linger time.Duration
	// RollToOne lets block 1 follow block 65535. The default is 0.
	RollToOne bool
	// Wide counts blocks in four bytes, as the UDP file delivery assignment does, and
	// acknowledges each block by itself. Clients that do not are told so.
	Wide bool
	// Strategy is how a Wide server sends. Nil means Adaptive. Clients that are not
	// Wide say by their windowsize what they want.
	Strategy Strategy
	// NoOffload hands each packet to the system, and takes it, by itself. Otherwise
	// several go in one piece where the system cuts them apart (Linux): the same on the
	// wire, but a filter in this host may take a piece for one packet.
	NoOffload bool
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace

	mu      sync.Mutex
	running map[*serving]struct{}
	down    bool
	idle    chan struct{} // closed when nothing runs after down
}

// Serve answers the requests that arrive at conn, and runs the transfers, each in a
// goroutine of its own. It returns when ctx ends, with its cause, and aborts the
// transfers that are under way; or, after [Server.Shutdown], ErrServerClosed; or when
// conn fails. In each case its goroutines have ended then; a Handler that blocks
// without regard to its context holds it up.
//
// conn stays the caller's. Several calls may run at once, each with a conn of its own.
func (s *Server) Serve(ctx context.Context, conn net.PacketConn) error {
	v := s.newServing()
	if !s.enter(v) {
		return ErrServerClosed
	}
	defer s.leave(v)
	return v.serve(ctx, conn)
}

// Shutdown ends the server without ending transfers: no request is answered any more,
// and when the last transfer is over, lingering included, Serve returns. Shutdown waits
// for that, or until ctx ends, and then returns its cause; the transfers go on. To end
// them at once, end Serve's context. A Server that was shut down does not serve again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.down = true
	if s.idle == nil {
		s.idle = make(chan struct{})
		if len(s.running) == 0 {
			close(s.idle)
		}
	}
	for v := range s.running {
		v.close()
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// enter notes a call of Serve, unless the server is down.
func (s *Server) enter(v *serving) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return false
	}
	if s.running == nil {
		s.running = make(map[*serving]struct{})
	}
	s.running[v] = struct{}{}
	return true
}

func (s *Server) leave(v *serving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, v)
	if s.down && len(s.running) == 0 {
		close(s.idle)
	}
}

// listen opens the conn of a transfer.
func (s *Server) listen(ctx context.Context, local netip.AddrPort) (net.PacketConn, error) {
	local = netip.AddrPortFrom(local.Addr(), 0)
	if s.ListenPacket != nil {
		return s.ListenPacket(ctx, local)
	}
	var l net.ListenConfig
	if !local.Addr().IsValid() {
		return l.ListenPacket(ctx, "udp", ":0")
	}
	return l.ListenPacket(ctx, "udp", local.String())
}

// patience is d, or def where d is zero; where d is negative it does not end.
func patience(d, def time.Duration) time.Duration {
	if d < 0 {
		return forever
	}
	return orDefault(d, def)
}

// forever is longer than any transfer.
const forever = 100 * 365 * 24 * time.Hour

// orDefault is d, or def where d is zero.
func orDefault[T int | time.Duration](d, def T) T {
	if d == 0 {
		return def
	}
	return d
}
