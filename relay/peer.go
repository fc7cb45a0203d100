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

// A Peer is a client of a server, plain or a [Server], that exchanges messages with
// another Peer over UDP and copies what it says to the server (CSCI 351 project 4,
// question 3). The zero value is ready to use. One Peer may run several chats at the
// same time, each on conns of its own.
type Peer struct {
	// Framing says whether copies to the server end with a newline: they do if it is
	// Line.
	Framing Framing
	// JoinTimeout is how long the other peer may take to answer for the first time,
	// once there is something to say. 0 means DefaultJoinTimeout.
	JoinTimeout time.Duration
	// GiveUp is how long it may take to acknowledge any other message. 0 means
	// DefaultGiveUp.
	GiveUp time.Duration
	// ExitTimeout is how long the last message, exit, is sent again, with what is on
	// its way before it. 0 means DefaultExitTimeout.
	ExitTimeout time.Duration
	// Trace observes what happens. Nil observes nothing.
	Trace *Trace
}

// A Message is what a Peer hears.
type Message struct {
	// Server is whether the server sent it; otherwise it is the other peer's. The chat
	// ends if a line of the server is longer than a Server's with DefaultMaxMessage.
	Server bool
	Text   string
}

// Run chats with the peer at other, over conn, until either says "exit". What comes
// from say is sent to it, and copied to the server; when say is closed, that means
// "exit". hear, if it is not nil, is called with every message of the other peer, exit
// excepted, and of the server. The next message is taken from say when the one before
// has been acknowledged.
//
// conn and server stay the caller's. Run sets their deadlines, and clears them before
// it returns; it closes server for writing when the chat ends, so that the
// server sees the end. Nothing else may read from either meanwhile.
//
// The error is nil if either peer said "exit" and the other has it. It wraps a
// [*PeerError] if the other peer did not answer; [ErrServerGone], or the error of the
// connection, if the server ended it: the other peer was told exit then; ctx's cause if
// ctx ended: then it was not.
func (p *Peer) Run(ctx context.Context, server net.Conn, conn net.PacketConn, other netip.AddrPort, say <-chan string, hear func(Message)) (ChatReport, error) {
	other = datagram.Canonical(other)
	if !other.IsValid() || other.Addr().IsUnspecified() || other.Port() == 0 {
		return ChatReport{}, fmt.Errorf("relay: peer %v is no address to send to", other)
	}
	inner, cancel := context.WithCancel(ctx)
	c := &chat{
		ctx:      ctx,
		inner:    inner,
		line:     p.Framing == Line,
		say:      say,
		hear:     hear,
		server:   server,
		conn:     datagram.Open(inner, conn, datagram.Config{ReadSize: headerLen + MaxText, Batch: 8}),
		ask:      make(chan struct{}, 1),
		spoken:   make(chan string, 1),
		lines:    make(chan string, 1),
		copies:   make(chan string, 1),
		failures: make(chan error, 3),
		copied:   make(chan struct{}, 1),
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
