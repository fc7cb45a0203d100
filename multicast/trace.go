package multicast

import (
	"context"
	"log/slog"
	"net/netip"
)

// A Trace is a set of hooks that observe Conns. Any of them may be nil. The goroutine that
// joins or sends calls Reserved, and the one that reads calls Ignored. The Conn's own
// goroutine, which watches the interfaces, calls InterfaceLost and Rejoined. Hooks must not
// call methods of the Conn, which waits for them.
type Trace struct {
	// Reserved: a group that is joined or sent to is in a reserved block. It works now,
	// but may be assigned later.
	Reserved func(group netip.Addr)
	// InterfaceLost: the interface of a group has disappeared.
	InterfaceLost func(Membership)
	// Rejoined: an interface of that name has appeared, and the group was joined on it. If
	// err is not nil, that failed and is tried again.
	Rejoined func(m Membership, err error)
	// Ignored: a packet was not delivered, because the Conn was not configured for it.
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
		InterfaceLost: func(m Membership) { l.LogAttrs(ctx, slog.LevelWarn, "interface lost", group(m)...) },
		Rejoined: func(m Membership, err error) {
			l.LogAttrs(ctx, slog.LevelInfo, "joined again", append(group(m), slog.Any("err", err))...)
		},
		Ignored: func(i Info) {
			l.LogAttrs(ctx, slog.LevelDebug, "packet ignored", slog.String("from", i.Source.String()),
				slog.String("to", i.Destination.String()), slog.String("interface", i.Interface))
		},
	}
}
