package fetch

import (
	"context"
	"log/slog"
	"net/netip"
)

// A Trace is a set of hooks that observe a fetch. Any of them may be nil. The goroutine
// that called Fetch calls them, and waits for them.
type Trace struct {
	// Chosen: it is decided which file is fetched. The event has Name, Size (-1 if no
	// source announced it), Have (from an earlier call) and Verifiable.
	Chosen func(Event)
	// Responded: a source answered the request for a description of the file. The event
	// has Addr and Status.
	Responded func(Event)
	// Progress: bytes arrived, or were rejected. The event has Addr, Have and Size.
	Progress func(Event)
	// Failed: a source failed. The event has Addr, Err (a *SourceError) and Retry.
	Failed func(Event)
}

// An Event is what a hook of a [Trace] is told. Each hook says which fields it sets.
type Event struct {
	Addr       netip.AddrPort // of the source
	Name       string         // of the file
	Size, Have int64          // of the file, and bytes of it that are there
	Verifiable bool           // the file has a digest
	Status     int            // of the HTTP response
	Err        error
	Retry      bool // the source will be tried again
}

// levelPacket is the level of what happens for every piece.
const levelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l: what happens for every piece
// below slog.LevelDebug.
func LogTrace(l *slog.Logger) *Trace {
	log := func(level slog.Level, text string, attrs ...slog.Attr) {
		l.LogAttrs(context.Background(), level, text, attrs...)
	}
	addr := func(e Event) slog.Attr { return slog.String("addr", e.Addr.String()) }
	have, size := func(e Event) slog.Attr { return slog.Int64("have", e.Have) }, func(e Event) slog.Attr { return slog.Int64("size", e.Size) }
	return &Trace{
		Chosen: func(e Event) {
			log(slog.LevelInfo, "fetching", slog.String("name", e.Name), size(e), have(e), slog.Bool("verifiable", e.Verifiable))
		},
		Responded: func(e Event) { log(slog.LevelDebug, "responded", addr(e), slog.Int("status", e.Status)) },
		Progress:  func(e Event) { log(levelPacket, "progress", addr(e), have(e), size(e)) },
		Failed: func(e Event) {
			log(slog.LevelWarn, "source failed", addr(e), slog.Any("err", e.Err), slog.Bool("retry", e.Retry))
		},
	}
}
