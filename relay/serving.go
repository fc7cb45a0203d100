package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/ferrygo/ferry/internal/tcpstate"
)

const (
	// maxPartings is the maximum number of connections that a Serve has closed for writing and the client has not closed.
	maxPartings = 1024
	// partingTimeout is the time for the client to close such a connection, and for a refused client to take the reason.
	partingTimeout = time.Second
	// maxIgnored is the maximum number of bytes that are read and ignored meanwhile.
	maxIgnored = 1 << 20
)

// A serving is one call of Serve. The goroutine of that call accepts clients. Each client has two goroutines: one reads
// and delivers to the queues of the others, one writes the client's own queue.
type serving struct {
	*Server
	options
	trace Trace

	hard  context.Context // ends with Serve's context and with Close
	kill  context.CancelCauseFunc
	soft  context.Context // ends with hard and with Shutdown
	drain context.CancelCauseFunc

	conns    sync.WaitGroup
	partings chan struct{} // has an element for each
	done     chan struct{} // closed at the end
}

// accept takes a new client, or refuses it.
func (v *serving) accept(conn net.Conn) {
	if c, err := v.join(conn, v.options); err == nil {
		v.conns.Go(func() { v.attend(c) })
	} else {
		v.refuse(conn, err)
	}
}

// refuse tells a client why it may not join, and closes the connection.
func (v *serving) refuse(conn net.Conn, why error) {
	if v.trace.Refused != nil {
		v.trace.Refused(addrPort(conn.RemoteAddr()), why)
	}
	text := why.Error()
	if errors.Is(why, ErrFull) {
		text = fmt.Sprintf("full: at most %d clients", v.maxClients)
	}
	words := notice(text).data
	select {
	case v.partings <- struct{}{}:
		v.conns.Go(func() {
			defer func() { <-v.partings }()
			defer watch(v.hard, func() { conn.Close() })()
			// SetDeadline and not SetWriteDeadline: the first Write of a TLS conn reads.
			_ = conn.SetDeadline(time.Now().Add(partingTimeout))
			if _, err := conn.Write(words); err == nil {
				part(conn)
			}
			conn.Close()
		})
	default:
		// Too many refused clients have not closed. This one gets what the socket buffer holds.
		_ = conn.SetDeadline(time.Now().Add(time.Millisecond))
		_, _ = conn.Write(words)
		conn.Close()
	}
}

// part closes the sending direction and waits until the client closes its own. Closing a connection with unread data
// resets it (RFC 2525, section 2.17), and the last written data would be lost.
func part(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(partingTimeout))
	_, _ = io.CopyN(io.Discard, conn, maxIgnored)
}

// attend serves one client from its first byte to its last.
func (v *serving) attend(c *client) {
	unhook := watch(v.hard, func() { c.fail(context.Cause(v.hard)) })
	unstop := watch(v.soft, func() { c.stop("", nil) })
	tcpstate.Watch(c.conn, func() { c.fail(syscall.ETIMEDOUT) })
	var writer sync.WaitGroup
	writer.Go(c.write)
	if v.trace.Joined != nil {
		v.trace.Joined(c.Client)
	}
	if v.notices {
		c.push(notice(fmt.Sprintf("you are %d", c.ID)))
		v.deliver(c, notice(fmt.Sprintf("%d joined", c.ID)), v.trace.Lost)
	}
	words, err := v.read(c)
	v.await(v.doneReading())
	v.depart(c)
	unstop() // part sets another deadline
	if v.notices {
		v.deliver(c, notice(fmt.Sprintf("%d left", c.ID)), v.trace.Lost)
	}
	c.finish(words)
	writer.Wait()
	v.settle(c)
	v.hangUp(c)
	unhook()
	if err = c.cause(err); v.trace.Left != nil {
		v.trace.Left(c.Client, c.report(), err)
	}
}

// await waits, in a Shutdown, until the messages of all clients are delivered.
func (v *serving) await(quiet <-chan struct{}) {
	if v.soft.Err() == nil {
		return
	}
	select {
	case <-quiet:
	case <-v.hard.Done():
	}
}

// depart frees c's place, and limits the time and the number of clients that have left and not read their queues. In a
// Shutdown only its context is a limit.
func (v *serving) depart(c *client) {
	late := v.leave(c)
	if v.soft.Err() != nil {
		return
	}
	c.limit()
	if late != nil {
		late.fail(ErrSlow)
	}
}

// hangUp closes the connection of a client whose queue is empty.
func (v *serving) hangUp(c *client) {
	defer c.conn.Close()
	if c.ended || c.cause(nil) != nil {
		return
	}
	select {
	case v.partings <- struct{}{}:
		part(c.conn)
		<-v.partings
	default:
	}
}

// read delivers the messages of c until it ends. words are the last notice for c, or empty.
func (v *serving) read(c *client) (words string, err error) {
	in := splitter{framing: v.framing, max: v.maxMessage}
	out := newBatcher(c.ID)
	if err := c.expect(v.idleTimeout); err != nil {
		return "", err
	}
	for {
		n, errRead := c.conn.Read(in.room())
		in.took(n)
		if errRead == io.EOF {
			c.ended = true
			in.finish()
		}
		before := c.messages.Load()
		over, err := v.pass(c, &in, out)
		switch {
		case err != nil:
			return fmt.Sprintf("message longer than %d bytes", v.maxMessage), err
		case over || errRead == io.EOF:
			return "", nil
		case errRead != nil:
			return c.readFailed(errRead)
		}
		if v.idleTimeout > 0 && c.messages.Load() > before {
			if err := c.expect(v.idleTimeout); err != nil {
				return "", err
			}
		}
	}
}

// pass delivers the messages that were read. It reports whether one was "exit".
func (v *serving) pass(c *client, in *splitter, out *batcher) (over bool, err error) {
	defer func() { v.deliver(c, out.take(), v.trace.Lost) }()
	for {
		text, ok, err := in.next()
		if !ok || err != nil {
			return false, err
		}
		c.messages.Add(1)
		if v.trace.Message != nil {
			v.trace.Message(c.Client, text)
		}
		if string(text) == exit {
			return true, nil
		}
		if v.Filter != nil {
			if text, ok = v.Filter(c.Client, text); !ok {
				continue
			}
			text = []byte(oneLine(string(text)))
		}
		if !out.fits(text) {
			v.deliver(c, out.take(), v.trace.Lost)
		}
		out.add(text, in.waiting())
	}
}
