package directory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// The defaults of a Server.
const (
	// DefaultExpiry is three times [DefaultPeriod].
	DefaultExpiry      = 21 * time.Second
	DefaultMaxPeers    = 100_000
	DefaultMaxFiles    = 1000
	DefaultMaxEntries  = 4 << 20
	DefaultMaxRequest  = 64 << 10
	DefaultMaxAnswer   = 64 << 10
	DefaultMaxSources  = 100
	DefaultMaxSessions = 4096
)

// A Server is a central directory: it knows which peer has which file. The zero value
// is ready to use. A negative option is an error. One Server may run several calls at the same time, each on its own conn
// and with its own registry. A Server must not be copied.
type Server struct {
	// Expiry is how long a peer may be silent before it is forgotten. 0 means
	// DefaultExpiry.
	Expiry time.Duration
	// AnyAddress lets a peer register, and remove, any address. Without it a peer
	// speaks only for the IP address that it sends from, so that no peer can direct
	// downloads to a third party.
	AnyAddress bool

	// MaxPeers, MaxFiles of one peer, and MaxEntries, the files of all peers together,
	// bound the registry: what exceeds them is refused. 0 means the default. Entries and
	// names take at most 64 bytes for each of MaxEntries, and a peer takes about 400.
	//
	// When the registry is half full, one host may have at most a sixteenth of it. When it
	// is nearly full, a host must prove that it receives what is sent to it; see Limits.
	MaxPeers, MaxFiles, MaxEntries int
	// MaxRequest and MaxAnswer bound the bytes of a request and of an answer, the
	// framing of datagrams apart. A longer request is ignored. A longer view is cut,
	// and says so. 0 means the default.
	MaxRequest, MaxAnswer int
	// MaxSources bounds the peers in the answer to a look-up. Where more have the file,
	// the next answer begins with the others. 0 means DefaultMaxSources.
	MaxSources int
	// MaxSessions bounds the requests in fragments, and the answers, that are under
	// way. Beyond it the one without progress for the longest time is forgotten. 0
	// means DefaultMaxSessions.
	MaxSessions int

	// Trace observes the calls. Nil observes nothing.
	Trace *Trace

	stats statsSum
}

// Stats says what all calls of Serve have done so far. It may be called while they run.
func (s *Server) Stats() Stats { return s.stats.get() }

// Serve is a directory on conn until ctx ends, and then returns ctx's cause; or the
// error of conn, if that failed before. Its registry begins empty, and ends with the
// call.
//
// conn stays the caller's: Serve neither closes it nor keeps it. It sets read
// deadlines, and clears them before it returns. Nothing else may read from conn
// meanwhile.
//
// One goroutine serves all requests. None of them waits for another: an answer of
// several datagrams, or a request that comes in several, goes on beside all others.
func (s *Server) Serve(ctx context.Context, conn net.PacketConn) error {
	if err := s.check(); err != nil {
		return err
	}
	c := datagram.Open(ctx, conn, datagram.Config{ReadSize: readSize, Local: true})
	defer c.Release()
	// The socket holds bursts. If its buffers are smaller, requests are lost and sent
	// again.
	_, _, _ = c.SetBuffers(1<<20, 1<<20)
	d := s.newDispatcher(c.LocalAddr())
	defer func() { s.stats.take(&d.stats) }()
	for {
		d.begin()
		wake := d.tick(time.Now())
		s.stats.take(&d.stats)
		if err := d.write(c); err != nil {
			return err
		}
		packets, err := c.Read(wake)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("directory: serving: %w", err)
		}
		d.begin()
		now := time.Now()
		for _, p := range packets {
			d.asked = p.Local
			d.arrived(now, p.Addr, p.Data)
		}
		if err := d.write(c); err != nil {
			return err
		}
	}
}

// check returns an error if an option is negative.
func (s *Server) check() error {
	if s.Expiry < 0 || min(s.MaxPeers, s.MaxFiles, s.MaxEntries, s.MaxRequest, s.MaxAnswer, s.MaxSources, s.MaxSessions) < 0 {
		return errNegative
	}
	return nil
}

func (s *Server) newDispatcher(local netip.AddrPort) *dispatcher {
	d := &dispatcher{
		registry: newRegistry(
			orDefault(s.Expiry, DefaultExpiry),
			registryLimits{
				peers:   orDefault(s.MaxPeers, DefaultMaxPeers),
				files:   orDefault(s.MaxFiles, DefaultMaxFiles),
				entries: orDefault(s.MaxEntries, DefaultMaxEntries),
			}),
		local:      local,
		anyAddress: s.AnyAddress,
		limits: dispatcherLimits{
			request:  orDefault(s.MaxRequest, DefaultMaxRequest),
			answer:   orDefault(s.MaxAnswer, DefaultMaxAnswer),
			sources:  orDefault(s.MaxSources, DefaultMaxSources),
			sessions: orDefault(s.MaxSessions, DefaultMaxSessions),
		},
		seed:     maphash.MakeSeed(),
		sessions: make(map[netip.AddrPort]*session),
	}
	if s.Trace != nil {
		d.trace = *s.Trace
	}
	return d
}

// orDefault returns v, or def if v is zero.
func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// write sends the queued datagrams. A datagram that cannot leave counts as lost.
func (d *dispatcher) write(c *datagram.Conn) error {
	err := datagram.Send(c, d.out, func(i int, err error) {
		if d.trace.WriteFailed != nil {
			d.trace.WriteFailed(Event{Addr: d.out[i].Addr, Err: err})
		}
	})
	if err != nil {
		return fmt.Errorf("directory: serving: %w", err)
	}
	return nil
}
