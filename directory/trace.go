package directory

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// A Trace is a set of hooks that observe directories, clients and peers. Any of them may be
// nil. The goroutine that called Serve calls those of a Server, and the one that called a
// method of a Client calls those of the Client. Several goroutines call those of a Peer, one
// at a time. The calls wait for the hooks. A Trace that several calls share must be safe for
// concurrent use.
type Trace struct {
	// Server.

	// Updated: a peer registered, or shares other files than before. The event has Addr,
	// which is the peer's, and Files.
	Updated func(Event)
	// Removed: a peer left, or expired. The event has Addr, which is the peer's, and
	// Expired.
	Removed func(Event)
	// LookedUp: a client asked for the sources of a file. The event has Addr, Name and
	// Sources.
	LookedUp func(Event)
	// Refused: a request was refused. The event has Addr, Request and Code.
	Refused func(Event)

	// Client.

	// Waiting: the directory has not answered for two seconds. The event has Addr and
	// Request.
	Waiting func(Event)
	// Asked: a request is done, or failed. The event has Addr, Request, Exchange and Err.
	Asked func(Event)

	// Server and Client.

	// Ignored: a datagram was ignored. The event has Addr and Err, which is ErrMalformed,
	// ErrUnexpected, ErrTooLong or ferry.ErrUnsolicited.
	Ignored func(Event)
	// WriteFailed: a datagram could not leave this host. It counts as lost. The event has
	// Addr and Err.
	WriteFailed func(Event)

	// Peer.

	// Announced: the directory was told what is shared, or could not be. The event has
	// Files and Err.
	Announced func(Event)
	// Digested: the digests of a shared file were computed, or could not be. The event has
	// Name, Size and Err.
	Digested func(Event)
	// Served: a request for a file was answered. The event has Addr, Name, Status and
	// Bytes.
	Served func(Event)
}

// An Event is what a hook of a [Trace] is told. Each hook says which fields it sets.
type Event struct {
	Addr     netip.AddrPort // of the other side
	Request  Type
	Code     Code   // with which a request was refused
	Name     string // of a file
	Files    int    // that a peer shares
	Sources  int    // of a file
	Expired  bool   // the peer did not leave: it was silent
	Exchange Exchange
	Size     int64 // of a file
	Status   int   // of an HTTP response
	Bytes    int64 // of a file that were sent
	Err      error
}

// An Exchange says what one request took.
type Exchange struct {
	Sent          int // datagrams of the request
	Retransmitted int // of those
	Unexpected    int // datagrams that were ignored
	// RTT is the estimated round trip to the directory, 0 if none was measured.
	RTT     time.Duration
	Elapsed time.Duration
}

// levelPacket is the level of what happens for every update that changes nothing.
const levelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l: events of a peer, request or file
// at slog.LevelInfo, ignored datagrams at slog.LevelDebug, and updates that change nothing
// below that.
func LogTrace(l *slog.Logger) *Trace {
	return &Trace{
		Updated:  logEvent(l, slog.LevelInfo, "peer updated", addrAttr, filesAttr),
		Removed:  logEvent(l, slog.LevelInfo, "peer removed", addrAttr, func(e Event) slog.Attr { return slog.Bool("expired", e.Expired) }),
		LookedUp: logEvent(l, slog.LevelInfo, "looked up", addrAttr, nameAttr, func(e Event) slog.Attr { return slog.Int("sources", e.Sources) }),
		Refused:  logEvent(l, slog.LevelInfo, "refused", addrAttr, requestAttr, func(e Event) slog.Attr { return slog.Any("code", e.Code) }),
		Waiting:  logEvent(l, slog.LevelWarn, "waiting for the directory", addrAttr, requestAttr),
		Asked: func(e Event) {
			level := slog.LevelInfo
			if e.Request == Update && e.Err == nil {
				level = levelPacket
			}
			x := e.Exchange
			l.LogAttrs(context.Background(), level, "asked", addrAttr(e), requestAttr(e), slog.Int("sent", x.Sent),
				slog.Int("retransmitted", x.Retransmitted), slog.Duration("rtt", x.RTT), slog.Duration("elapsed", x.Elapsed), errAttr(e))
		},
		Ignored:     logEvent(l, slog.LevelDebug, "datagram ignored", addrAttr, errAttr),
		WriteFailed: logEvent(l, slog.LevelDebug, "write failed", addrAttr, errAttr),
		Announced: func(e Event) {
			level := levelPacket
			if e.Err != nil {
				level = slog.LevelWarn
			}
			l.LogAttrs(context.Background(), level, "announced", filesAttr(e), errAttr(e))
		},
		Digested: logEvent(l, slog.LevelInfo, "digested", nameAttr, func(e Event) slog.Attr { return slog.Int64("size", e.Size) }, errAttr),
		Served: logEvent(l, slog.LevelInfo, "served", addrAttr, nameAttr,
			func(e Event) slog.Attr { return slog.Int("status", e.Status) }, func(e Event) slog.Attr { return slog.Int64("bytes", e.Bytes) }),
	}
}

// logEvent returns a hook that logs some attributes of its events.
func logEvent(l *slog.Logger, level slog.Level, text string, attrs ...func(Event) slog.Attr) func(Event) {
	return func(e Event) {
		values := make([]slog.Attr, len(attrs))
		for i, attr := range attrs {
			values[i] = attr(e)
		}
		l.LogAttrs(context.Background(), level, text, values...)
	}
}

func addrAttr(e Event) slog.Attr    { return slog.String("addr", e.Addr.String()) }
func nameAttr(e Event) slog.Attr    { return slog.String("name", e.Name) }
func filesAttr(e Event) slog.Attr   { return slog.Int("files", e.Files) }
func requestAttr(e Event) slog.Attr { return slog.Any("request", e.Request) }
func errAttr(e Event) slog.Attr     { return slog.Any("err", e.Err) }
