package datagram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// grace is how long a Read waits after its deadline has passed, on a conn that
	// cannot poll.
	grace = 10 * time.Microsecond

	// A grace that takes as long as heldUp means that the process did not run. It is
	// then repeated, graceTries times in all.
	heldUp     = 2 * time.Millisecond
	graceTries = 4

	// A read that fails and may succeed the next time is repeated at once, up to
	// eagerTries in all, then once every retryPause, up to maxTries in all.
	eagerTries = 16
	maxTries   = 1024
	retryPause = time.Millisecond
)

// Read waits for a packet, and returns it and the others that have arrived, in order. It
// returns at least one packet, or an error, or neither after [Conn.Wake]. The slice and
// its bytes are the caller's until the next Read. A zero deadline never passes; otherwise
// Read returns os.ErrDeadlineExceeded (wrapped) when the deadline passes.
//
// Packets that have arrived are returned even if the deadline has passed: a loop that is
// late with its timers, because the machine was busy, gets its packets first. (A plain
// net.PacketConn fails at once, and the loop would retransmit what has been acknowledged.)
// On a conn that cannot poll, Read may therefore wait some microseconds past the deadline.
//
// When the context ends, Read returns context.Cause without looking for packets. (If the
// cause is a deadline of something else, it is joined with the context's error.) Errors
// about earlier packets, which an ICMP message reports, are skipped, and so are datagrams
// whose source is not an IP address and port. Any other error is the conn's, and does not
// go away.
func (c *Conn) Read(deadline time.Time) ([]Packet, error) {
	for tries := 1; ; tries++ {
		if c.ctx.Err() != nil {
			return nil, c.cause()
		}
		if c.watch.takeWoken() {
			return nil, nil
		}
		pkts, err := c.try(deadline)
		switch {
		case len(pkts) > 0:
			return pkts, nil
		case c.ctx.Err() != nil:
			return nil, c.cause()
		case c.watch.takeWoken():
			return nil, nil
		case err != nil && !passing(err):
			return nil, err // including os.ErrDeadlineExceeded
		case tries < eagerTries:
		case tries == maxTries && err == nil:
			return nil, io.ErrNoProgress
		case tries == maxTries:
			return nil, err
		case !c.pause(deadline):
			return nil, os.ErrDeadlineExceeded
		}
	}
}

// try reads once. If the deadline has passed, it also polls.
func (c *Conn) try(deadline time.Time) ([]Packet, error) {
	poller, ok := c.in.(poller)
	if !ok && !deadline.IsZero() && !time.Now().Before(deadline) {
		return c.readLate()
	}
	if ok {
		if pkts, err := c.giveWay(poller); len(pkts) > 0 || err != nil {
			return pkts, err
		}
		if pkts, err := c.spin(poller, deadline); len(pkts) > 0 || err != nil {
			return pkts, err
		}
	}
	for {
		if err := c.watch.arm(deadline); err != nil {
			return nil, err
		}
		pkts, err := c.keep(c.in.read(c.pkts[:0]))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return pkts, err
		}
		if c.watch.fires(deadline) {
			continue
		}
		if ok {
			return c.look(poller, err)
		}
		return nil, err
	}
}

// look polls. If nothing has arrived, it returns the error otherwise.
func (c *Conn) look(p poller, otherwise error) ([]Packet, error) {
	pkts, err := c.keep(p.poll(c.pkts[:0]))
	if len(pkts) == 0 && err == nil {
		err = otherwise
	}
	return pkts, err
}

// readLate reads what has arrived on a conn that cannot poll: it reads with a deadline a
// moment away. If the process had no processor, that deadline passes before there is a
// read at all. The elapsed time shows it: a moment takes a millisecond at most.
func (c *Conn) readLate() (pkts []Packet, err error) {
	for range graceTries {
		start := time.Now()
		if err := c.watch.set(start.Add(grace)); err != nil {
			return nil, err
		}
		pkts, err = c.keep(c.in.read(c.pkts[:0]))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return pkts, err
		}
		c.watch.fires(time.Time{})
		if time.Since(start) < heldUp {
			return nil, err
		}
	}
	return nil, err
}

// keep stores the slice that a reader may have grown.
func (c *Conn) keep(pkts []Packet, err error) ([]Packet, error) {
	c.pkts = pkts
	return pkts, err
}

// pause keeps a conn that fails repeatedly from using a whole processor. It reports whether
// the deadline has not passed yet.
func (c *Conn) pause(deadline time.Time) bool {
	d := retryPause
	if !deadline.IsZero() {
		d = min(d, time.Until(deadline))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
	return deadline.IsZero() || time.Now().Before(deadline)
}

// cause returns why the context ended. It never returns an os.ErrDeadlineExceeded, as the
// cause may be one of another conn: a loop would take it for its own timer and go on.
func (c *Conn) cause() error {
	cause := context.Cause(c.ctx)
	if errors.Is(cause, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %v", c.ctx.Err(), cause)
	}
	return cause
}
