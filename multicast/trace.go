package multicast

import (
	"context"
	"log/slog"
	"net/netip"
)

// A Trace is a set of hooks that observe Conns. Any of them may be nil. Reserved is
// called by whoever joins or sends, Ignored by whoever reads, Lost and Rejoined by the
// goroutine that watches the interfaces; they must be safe for that, must not call
// methods of the Conn, and hold it up while they run.
type Trace struct {
	// Reserved: a group that is joined or sent to is in a block that is reserved. It
	// works now and may be given to somebody later.
	Reserved func(group netip.Addr)
	// Lost: the interface of a group has gone.
	Lost func(Membership)
	// Rejoined: an interface of that name has come back, and the group has been joined
	// on it; err says why not, and it is tried again.
	Rejoined func(m Membership, err error)
	// Ignored: a packet was not what the Conn was asked for.
	Ignored func(Info)
}

// LogTrace returns a Trace that logs every event to l: ignored packets at
// slog.LevelDebug, the rest at slog.LevelInfo and slog.LevelWarn.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	group := func(m Membership) []slog.Attr {
		return []slog.Attr{slog.String("group", m.Group.String()), slog.String("interface", m.Interface)}
	}
	return &Trace{
		Reserved: func(g netip.Addr) {
			l.LogAttrs(ctx, slog.LevelWarn, "reserved group", slog.String("group", g.String()))
		},
		Lost: func(m Membership) { l.LogAttrs(ctx, slog.LevelWarn, "interface lost", group(m)...) },
		Rejoined: func(m Membership, err error) {
			l.LogAttrs(ctx, slog.LevelInfo, "joined again", append(group(m), slog.Any("err", err))...)
		},
		Ignored: func(i Info) {
			l.LogAttrs(ctx, slog.LevelDebug, "packet ignored", slog.String("from", i.Source.String()),
				slog.String("to", i.Destination.String()), slog.String("interface", i.Interface))
		},
	}
}
