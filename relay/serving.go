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
	// maxPartings bounds the connections that a Serve has ended and whose other side has not.
	maxPartings = 1024
	// partingTimeout is how long a Serve waits for that, and how long a refused client may take to be told why.
	partingTimeout = time.Second
	// maxIgnored bounds the bytes that it reads meanwhile and ignores.
	maxIgnored = 1 << 20
)

// A serving is one call of Serve. It accepts clients in the goroutine of that call. Each client has two more: one
// reads and delivers to the queues of others, one writes its own queue.
type serving struct {
	*Server
	options
	trace Trace

	hard  context.Context // ends with Serve's context and with Close
	kill  context.CancelCauseFunc
	soft  context.Context // ends also with Shutdown
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

// refuse tells a client why it may not join.
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
			// For reading, too: the first Write of a TLS conn reads.
			_ = conn.SetDeadline(time.Now().Add(partingTimeout))
			if _, err := conn.Write(words); err == nil {
				part(conn)
			}
			conn.Close()
		})
	default:
		// Many have not gone when they were told: this one gets what fits at once.
		_ = conn.SetDeadline(time.Now().Add(time.Millisecond))
		_, _ = conn.Write(words)
		conn.Close()
	}
}

// part closes our side of a connection and waits for the other to close its own. If the connection were closed while
// there is something to read, the system would reset it, and what was written last would be lost.
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
	unstop() // parting sets a deadline of its own
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

// await lets no client leave in a Shutdown while what others have said is still to be delivered.
func (v *serving) await(quiet <-chan struct{}) {
	if v.soft.Err() == nil {
		return
	}
	select {
	case <-quiet:
	case <-v.hard.Done():
	}
}

// depart gives up c's place, and bounds how long c may take to read what waits for it, and how many such clients there
// are. In a Shutdown no other client takes the places, and its caller says how long.
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
	if c.failed() || c.ended {
		return
	}
	select {
	case v.partings <- struct{}{}:
		part(c.conn)
		<-v.partings
	default:
	}
}

// read delivers what c says until it ends. words, if any, are the last that c is told.
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
			return c.whyNoMore(errRead)
		}
		if v.idleTimeout > 0 && c.messages.Load() > before {
			if err := c.expect(v.idleTimeout); err != nil {
				return "", err
			}
		}
	}
}

// pass delivers all messages that have been read. It reports whether one was "exit".
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
