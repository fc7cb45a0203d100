package directory

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// A Trace is a set of hooks that observe directories, clients and peers. Any
// of them may be nil. They are called by the goroutines of the call that they are
// about, and hold it up while they run: those of a Server and a Client by the one that
// called Serve or the Client's method, those of a Peer by several, one at
// a time. A Trace that several concurrent calls share must be safe for that.
type Trace struct {
	// Server.

	// Updated: a peer registered, or what it shares is other than before. Keep-alives
	// are not told.
	Updated func(peer netip.AddrPort, files int)
	// Removed: a peer left, or was forgotten because it was silent for too long.
	Removed func(peer netip.AddrPort, expired bool)
	// LookedUp: sources of a file were asked for, and found.
	LookedUp func(from netip.AddrPort, name string, sources int)
	// Refused: a request was answered with a code.
	Refused func(from netip.AddrPort, request Type, code Code)

	// Client.

	// Waiting: the directory has not answered a request for two seconds.
	Waiting func(request Type, directory netip.AddrPort)
	// Asked: a request is done, or failed.
	Asked func(request Type, x Exchange, err error)

	// Server and Client.

	// Bad: a datagram was ignored. err is ErrMalformed, ErrUnexpected, ErrForeign or
	// ErrTooLong.
	Bad func(from netip.AddrPort, err error)
	// WriteFailed: a datagram could not leave this host. It counts as lost.
	WriteFailed func(to netip.AddrPort, err error)

	// Peer.

	// Announced: the directory was told what is shared, or could not be.
	Announced func(files int, err error)
	// Digested: the digest of a shared file was computed, or could not be.
	Digested func(name string, size int64, err error)
	// Served: a request for a file was answered, with bytes of it.
	Served func(to netip.AddrPort, name string, status int, bytes int64)
}

// An Exchange says what one request took.
type Exchange struct {
	Sent, SentAgain int // datagrams of the request; SentAgain is part of Sent
	Bad             int // datagrams that were ignored
	// RTT is the estimated round trip to the directory, 0 if none was measured.
	RTT     time.Duration
	Elapsed time.Duration
}

// LevelPacket is the level at which [LogTrace] logs what happens for every keep-alive
// and every piece: below slog.LevelDebug, at which it logs what was ignored. What
// happens once per peer, request or file is logged at slog.LevelInfo.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	return &Trace{
		Updated: func(peer netip.AddrPort, files int) {
			l.LogAttrs(ctx, slog.LevelInfo, "peer updated", peerAttr(peer), slog.Int("files", files))
		},
		Removed: func(peer netip.AddrPort, expired bool) {
			l.LogAttrs(ctx, slog.LevelInfo, "peer removed", peerAttr(peer), slog.Bool("expired", expired))
		},
		LookedUp: func(from netip.AddrPort, name string, sources int) {
			l.LogAttrs(ctx, slog.LevelInfo, "looked up", peerAttr(from), nameAttr(name), slog.Int("sources", sources))
		},
		Refused: func(from netip.AddrPort, request Type, code Code) {
			l.LogAttrs(ctx, slog.LevelInfo, "refused", peerAttr(from), slog.Any("request", request), slog.Any("code", code))
		},
		Waiting: func(request Type, directory netip.AddrPort) {
			l.LogAttrs(ctx, slog.LevelWarn, "waiting for the directory", slog.Any("request", request), slog.String("addr", directory.String()))
		},
		Asked: func(request Type, x Exchange, err error) {
			level := slog.LevelInfo
			if request == Update && err == nil {
				level = LevelPacket
			}
			l.LogAttrs(ctx, level, "asked", slog.Any("request", request), slog.Int("sent", x.Sent), slog.Int("again", x.SentAgain),
				slog.Duration("rtt", x.RTT), slog.Duration("elapsed", x.Elapsed), errAttr(err))
		},
		Bad: func(from netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelDebug, "bad datagram", peerAttr(from), errAttr(err))
		},
		WriteFailed: func(to netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelDebug, "write failed", peerAttr(to), errAttr(err))
		},
		Announced: func(files int, err error) {
			level := LevelPacket
			if err != nil {
				level = slog.LevelWarn
			}
			l.LogAttrs(ctx, level, "announced", slog.Int("files", files), errAttr(err))
		},
		Digested: func(name string, size int64, err error) {
			l.LogAttrs(ctx, slog.LevelInfo, "digested", nameAttr(name), slog.Int64("size", size), errAttr(err))
		},
		Served: func(to netip.AddrPort, name string, status int, bytes int64) {
			l.LogAttrs(ctx, slog.LevelInfo, "served", peerAttr(to), nameAttr(name), slog.Int("status", status), slog.Int64("bytes", bytes))
		},
	}
}

func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func nameAttr(name string) slog.Attr      { return slog.String("name", name) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
