package chord

import (
	"context"
	"log/slog"
	"net/netip"
)

// A Trace observes a node. Any function may be nil. They are called by the goroutine of Serve, which
// waits for them, and by those of the other methods.
type Trace struct {
	// Joined is called when the node has become a member of a ring.
	Joined func(predecessor, successor netip.AddrPort)
	// Published is called when a name has been registered, with the number of nodes that keep it.
	Published func(name string, nodes int)
	// Malformed is called for a packet that is ignored.
	Malformed func(from netip.AddrPort, err error)
}

func (t *Trace) malformed(from netip.AddrPort, err error) {
	if t != nil && t.Malformed != nil {
		t.Malformed(from, err)
	}
}

func (t *Trace) joined(pred, succ netip.AddrPort) {
	if t != nil && t.Joined != nil {
		t.Joined(pred, succ)
	}
}

func (t *Trace) published(name string, nodes int) {
	if t != nil && t.Published != nil {
		t.Published(name, nodes)
	}
}

// LogTrace returns a Trace that logs to l: joining and publishing at slog.LevelInfo, malformed
// packets at slog.LevelDebug.
func LogTrace(l *slog.Logger) *Trace {
	log := func(level slog.Level, text string, args ...any) { l.Log(context.Background(), level, text, args...) }
	return &Trace{
		Joined: func(pred, succ netip.AddrPort) {
			log(slog.LevelInfo, "joined the ring", "predecessor", pred, "successor", succ)
		},
		Published: func(name string, nodes int) { log(slog.LevelInfo, "published", "name", name, "nodes", nodes) },
		Malformed: func(from netip.AddrPort, err error) { log(slog.LevelDebug, "ignored", "addr", from, "error", err) },
	}
}
