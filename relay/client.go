package relay

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// How many times Server.Patience others wait for a client that reads, but slowly.
const (
	// readerPatience is for one that is known to read, and takes nothing now: its
	// machine may be busy.
	readerPatience = 4
	// mostPatience is for all, until there is room.
	mostPatience = 8
	// longestPatience is what can be waited so many times without an overflow.
	longestPatience = math.MaxInt64 / mostPatience
)

// mostBuffered is more than the systems of both sides hold for a client that never
// reads: usually 10 MB at most. Who has taken more than that reads.
const mostBuffered = 16 << 20

// A Client is one connection of a Server, as its Trace is told of it.
type Client struct {
	// ID is unique for as long as the Server lives.
	ID uint64
	// Addr is zero if the connection is not TCP.
	Addr netip.AddrPort
}

// A client is a connection that is served. Its reading goroutine owns heardAll and
// full; mu guards what other clients touch.
type client struct {
	Client
	conn net.Conn
	options

	heardAll bool      // it closed its side
	full     []*client // scratch of deliver

	messages, delivered, lost atomic.Uint64

	wake chan struct{} // has an element if write has something to look at
	gone chan struct{} // closed when nothing more can be queued

	mu        sync.Mutex
	queue     queue
	finishing bool          // nothing more is queued: write what is there, and end
	last      time.Time     // when all is to be written; zero: there is no such time
	broken    error         // why the connection is of no use any more
	stopped   bool          // nothing more is read
	writing   time.Time     // when the write that is under way began; zero: none is
	fullSince time.Time     // zero: there is room
	taken     int           // the cost of what was written
	room      chan struct{} // closed when there is room again; nil: nobody waits
}

func newClient(id uint64, conn net.Conn, o options) *client {
	return &client{
		Client:  Client{ID: id, Addr: addrPort(conn.RemoteAddr())},
		conn:    conn,
		options: o,
		queue:   queue{limit: o.queue},
		wake:    make(chan struct{}, 1),
		gone:    make(chan struct{}),
	}
}

// offer queues d if there is room, or nobody is there any more to have it, or the
// policy makes room. lost is how many messages that cost.
func (c *client) offer(d delivery) (ok bool, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.finishing || c.broken != nil:
		return true, 0
	case c.fullSince.IsZero() && c.queue.fits(d):
		c.queue.push(d)
	case c.slow == DropOldest:
		lost = c.queue.displace(d)
		c.lost.Add(uint64(lost))
	default:
		if c.fullSince.IsZero() {
			c.fullSince = time.Now()
		}
		return false, 0
	}
	c.poke()
	return true, lost
}

// insist queues d when there is room. If c takes too long to make some, it is
// disconnected. It gives up when from is gone, on whose behalf it waits.
func (c *client) insist(d delivery, from *client) {
	for {
		room, patience := c.waitForRoom()
		if room != nil && !c.await(room, patience, from) {
			return
		}
		if ok, _ := c.offer(d); ok {
			return
		}
	}
}

// waitForRoom returns a channel that is closed when there is room, nil if there is
// some, and how long to wait for it.
func (c *client) waitForRoom() (room <-chan struct{}, patience time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fullSince.IsZero() {
		return nil, 0
	}
	if c.room == nil {
		c.room = make(chan struct{})
	}
	return c.room, c.remaining(time.Now())
}

// remaining is how long others wait for c, unless it takes what is being written to it
// meanwhile: a client that does that reads. c.mu is held.
func (c *client) remaining(now time.Time) time.Duration {
	if c.patience < 0 {
		return 0
	}
	writing := c.writing
	if writing.IsZero() {
		writing = now // write is about to take what is next
	}
	patience := c.patience
	if c.taken > mostBuffered {
		patience *= readerPatience
	}
	return min(patience-now.Sub(writing), mostPatience*c.patience-now.Sub(c.fullSince))
}

// await waits for room. It reports whether it makes sense to look again.
func (c *client) await(room <-chan struct{}, patience time.Duration, from *client) bool {
	var late <-chan time.Time
	if c.slow == Disconnect {
		if patience <= 0 {
			c.fail(ErrSlow)
			return false
		}
		t := time.NewTimer(patience)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-room:
		return true
	case <-late:
		return true
	case <-c.gone:
	case <-from.gone:
	}
	return false
}

// poke wakes write. c.mu is held.
func (c *client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write empties the queue into the connection until the client is finished or broken.
func (c *client) write() {
	var bufs [][]byte
	var vector net.Buffers
	var due time.Time // of the write deadline
	for {
		var messages int
		var over bool
		if bufs, messages, over = c.take(bufs[:0]); over {
			return
		}
		if len(bufs) == 0 {
			<-c.wake
			continue
		}
		if err := c.hurry(&due); err != nil {
			c.fail(err)
			return
		}
		var err error
		if len(bufs) == 1 {
			_, err = c.conn.Write(bufs[0])
		} else {
			vector = bufs
			_, err = vector.WriteTo(c.conn)
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrSlow
			}
			c.fail(err)
			return
		}
		c.delivered.Add(uint64(messages))
		clear(bufs)
	}
}

// hurry sets the write deadline. It may be shorter by an eighth than it should: moving
// it for each write would cost as much as a small write.
func (c *client) hurry(due *time.Time) error {
	if c.writeTimeout < 0 {
		return nil
	}
	now := time.Now()
	if due.Sub(now) > c.writeTimeout-c.writeTimeout/8 {
		return nil
	}
	*due = c.due(now)
	return c.conn.SetWriteDeadline(*due)
}

// due is when a write that begins now is to have ended.
func (c *client) due(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := now.Add(c.writeTimeout)
	if !c.last.IsZero() && c.last.Before(due) {
		return c.last
	}
	return due
}

// limit gives all that is still written to the client the time of one write.
func (c *client) limit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now().Add(c.writeTimeout)
}

// take frees what was written, tells those who wait for room, and returns what is next.
func (c *client) take(bufs [][]byte) (_ [][]byte, messages int, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken += c.queue.flying
	c.queue.wrote()
	c.writing = time.Time{}
	if !c.fullSince.IsZero() && c.queue.roomy() {
		c.fullSince = time.Time{}
		c.letIn()
	}
	if c.broken != nil || c.finishing && c.queue.empty() {
		return bufs, 0, true
	}
	if bufs, messages = c.queue.take(bufs); len(bufs) > 0 {
		c.writing = time.Now()
	}
	return bufs, messages, false
}

// letIn wakes those who wait for room. c.mu is held.
func (c *client) letIn() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// finish lets write end when it has written what is queued, and then words.
func (c *client) finish(words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil || c.finishing {
		return
	}
	if words != "" {
		c.queue.push(notice(words))
	}
	c.finishing = true
	close(c.gone)
	c.poke()
}

// fail breaks the connection off, so that reading and writing end. What is queued is
// lost. The first reason counts.
func (c *client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return
	}
	c.broken = err
	c.queue = queue{limit: c.queue.limit, flying: c.queue.flying}
	if !c.finishing {
		close(c.gone)
	}
	c.poke()
	if tcp, ok := c.conn.(interface{ SetLinger(sec int) error }); ok && errors.Is(err, ErrSlow) {
		_ = tcp.SetLinger(0) // the system, too, forgets what it has not read
	}
	c.conn.Close()
}

func (c *client) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken != nil
}

// cause is why the client ended: err, which its reading ended with, unless something
// else came first.
func (c *client) cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	return err
}

// expect sets the read deadline, unless nothing is to be read any more.
func (c *client) expect(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	return c.conn.SetReadDeadline(time.Now().Add(d))
}

// stopReading ends the reading for good.
func (c *client) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	_ = c.conn.SetReadDeadline(past)
}

// whyNoMore says what a failed read means for the client.
func (c *client) whyNoMore(err error) (words string, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return "", err
	case c.stopped:
		return "", nil
	}
	return "silent too long", ErrIdle
}

// report says what has happened to the client so far.
func (c *client) report() ClientReport {
	return ClientReport{Messages: c.messages.Load(), Delivered: c.delivered.Load(), Lost: c.lost.Load()}
}
