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
	// DefaultMaxTransfers and DefaultMaxPerAddress allow a lecture hall of machines behind
	// one address to boot at the same time.
	DefaultMaxTransfers  = 4096
	DefaultMaxPerAddress = 1024
	// DefaultServerGiveUp is long enough for a device that writes each block to flash.
	DefaultServerGiveUp = 30 * time.Second
	DefaultMaxWindow    = 64
	// DefaultServerLinger is longer than the timers of most clients.
	DefaultServerLinger = 6 * time.Second
)

// A Server serves files to TFTP clients. It needs an Opener, a Handler or both. It must not be
// copied, and its fields must not change, after the first call of Serve.
type Server struct {
	// Opener opens the files that clients read. Nil refuses all reads. It is called by the
	// goroutine of each transfer, and may block. A panic ends only that transfer.
	//
	// The client is told only the kind of an error: fs.ErrNotExist becomes code 1,
	// fs.ErrPermission and fs.ErrInvalid code 2, [ferry.ErrDiskFull] and [ferry.ErrTooLarge]
	// code 3, fs.ErrExist code 6, and every other error code 0. The system's own errors of
	// these kinds count as well. An [*Error] is sent as it is. If the system lacks
	// descriptors or memory the client is told nothing, and repeats the request.
	Opener ferry.Opener
	// Handler takes the files that clients write. Nil refuses all writes. Errors and panics
	// are treated as those of Opener. At most 64 goroutines call the Handler and its sinks
	// at the same time.
	Handler ferry.Handler
	// ListenPacket opens the conn of one transfer at local, whose port is 0 (RFC 1350,
	// section 4: each transfer has its own port). The address is the one that the
	// client asked, if it is known, or else that of the conn that was given to Serve. The
	// server closes the conn. Nil means net.ListenPacket.
	ListenPacket func(ctx context.Context, local netip.AddrPort) (net.PacketConn, error)
	// SinglePort makes all transfers use the conn that was given to Serve, for firewalls and
	// address translators that let nothing else pass. Use it only where no one can forge the
	// addresses of clients; see Limits in the package comment.
	SinglePort bool
	// MTU is the length of the longest IP packet that passes the path, in bytes. It bounds
	// the block size that is granted, so that no datagram is fragmented. 0 means what the
	// system knows of the path, and at most DefaultMTU, with which clients get blocks of at
	// most 1468 bytes over IPv4 and 1448 over IPv6. Negative means no limit.
	MTU int
	// MaxWindow bounds the windowsize that is granted. The receive buffer also bounds it:
	// the server's own for writes, and the usual size of one for reads. 0 means
	// DefaultMaxWindow, negative means 1.
	MaxWindow int
	// MaxTransfers bounds the transfers in progress, and MaxPerAddress those of one IP
	// address. Transfers that only linger do not count; their number has the bound
	// MaxTransfers as well. A request that exceeds a bound is not answered, because the
	// client will repeat it. 0 means DefaultMaxTransfers and DefaultMaxPerAddress, negative
	// no limit.
	//
	// Where a bound is reached, a new client takes the place of one that has not answered
	// for a second. Where MaxTransfers is reached, it may also take that of a transfer which
	// has moved less than 256 bytes a second for 10 seconds.
	MaxTransfers, MaxPerAddress int
	// GiveUp is how long a client may make no progress. 0 means DefaultServerGiveUp,
	// negative no limit. A client that never answers is given up after a third of it.
	GiveUp time.Duration
	// Linger is how long a repeated last block is acknowledged again after the last ACK of a
	// write. 0 means DefaultServerLinger, negative not at all.
	Linger time.Duration
	// RollToOne has block 1 follow block 65535. The default is block 0.
	RollToOne bool
	// Wide uses block numbers of four bytes, as in the UDP file delivery assignment, and
	// acknowledges each block separately. Other clients are refused with code 4.
	Wide bool
	// Strategy decides how a Wide server sends. Nil means Adaptive. A client that is not Wide
	// decides by its windowsize.
	Strategy Strategy
	// NoOffload reads and writes each packet separately. Otherwise the system may handle
	// several packets in one piece (on Linux), which a packet filter on this host may see
	// as one packet. The packets on the wire are the same.
	NoOffload bool
	// Trace observes the transfers. It may be nil.
	Trace *Trace

	mu      sync.Mutex
	running map[*dispatcher]struct{}
	down    bool
	idle    chan struct{} // closed when nothing runs after down
	stats   Stats
}

// Serve answers the requests that arrive at conn. Each transfer runs in a goroutine of its
// own. Serve returns the cause of ctx when ctx ends, and aborts the transfers in progress;
// ErrServerClosed after [Server.Shutdown]; or an error when conn fails. It returns after its
// goroutines have returned, so an Opener that ignores its context delays it.
//
// The caller closes conn. Several calls of Serve may run at once, each with another conn.
func (s *Server) Serve(ctx context.Context, conn net.PacketConn) error {
	d := s.newDispatcher()
	if !s.enter(d) {
		return ErrServerClosed
	}
	defer s.leave(d)
	return d.serve(ctx, conn)
}

// Shutdown ends the server without ending transfers: further requests are ignored, and
// Serve returns when the last transfer is over, lingering included. Shutdown waits for that.
// If ctx ends before, Shutdown returns its cause, and the transfers continue. To end them at
// once, end the context of Serve. A Server cannot serve again after Shutdown.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.down = true
	if s.idle == nil {
		s.idle = make(chan struct{})
		if len(s.running) == 0 {
			close(s.idle)
		}
	}
	for d := range s.running {
		d.close()
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stats returns what has happened so far, in all calls of Serve.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	for d := range s.running {
		transfers, lingering := d.stats()
		st.Transfers += transfers
		st.Lingering += lingering
	}
	return st
}

// count changes the statistics.
func (s *Server) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}

// enter notes a call of Serve. It returns false after Shutdown.
func (s *Server) enter(d *dispatcher) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return false
	}
	if s.running == nil {
		s.running = make(map[*dispatcher]struct{})
	}
	s.running[d] = struct{}{}
	return true
}

func (s *Server) leave(d *dispatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, d)
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

// waitTime returns d, or def if d is zero, or forever if d is negative.
func waitTime(d, def time.Duration) time.Duration {
	if d < 0 {
		return forever
	}
	return orDefault(d, def)
}

// forever is longer than any transfer.
const forever = 100 * 365 * 24 * time.Hour

// orDefault returns d, or def if d is zero.
func orDefault[T int | time.Duration](d, def T) T {
	if d == 0 {
		return def
	}
	return d
}
