package relay

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
)

// A Trace is a set of hooks that observe a Server, a Forwarder or a Peer. Any of them may be nil. A Server and a Forwarder
// call them from many goroutines at once, for each client one after another; a client waits for its hooks. A Peer calls them
// from the goroutine that called Run.
type Trace struct {
	// Server and Forwarder.

	// Waiting: Accept is about to be called. at is the listener's address, zero if it is not TCP.
	Waiting func(at netip.AddrPort)
	// AcceptFailed: Accept failed and will be called again.
	AcceptFailed func(err error)

	// Server.

	// Joined: a client joined.
	Joined func(Client)
	// Refused: a client was refused. err is ErrFull or the error of Server.Admit.
	Refused func(from netip.AddrPort, err error)
	// Message: a client sent a message. text is valid during the call.
	Message func(from Client, text []byte)
	// Lost: messages to a client were dropped under the policy DropOldest. The goroutine of the client that spoke calls it.
	Lost func(to Client, messages int)
	// Left: a client ended. err is nil after "exit", after the end of its data, and after Shutdown. Otherwise it is
	// ErrTooLong, ErrSlow, ErrIdle, ErrKicked, the error that ended Serve, or that of the connection.
	Left func(Client, ClientReport, error)

	// Forwarder.

	// Connected: a client is connected to the upstream host.
	Connected func(from netip.AddrPort)
	// Unreachable: one try to connect to the upstream host failed; err is an *UpstreamError. from is zero if there is no
	// client yet.
	Unreachable func(from netip.AddrPort, err error)
	// Closed: a client's connection ended. err is nil if both sides closed it.
	Closed func(from netip.AddrPort, r ConnReport, err error)

	// Peer.

	// Said: a packet with that message was sent; again means retransmitted.
	Said func(number uint32, text string, again bool)
	// Acked: the other peer acknowledged the message.
	Acked func(number uint32)
	// WriteFailed: a packet could not be sent. It counts as lost.
	WriteFailed func(err error)
	// Ignored: a received packet was ignored. err is ErrMagic, ErrKind, ErrNumber, ErrLength, ferry.ErrTruncated or
	// ferry.ErrUnsolicited.
	Ignored func(from netip.AddrPort, err error)
}

// PrintTrace returns a Trace that prints to w the lines of the server of CSCI 351 project 4 ("TCP Server in Python",
// "Handler function for a Thread"). Text is quoted as %q does. Errors of w are ignored.
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
		// The document's text ends with a blank, and Python's print adds another.
		Joined:  func(c Client) { printf("client connected: address  %v\n", c.Addr) },
		Message: func(_ Client, text []byte) { printf("received %q\n", text) },
	}
}

// LevelPacket is the level of messages and packets in [LogTrace], below slog.LevelDebug. Lost messages and ignored packets
// have slog.LevelDebug, events of a connection slog.LevelInfo.
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
		Ignored: func(from netip.AddrPort, err error) {
			log(slog.LevelDebug, "ignored", peerAttr(from), errAttr(err))
		},
	}
}

func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func idAttr(c Client) slog.Attr           { return slog.Uint64("id", c.ID) }
func numberAttr(n uint32) slog.Attr       { return slog.Uint64("number", uint64(n)) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
