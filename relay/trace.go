package relay

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
)

// A Trace is a set of hooks that observe a Server, a Forwarder or a Peer. Any of them may
// be nil. Those of a Server and a Forwarder are called by many goroutines at once, each
// client's by one after another; they hold that client up while they run. Those of a
// Peer are called by the goroutine that called Run.
type Trace struct {
	// Server and Forwarder.

	// Waiting: the next client is waited for, at that address (zero if it is not TCP).
	Waiting func(at netip.AddrPort)
	// AcceptFailed: a client could not be accepted; it is tried again.
	AcceptFailed func(err error)

	// Server.

	// Joined: a client connected.
	Joined func(Client)
	// Refused: a client was turned away; err is ErrFull.
	Refused func(from netip.AddrPort, err error)
	// Message: a client said something. text is valid during the call.
	Message func(from Client, text []byte)
	// Lost: a client lost that many messages under the policy DropOldest. It is called by
	// the goroutine of the client that spoke.
	Lost func(to Client, messages int)
	// Left: a client ended. err is nil if it wanted to, or after Shutdown; ErrTooLong,
	// ErrSlow, ErrIdle; what ended Serve; or what was wrong with its connection.
	Left func(Client, ClientReport, error)

	// Forwarder.

	// Connected: a client is connected to the upstream host.
	Connected func(from netip.AddrPort)
	// Unreachable: it cannot be, now; err is an *UpstreamError. from is zero before
	// there is a client.
	Unreachable func(from netip.AddrPort, err error)
	// Closed: both sides of a client's connection ended, err is nil, or one broke.
	Closed func(from netip.AddrPort, r ConnReport, err error)

	// Peer.

	// Said: a packet with that message left; again says that it repeats an earlier one.
	Said func(number uint32, text string, again bool)
	// Acked: the other peer has the message.
	Acked func(number uint32)
	// WriteFailed: a packet could not leave this host. It counts as lost.
	WriteFailed func(err error)
	// Bad: a packet was ignored. err is ErrTruncated, ErrMagic, ErrKind, ErrNumber,
	// ErrLength or ErrForeign.
	Bad func(from netip.AddrPort, err error)
}

// PrintTrace returns a Trace that prints to w the lines of the server of CSCI 351
// project 4 ("TCP Server in Python", "Handler function for a Thread"). Text is quoted
// as Go does, so that control characters do no harm. Errors of w are ignored.
func PrintTrace(w io.Writer) *Trace {
	var mu sync.Mutex
	printf := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, format, args...)
	}
	return &Trace{
		Waiting: func(at netip.AddrPort) {
			printf("waiting for connection... listening on port %d\n", at.Port())
		},
		// Two blanks: print puts one after a text that ends with one.
		Joined:  func(c Client) { printf("client connected: address  %v\n", c.Addr) },
		Message: func(_ Client, text []byte) { printf("received %q\n", text) },
	}
}

// LevelPacket is the level at which [LogTrace] logs every message and packet: below
// slog.LevelDebug, at which it logs losses and bad packets. What happens once per
// connection is logged at slog.LevelInfo.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	log := func(level slog.Level, msg string, attrs ...slog.Attr) { l.LogAttrs(ctx, level, msg, attrs...) }
	return &Trace{
		Waiting:      func(at netip.AddrPort) { log(slog.LevelDebug, "waiting", peerAttr(at)) },
		AcceptFailed: func(err error) { log(slog.LevelWarn, "accept failed", errAttr(err)) },
		Joined:       func(c Client) { log(slog.LevelInfo, "joined", idAttr(c), peerAttr(c.Addr)) },
		Refused: func(from netip.AddrPort, err error) {
			log(slog.LevelInfo, "refused", peerAttr(from), errAttr(err))
		},
		Message: func(from Client, text []byte) {
			log(LevelPacket, "message", idAttr(from), slog.String("text", string(text)))
		},
		Lost: func(to Client, messages int) {
			log(slog.LevelDebug, "lost", idAttr(to), slog.Int("messages", messages))
		},
		Left: func(c Client, r ClientReport, err error) {
			log(slog.LevelInfo, "left", idAttr(c), slog.Uint64("messages", r.Messages),
				slog.Uint64("delivered", r.Delivered), slog.Uint64("lost", r.Lost), errAttr(err))
		},
		Connected: func(from netip.AddrPort) { log(slog.LevelInfo, "connected", peerAttr(from)) },
		Unreachable: func(from netip.AddrPort, err error) {
			log(slog.LevelWarn, "unreachable", peerAttr(from), errAttr(err))
		},
		Closed: func(from netip.AddrPort, r ConnReport, err error) {
			log(slog.LevelInfo, "closed", peerAttr(from), slog.Int64("up", r.Up), slog.Int64("down", r.Down), errAttr(err))
		},
		Said: func(number uint32, text string, again bool) {
			log(LevelPacket, "said", numberAttr(number), slog.String("text", text), slog.Bool("again", again))
		},
		Acked:       func(number uint32) { log(LevelPacket, "acknowledged", numberAttr(number)) },
		WriteFailed: func(err error) { log(slog.LevelDebug, "write failed", errAttr(err)) },
		Bad: func(from netip.AddrPort, err error) {
			log(slog.LevelDebug, "bad packet", peerAttr(from), errAttr(err))
		},
	}
}

func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func idAttr(c Client) slog.Attr           { return slog.Uint64("id", c.ID) }
func numberAttr(n uint32) slog.Attr       { return slog.Uint64("number", uint64(n)) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
