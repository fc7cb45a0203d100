package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/wholefile"

	"github.com/ferrygo/ferry"
)

// The defaults of a Client.
const (
	// DefaultGiveUp is long enough for more than 30 tries. Where each way loses 30 % of
	// the datagrams, 36 fail in a row once in thirty thousand million times.
	DefaultGiveUp = 30 * time.Second
	// DefaultPort is the document's.
	DefaultPort = 7777
)

// A Client asks a central directory, and registers peers there. It is a [fetch.Locator] and a
// [Publisher].
//
// Conn and Directory are required; they and the other fields are not changed while
// calls run. The methods may be called by any number of goroutines: one request is
// under way at a time, the others wait. A Client must not be copied.
type Client struct {
	// Conn carries the requests. It stays the caller's, who closes it after the last
	// call; nothing else may read from it.
	Conn net.PacketConn
	// Directory is the directory's address.
	Directory netip.AddrPort
	// GiveUp is how long a request may go without progress. 0 means DefaultGiveUp, negative
	// means that only the context ends a request. A Peer gives up an update after [Peer.Period], if that is shorter, because the next one is
	// due then.
	GiveUp time.Duration
	// Trace observes the calls. Nil observes nothing.
	Trace *Trace

	once   sync.Once
	turn   chan struct{} // holds one element while a request is under way
	timer  timer
	latest []byte // the fragment of an answer that was accepted last
	after  int    // the number after it
}

var (
	_ fetch.Locator = (*Client)(nil)
	_ Publisher     = (*Client)(nil)
)

// A Registration is what a directory knows of one peer.
type Registration struct {
	Addr  netip.AddrPort // of its HTTP server
	Files []string       // that it shares
	Heard time.Time      // when it was heard last, by the directory's clock
}

// Contents are what a directory holds.
type Contents struct {
	// Total is the number of peers there are. It exceeds len(Peers) where the directory
	// has cut its answer.
	Total int
	// Peers are in the order in which they were heard last, the one that was silent for
	// the longest time first.
	Peers []Registration
}

// Publish registers a peer with the files that it shares, in place of those that it
// shared before, or says that it is still there. A directory forgets a peer that does
// not do so for [DefaultExpiry].
//
// peer is the address of the peer's HTTP server. Its IP must be the one that Conn sends
// from, unless the directory allows others; an unspecified one stands for it.
//
// The error is a [*RefusedError] where the directory says no, and wraps ferry.ErrNoAnswer
// or ferry.ErrSilent where it says nothing.
func (c *Client) Publish(ctx context.Context, peer netip.AddrPort, files []string) error {
	return c.publish(ctx, peer, files, c.giveUp())
}

func (c *Client) giveUp() time.Duration {
	if c.GiveUp < 0 {
		return forever
	}
	return orDefault(c.GiveUp, DefaultGiveUp)
}

// forever is longer than any request.
const forever = 100 * 365 * 24 * time.Hour

func (c *Client) publish(ctx context.Context, peer netip.AddrPort, files []string, giveUp time.Duration) error {
	body, err := peerBody(peer)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := wholefile.CheckName(f); err != nil {
			return fmt.Errorf("directory: publishing: %w", err)
		}
		body = append(AppendField(body, f), ' ')
	}
	_, err = c.ask(ctx, Update, "", body, giveUp)
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Code == CodeFull {
		// The refusal was confirmed. This proves the address, which may be what lacked.
		_, err = c.ask(ctx, Update, "", body, giveUp)
	}
	return err
}

// Withdraw removes a peer from the directory. It is not an error if the peer is not there.
func (c *Client) Withdraw(ctx context.Context, peer netip.AddrPort) error {
	body, err := peerBody(peer)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, Exit, "", body, c.giveUp())
	return err
}

func peerBody(peer netip.AddrPort) ([]byte, error) {
	peer = unmap(peer)
	if !peer.IsValid() || peer.Port() == 0 {
		return nil, fmt.Errorf("directory: invalid address of a peer: %v", peer)
	}
	// A zone has a meaning on its own host only (RFC 4007, section 6).
	return appendAddr(nil, netip.AddrPortFrom(peer.Addr().WithZone(""), peer.Port())), nil
}

// Lookup returns the peers that have a file, at least one. If no peer has it, the error
// is a [*RefusedError] that is an fs.ErrNotExist.
func (c *Client) Lookup(ctx context.Context, name string) ([]netip.AddrPort, error) {
	if err := wholefile.CheckName(name); err != nil {
		return nil, fmt.Errorf("directory: looking up: %w", err)
	}
	fields, err := c.ask(ctx, Lookup, name, append(AppendField(nil, name), ' '), c.giveUp())
	if err != nil {
		return nil, err
	}
	found, err := parseFound(fields[1:])
	for i, a := range found {
		// A link-local peer is on the link over which the directory is reached.
		if a.Addr().Is6() && a.Addr().IsLinkLocalUnicast() {
			found[i] = netip.AddrPortFrom(a.Addr().WithZone(c.Directory.Addr().Zone()), a.Port())
		}
	}
	return found, err
}

// View returns what the directory holds.
func (c *Client) View(ctx context.Context) (Contents, error) {
	// The document shows no request of this type. Ours holds a random word, which makes
	// it another request than the one before, and long enough for an answer that is
	// proof against forgery; a directory does not look at it.
	word := rand.Text()[:13]
	fields, err := c.ask(ctx, View, word, []byte(word+" "), c.giveUp())
	if err != nil {
		return Contents{}, err
	}
	return parseListing(fields[1:])
}

// Locate yields the peers that have a file, and ends with an error if there is one.
// It asks the directory when the first is wanted.
func (c *Client) Locate(ctx context.Context, name string) iter.Seq2[fetch.Source, error] {
	return func(yield func(fetch.Source, error) bool) {
		found, err := c.Lookup(ctx, name)
		if err != nil {
			yield(fetch.Source{}, err)
			return
		}
		for _, a := range found {
			if !yield(fetch.Source{Addr: a}, nil) {
				return
			}
		}
	}
}

// ask carries out a request when it is its turn. An answer's first field is the key.
func (c *Client) ask(ctx context.Context, typ Type, key string, body []byte, giveUp time.Duration) (answer []string, err error) {
	c.once.Do(func() { c.turn = make(chan struct{}, 1) })
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c.Conn == nil {
		return nil, errors.New("directory: a Client without a Conn")
	}
	to := unmap(c.Directory)
	if !to.IsValid() || to.Port() == 0 || to.Addr().IsUnspecified() {
		return nil, fmt.Errorf("directory: invalid address of the directory: %v", c.Directory)
	}
	start := time.Now()
	x := newExchange(start, typ, key, body, &c.timer, giveUp)
	x.latest, x.next = c.latest, c.after
	err = c.run(ctx, x, to)
	c.latest, c.after = x.latest, x.next
	if c.Trace != nil && c.Trace.Asked != nil {
		c.Trace.Asked(Event{Addr: to, Request: typ, Err: err, Exchange: Exchange{
			Sent: x.packets, Retransmitted: x.again, Unexpected: x.bad, RTT: c.timer.est, Elapsed: time.Since(start),
		}})
	}
	if err != nil {
		return nil, err
	}
	return x.answer, nil
}

// run writes what the exchange wants sent, and feeds it what arrives.
func (c *Client) run(ctx context.Context, x *exchange, to netip.AddrPort) error {
	conn := datagram.Open(ctx, c.Conn, datagram.Config{ReadSize: readSize, Batch: 4})
	defer conn.Release()
	buf := make([]byte, 0, MaxDatagram)
	warn := time.Now().Add(waitingAfter)
	for {
		out, wake := x.step(time.Now(), buf[:0])
		if x.done {
			return x.end(to)
		}
		if !x.heard && !warn.IsZero() {
			if now := time.Now(); now.Before(warn) {
				wake = earlier(wake, warn)
			} else {
				warn = time.Time{}
				c.waiting(x.typ, to)
			}
		}
		if err := c.write(conn, out, to); err != nil {
			return err
		}
		packets, err := conn.Read(wake)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			if ctx.Err() != nil && !x.heard {
				return fmt.Errorf("directory: %v: %w from %v: %w", x.typ, ferry.ErrNoAnswer, to, err)
			}
			return fmt.Errorf("directory: %v at %v: %w", x.typ, to, err)
		}
		now := time.Now()
		for _, p := range packets {
			if err := c.arrived(conn, x, now, p, to); err != nil {
				return err
			}
		}
	}
}

// waitingAfter is how long a directory may be silent before the trace is told.
const waitingAfter = 2 * time.Second

func (c *Client) waiting(typ Type, to netip.AddrPort) {
	if c.Trace != nil && c.Trace.Waiting != nil {
		c.Trace.Waiting(Event{Addr: to, Request: typ})
	}
}

func (c *Client) arrived(conn *datagram.Conn, x *exchange, now time.Time, p datagram.Packet, to netip.AddrPort) error {
	err := ferry.ErrUnsolicited
	var ack []byte
	if p.Addr == to {
		ack, err = x.arrived(now, p.Data, nil)
	}
	if err != nil {
		x.bad++
		if c.Trace != nil && c.Trace.Ignored != nil {
			c.Trace.Ignored(Event{Addr: p.Addr, Err: err})
		}
	}
	return c.write(conn, ack, to)
}

// write sends a datagram, if there is one. One that cannot leave counts as lost.
func (c *Client) write(conn *datagram.Conn, b []byte, to netip.AddrPort) error {
	if len(b) == 0 {
		return nil
	}
	err := datagram.Send(conn, []datagram.Packet{{Data: b, Addr: to}}, func(_ int, err error) {
		if c.Trace != nil && c.Trace.WriteFailed != nil {
			c.Trace.WriteFailed(Event{Addr: to, Err: err})
		}
	})
	if err != nil {
		return fmt.Errorf("directory: writing to %v: %w", to, err)
	}
	return nil
}

// end returns the error that an exchange ended with.
func (x *exchange) end(to netip.AddrPort) error {
	switch x.err {
	case ferry.ErrNoAnswer:
		return fmt.Errorf("directory: %v: %w from %v for %v", x.typ, x.err, to, x.giveUp)
	case ferry.ErrSilent:
		return fmt.Errorf("directory: %v: %v answered and is %w for %v", x.typ, to, x.err, x.giveUp)
	}
	return x.err
}
