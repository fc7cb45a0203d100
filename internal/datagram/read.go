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
	// grace is how long a Read waits whose deadline has passed already, where the conn
	// has no way to look for packets without waiting.
	grace = 10 * time.Microsecond

	// heldUp is how long such a wait takes where the process was held up; then it is
	// repeated, lingerTries in all.
	heldUp      = 2 * time.Millisecond
	lingerTries = 4

	// A read that fails and may succeed the next time is repeated at once, eagerTries
	// in all, then once in every pause, patientTries in all.
	eagerTries   = 16
	patientTries = 1024
	pause        = time.Millisecond
)

// Read waits for a packet and returns it with what else has arrived, in order: at least
// one packet unless there is an error. The slice and the bytes in it are the caller's
// until the next Read. Where deadline is zero Read waits as long as it takes; otherwise
// it returns os.ErrDeadlineExceeded (wrapped) when it passes.
//
// A deadline that has passed does not hide what has arrived: a loop that is behind with
// its timers, because the machine was busy, still gets its packets first. (A
// net.PacketConn by itself fails at once, and the loop would send again what has been
// acknowledged.) To say that there is nothing may then take some microseconds, on a
// conn that is not a socket.
//
// When the context ends Read returns context.Cause (or, should that be a passed deadline
// of something else's, the context's error with it), without looking at what has
// arrived. Errors about earlier packets (an ICMP message came back) are skipped, and so
// are datagrams from no IP address and port, which cannot be answered. Any other error
// is the conn's, and repeating the call is of no use.
func (c *Conn) Read(deadline time.Time) ([]Packet, error) {
	for tries := 1; ; tries++ {
		if c.ctx.Err() != nil {
			return nil, c.cause()
		}
		pkts, err := c.try(deadline)
		switch {
		case len(pkts) > 0:
			return pkts, nil
		case c.ctx.Err() != nil:
			return nil, c.cause()
		case err != nil && !passing(err):
			return nil, err // os.ErrDeadlineExceeded is among these
		case tries < eagerTries:
		case tries == patientTries && err == nil:
			return nil, io.ErrNoProgress
		case tries == patientTries:
			return nil, err
		case !c.rest(deadline):
			return nil, os.ErrDeadlineExceeded
		}
	}
}

// try reads once, and once more where a deadline hides what has arrived.
func (c *Conn) try(deadline time.Time) ([]Packet, error) {
	poller, ok := c.in.(poller)
	if !ok && !deadline.IsZero() && !time.Now().Before(deadline) {
		return c.linger()
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

// look reads what has arrived without waiting; if that is nothing, it returns
// otherwise.
func (c *Conn) look(p poller, otherwise error) ([]Packet, error) {
	pkts, err := c.keep(p.poll(c.pkts[:0]))
	if len(pkts) == 0 && err == nil {
		err = otherwise
	}
	return pkts, err
}

// linger reads what has arrived and waits a moment for it. That the moment passed
// before there was a read at all, because the process had to wait for a processor, is
// told by how long it took: a moment takes a millisecond or so at most.
func (c *Conn) linger() (pkts []Packet, err error) {
	for range lingerTries {
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

// keep remembers the slice that a reader may have made longer.
func (c *Conn) keep(pkts []Packet, err error) ([]Packet, error) {
	c.pkts = pkts
	return pkts, err
}

// rest keeps a conn that fails again and again from taking a whole processor. It
// reports whether the deadline is still to come.
func (c *Conn) rest(deadline time.Time) bool {
	d := pause
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

// cause says why the context ended. It is never an os.ErrDeadlineExceeded, which is how
// the cause may look when it comes from another conn: a loop would take it for its own
// timer, and go on for ever.
func (c *Conn) cause() error {
	cause := context.Cause(c.ctx)
	if errors.Is(cause, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %v", c.ctx.Err(), cause)
	}
	return cause
}
