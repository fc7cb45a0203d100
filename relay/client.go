package relay

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// minTaken is the number of bytes that a client with a full queue must take in each [Server.SlowTimeout].
const minTaken = 16 << 10

// A Client is one connection of a Server.
type Client struct {
	// ID is unique during the Server's life.
	ID uint64
	// Addr is zero if the connection is not TCP.
	Addr netip.AddrPort
}

// A client is one connection of a Server. Its reading goroutine owns ended, its writing goroutine owns vector, and mu
// guards the fields after it.
type client struct {
	Client
	conn net.Conn
	options

	ended  bool // the client closed its sending direction
	vector net.Buffers

	messages, delivered, lost atomic.Uint64

	wake chan struct{} // has an element if write has something to do
	gone chan struct{} // closed when nothing more is queued

	mu        sync.Mutex
	queue     queue
	room      chan struct{} // nil unless the queue is full; closed when half of it is free
	due       time.Time     // the write deadline
	writing   time.Time     // when the current write began, or last took minTaken bytes; zero between writes
	last      time.Time     // when everything must be written; zero: no limit
	finishing bool          // nothing more is queued; write ends when the queue is empty
	broken    error         // why the connection was closed
	stopped   bool          // nothing more is read
	words     string        // the reason, for the client
	reason    error         // the reason
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

// push queues d, unless the client is ending. It reports whether the queue is full, and how many messages it dropped. The
// caller waits with awaitRoom if the queue is full.
func (c *client) push(d delivery) (full bool, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.finishing || c.broken != nil:
		return false, 0
	case c.slow == DropOldest:
		lost = c.queue.displace(d)
		c.lost.Add(uint64(lost))
	default:
		c.queue.push(d)
		if c.room == nil && c.queue.full() {
			c.room = make(chan struct{})
			c.hurry()
		}
	}
	c.poke()
	return c.room != nil, lost
}

// hurry applies SlowTimeout, because the queue is full. c.mu is held.
func (c *client) hurry() {
	switch {
	case c.slow != Disconnect:
	case c.slowTimeout < 0:
		c.breakOff(ErrSlow)
	case !c.writing.IsZero():
		c.setDeadline(c.writing)
	}
}

// awaitRoom waits until c's queue is not full, or c or from ends.
func (c *client) awaitRoom(from *client) {
	c.mu.Lock()
	room := c.room
	c.mu.Unlock()
	if room == nil {
		return
	}
	var gone chan struct{}
	if from != nil {
		gone = from.gone
	}
	select {
	case <-room:
	case <-c.gone:
	case <-gone:
	}
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
		if err := c.send(bufs); err != nil {
			c.fail(err)
			return
		}
		c.delivered.Add(uint64(messages))
		clear(bufs)
	}
}

// send writes bufs. It goes on after the deadline if a client with a full queue took minTaken bytes.
func (c *client) send(bufs [][]byte) error {
	for c.vector = bufs; ; {
		n, err := c.vector.WriteTo(c.conn)
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case !c.tookEnough(n):
			return ErrSlow
		}
	}
}

// tookEnough reports whether a write goes on after n bytes and a deadline. If so, it sets the next deadline.
func (c *client) tookEnough(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room == nil || n < minTaken {
		return false
	}
	c.writing = time.Now()
	c.setDeadline(c.writing)
	return true
}

// take notes that the last buffers were written, wakes the clients that wait for room, and returns the next buffers.
func (c *client) take(bufs [][]byte) (_ [][]byte, messages int, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue.wrote()
	c.writing = time.Time{}
	if c.room != nil && c.queue.halfFree() {
		close(c.room)
		c.room = nil
	}
	if c.broken != nil || c.finishing && c.queue.empty() {
		return bufs, 0, true
	}
	if bufs, messages = c.queue.take(bufs); len(bufs) > 0 {
		c.writing = time.Now()
		c.setDeadline(c.writing)
	}
	return bufs, messages, false
}

// setDeadline sets the deadline of a write that begins at now. c.mu is held.
//
// WriteTimeout may be shortened by up to an eighth: setting a deadline for each write costs as much as a small write.
func (c *client) setDeadline(now time.Time) {
	var due time.Time
	switch {
	case c.room != nil && c.slow == Disconnect:
		due = now.Add(c.slowTimeout)
	case c.writeTimeout < 0:
	case c.due.Sub(now) > c.writeTimeout-c.writeTimeout/8:
		due = c.due
	default:
		due = now.Add(c.writeTimeout)
	}
	if !c.last.IsZero() && (due.IsZero() || c.last.Before(due)) {
		due = c.last
	}
	if due != c.due {
		c.due = due
		_ = c.conn.SetWriteDeadline(due) // a closed conn fails in the write
	}
}

// limit applies one WriteTimeout to everything that is still queued.
func (c *client) limit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeTimeout >= 0 {
		c.last = time.Now().Add(c.writeTimeout)
	}
}

// finish queues words as the last notice, unless they are empty. write ends when the queue is empty.
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

// fail closes the connection at once and drops the queue. Only the first reason is kept.
func (c *client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.breakOff(err)
}

// breakOff is fail. c.mu is held.
func (c *client) breakOff(err error) {
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
		_ = tcp.SetLinger(0) // the system drops unread data as well
	}
	c.conn.Close()
}

// cause returns the reason of fail, or err if fail was not called.
func (c *client) cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.broken, err)
}

// expect sets the read deadline, unless d is 0 or stop was called.
func (c *client) expect(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d <= 0 || c.stopped {
		return nil
	}
	return c.conn.SetReadDeadline(time.Now().Add(d))
}

// stop ends the reading. words are the client's last notice. Only the first reason is kept.
func (c *client) stop(words string, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.stopped, c.words, c.reason = true, words, reason
	}
	_ = c.conn.SetReadDeadline(past)
}

// readFailed returns the reason of a failed read, for the client and for the Trace.
func (c *client) readFailed(err error) (words string, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return "", err
	case c.stopped:
		return c.words, c.reason
	}
	return "silent too long", ErrIdle
}

// report returns the client's counters.
func (c *client) report() ClientReport {
	return ClientReport{Messages: c.messages.Load(), Delivered: c.delivered.Load(), Lost: c.lost.Load()}
}
