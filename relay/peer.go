package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// The defaults of a Peer.
const (
	DefaultJoinTimeout = 30 * time.Second
	DefaultGiveUp      = 10 * time.Second
	DefaultExitTimeout = 2 * time.Second
)

// A Peer exchanges messages with another Peer over UDP, and copies its own to a TCP server, a [Server] or another one
// (CSCI 351 project 4, question 3). The zero value is ready to use. One Peer may run several chats at the same time, each
// with its own conns.
type Peer struct {
	// Framing Line ends each copy to the server with a newline. Other framings add nothing.
	Framing Framing
	// JoinTimeout is the timeout of the first acknowledgement. 0 means DefaultJoinTimeout.
	JoinTimeout time.Duration
	// GiveUp is the timeout of any later acknowledgement. 0 means DefaultGiveUp.
	GiveUp time.Duration
	// ExitTimeout is the time for the message in flight and exit when the chat ends. 0 means DefaultExitTimeout.
	ExitTimeout time.Duration
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace
}

// A Message is a message that a Peer received.
type Message struct {
	// Server: the server sent it, not the other peer. A longer line of the server than a Server with DefaultMaxMessage
	// sends ends the chat.
	Server bool
	Text   string
}

// Run chats with the peer at other, over conn, until either says "exit". It sends each message of say to the other peer
// and copies it to the server. It takes the next message from say when the last one was acknowledged. When say is closed,
// it says "exit". It calls hear, unless it is nil, with every message of the server, and every message of the other peer
// except "exit".
//
// The caller closes conn and server. Run sets their deadlines, and clears them before it returns. It closes server for
// writing when the chat ends. Nothing else may read from either meanwhile.
//
// The error is nil if one peer said "exit" and the other received it. Otherwise it wraps:
//   - a [*PeerError] if the other peer did not answer;
//   - [ErrServerGone], or the error of the connection, if the server ended it; then Run said "exit" to the other peer;
//   - the cause of ctx if that ended; then Run did not say "exit".
func (p *Peer) Run(ctx context.Context, server net.Conn, conn net.PacketConn, other netip.AddrPort, say <-chan string, hear func(Message)) (ChatReport, error) {
	other = datagram.Canonical(other)
	if !other.IsValid() || other.Addr().IsUnspecified() || other.Port() == 0 {
		return ChatReport{}, fmt.Errorf("relay: invalid peer address %v", other)
	}
	inner, cancel := context.WithCancel(ctx)
	c := &chat{
		ctx:    ctx,
		inner:  inner,
		line:   p.Framing == Line,
		say:    say,
		hear:   hear,
		server: server,
		conn:   datagram.Open(inner, conn, datagram.Config{ReadSize: headerLen + MaxText, Batch: 8}),
		ask:    make(chan struct{}, 1),
		copies: make(chan string, 1),
		events: make(chan func(), 4),
		dialogue: dialogue{
			other:   other,
			session: rand.Uint64(),
			join:    orDefault(p.JoinTimeout, DefaultJoinTimeout),
			giveUp:  orDefault(p.GiveUp, DefaultGiveUp),
			parting: orDefault(p.ExitTimeout, DefaultExitTimeout),
		},
	}
	if p.Trace != nil {
		c.trace = *p.Trace
	}
	start := time.Now()
	err := c.run(cancel)
	c.report.RTT = c.rtt.SRTT()
	c.report.Elapsed = time.Since(start)
	return c.report, err
}
