package tftp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/amplify"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A link is the conn of a transfer: its own *datagram.Conn, or its share of the server's
// only conn.
type link interface {
	Read(deadline time.Time) ([]datagram.Packet, error)
	Write(pkts []datagram.Packet) (int, error)
	Wake()
	SetBuffers(read, write int) (gotRead, gotWrite int, err error)
	Release()
}

// A transfer is what both sides of a transfer need: it knows the other side, checks which
// packets come from there, writes, and counts. Its methods run in the transfer's goroutine,
// which owns all of it.
type transfer struct {
	ctx       context.Context // the call's, or the session's
	link      link
	server    netip.AddrPort // where a client's request goes
	peer      netip.AddrPort // the port is 0 until the other side has answered
	session   *session       // at a server
	seenAgain int64          // when the request was repeated, as seen last
	num       numbering
	trace     Trace
	request   *Request
	report    Report
	start     time.Time
	heard     time.Time // when the other side made progress; at first the start
	// How long the other side may make no progress, before its first answer and later.
	joinTimeout, giveUp time.Duration
	answered            bool           // the other side has answered
	budget              amplify.Budget // what may be sent to it until then

	pending     []datagram.Packet // read, and not yet processed
	from        netip.AddrPort    // the sender of the packet that receive returned
	unsolicited int               // packets from other addresses that were answered
	peerErr     *Error            // the ERROR with which the other side ended the transfer
	refused     Error             // the ERROR that answered a request with options
	refusals    int               // how many more copies of it are ignored
	finished    bool

	batch  []datagram.Packet // to be written
	wrote  int               // packets in all batches so far
	small  []byte            // the bytes of the ACKs in batch
	unsent error             // why the latest packet could not be sent, nil if it was sent
}

// maxUnsolicited is how many unsolicited packets are answered in one transfer.
const maxUnsolicited = 64

// receive returns the next packet from the other side. Its payload is valid until the next
// call. The error is os.ErrDeadlineExceeded (wrapped) when the deadline passes, or when the
// client has repeated its request; an [*Error] when the other side sent one; and an error around ErrMalformed or ErrWidth for a packet
// that cannot be decoded, which "signals that the transaction ends" (UDP file delivery
// assignment, "About TFTP", the paragraph after point 9).
func (c *transfer) receive(deadline time.Time) (Packet, error) {
	for {
		if p, ok, err := c.take(); ok || err != nil {
			return p, err
		}
		var err error
		switch c.pending, err = c.link.Read(deadline); {
		case err != nil:
			return Packet{}, err
		case len(c.pending) == 0: // woken
			return Packet{}, os.ErrDeadlineExceeded
		}
	}
}

// take is like receive, but it does not read: it returns false if no packet is pending.
func (c *transfer) take() (Packet, bool, error) {
	for len(c.pending) > 0 {
		d := c.pending[0]
		c.pending = c.pending[1:]
		p, err := ParsePacket(d.Data, c.num.wide)
		if !c.belongs(d.Addr) {
			c.report.Unsolicited++
			c.rejectUnsolicited(d.Addr, p, err)
			continue
		}
		switch {
		case err == nil && p.Op == ERROR && c.refusals > 0 && c.refused == Error{p.Code, p.Message}:
			c.refusals--
			c.report.Duplicates++
			continue
		case err == nil && p.Op == ERROR:
			c.peerErr = &Error{Code: p.Code, Message: p.Message}
			return Packet{}, false, c.peerErr
		case err == nil:
			c.from = d.Addr
			return p, true, nil
		}
		c.report.Unexpected++
		c.ignored(d.Addr, err)
		if c.peerKnown() || c.otherWidth(d.Data) {
			c.peer = d.Addr
			return Packet{}, false, c.malformed(d.Data, err)
		}
	}
	return Packet{}, false, nil
}

// peerKnown reports whether the other side's port is known.
func (c *transfer) peerKnown() bool { return c.peer.Port() != 0 }

// belongs reports whether an address is, or may be, the other side's: a server chooses the
// port from which it answers (RFC 1350, section 4).
func (c *transfer) belongs(from netip.AddrPort) bool {
	return from == c.peer || !c.peerKnown() && from.Addr() == c.peer.Addr()
}

// progressed notes that the packet that receive returned last was the expected one.
func (c *transfer) progressed(now time.Time) {
	c.heard, c.answered = now, true
	c.budget.Prove()
	c.peer = c.from
}

// unexpected counts a packet from the right host that does not fit the transfer.
func (c *transfer) unexpected(p Packet) {
	c.report.Unexpected++
	if !c.peerKnown() {
		c.rejectUnsolicited(c.from, p, nil)
		return
	}
	c.ignored(c.from, ErrUnexpected)
}

// rejectUnsolicited answers an unsolicited packet with error 5; "the original connection
// should not be disturbed" (RFC 1350, section 4). Neither an ERROR nor a packet that cannot be
// decoded is answered.
func (c *transfer) rejectUnsolicited(from netip.AddrPort, p Packet, err error) {
	c.ignored(from, ferry.ErrUnsolicited)
	if err != nil || c.unsolicited >= maxUnsolicited || p.Op != DATA && p.Op != ACK && p.Op != OACK {
		return
	}
	c.unsolicited++
	c.writeTo(from, Packet{Op: ERROR, Code: CodeUnknownID, Message: CodeUnknownID.String()})
}

// otherWidth reports whether b is a packet with a block number of the other width.
func (c *transfer) otherWidth(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	op := Opcode(binary.BigEndian.Uint16(b))
	if c.num.wide {
		return len(b) < headerLen(true) && (op == ACK || op == DATA)
	}
	return op == ACK && len(b) == headerLen(true)
}

// malformed returns the error for a packet that cannot be decoded.
func (c *transfer) malformed(b []byte, err error) error {
	if c.otherWidth(b) {
		return c.wrongWidth()
	}
	return &peerError{CodeIllegal, "malformed packet", fmt.Errorf("%w: %w", ErrMalformed, err)}
}

func (c *transfer) wrongWidth() error {
	if c.num.wide {
		return &peerError{CodeIllegal, "block numbers have four bytes here", ErrWidth}
	}
	return &peerError{CodeIllegal, "block numbers have two bytes here", ErrWidth}
}

// fail sends an ERROR about err to the other side, unless err came from there or from its
// silence, and returns err.
func (c *transfer) fail(err error) error {
	var peerErr *Error
	if !c.peerKnown() || errors.As(err, &peerErr) && peerErr == c.peerErr {
		return err
	}
	for _, quiet := range []error{ferry.ErrSilent, ferry.ErrNoAnswer, ferry.ErrUnconfirmed, ErrReplaced} {
		if errors.Is(err, quiet) {
			return err
		}
	}
	p := errorPacket(err)
	if !c.budget.Allows(len(p.Message)) {
		return err // no more may be sent to an address that has not answered
	}
	c.writeTo(c.peer, p)
	return err
}

// finish notes how the transfer ended, once.
func (c *transfer) finish(err error) {
	if c.finished {
		return
	}
	c.finished = true
	c.report.Addr = c.peer
	c.report.Elapsed = time.Since(c.start)
	if c.trace.Finished != nil {
		c.trace.Finished(TransferEvent{Addr: c.peer, Request: c.request, Report: c.report, Err: err})
	}
}

// to returns the address to which the next packet goes.
func (c *transfer) to() netip.AddrPort {
	if c.peerKnown() {
		return c.peer
	}
	return c.server
}

// noteHeard tells the dispatcher that the other side answers, and how far the transfer is.
func (c *transfer) noteHeard() {
	if c.session != nil {
		c.session.record(c.report.Bytes)
	}
}

// askedAgain reports whether the client has repeated its request since the last call.
func (c *transfer) askedAgain() bool {
	if c.session == nil {
		return false
	}
	at := c.session.repeatedAt.Load()
	again := at != c.seenAgain
	c.seenAgain = at
	return again
}

// queue adds a small packet for the other side to the batch.
func (c *transfer) queue(b []byte) {
	start := len(c.small)
	c.small = append(c.small, b...)
	c.batch = append(c.batch, datagram.Packet{Data: c.small[start:], Addr: c.peer})
}

// ack adds an ACK to the batch.
func (c *transfer) ack(block int64) {
	start := len(c.small)
	c.small = appendHeader(c.small, ACK, c.num.wire(block), c.num.wide)
	c.batch = append(c.batch, datagram.Packet{Data: c.small[start:], Addr: c.peer})
}

// writeTo writes one packet at once. If it cannot be sent it counts as lost.
func (c *transfer) writeTo(to netip.AddrPort, p Packet) {
	b, err := p.AppendBinary(nil)
	if err != nil {
		return
	}
	// If the conn is broken the next read returns an error.
	_ = datagram.Send(c.link, []datagram.Packet{{Data: b, Addr: to}}, func(_ int, err error) { c.writeFailed(to, err) })
}

// flush writes the batch. A packet that cannot be sent counts as lost; one that is too long
// for the path ends the transfer. After the context has ended no transfer begins, and nothing
// is sent to a client that has begun another transfer from the same port: the client would
// take the packet for part of the new one.
func (c *transfer) flush() error {
	if cause := context.Cause(c.ctx); cause != nil && (c.wrote == 0 || errors.Is(cause, ErrReplaced)) {
		return cause
	}
	c.wrote += len(c.batch)
	if len(c.batch) > 0 {
		c.unsent = nil
	}
	var tooLong error
	err := datagram.Send(c.link, c.batch, func(i int, err error) {
		if datagram.TooLong(err) {
			tooLong = err
			return
		}
		c.unsent = err
		c.writeFailed(c.batch[i].Addr, err)
	})
	c.batch, c.small = c.batch[:0], c.small[:0]
	if tooLong != nil {
		return fmt.Errorf("tftp: a block of %d bytes is too long for the path to %v: %w", c.report.BlockSize, c.peer, tooLong)
	}
	return err
}

// checkTimeout returns an error if the other side has made no progress for too long.
func (c *transfer) checkTimeout(now time.Time) error {
	switch {
	case now.Before(c.heard.Add(c.timeout())):
		return nil
	case !c.answered:
		return c.because(fmt.Errorf("%w from %v in %v", ferry.ErrNoAnswer, c.to(), c.joinTimeout))
	}
	return c.because(fmt.Errorf("%w for %v", ferry.ErrSilent, c.giveUp))
}

// because adds to err why nothing could be sent, if that is so.
func (c *transfer) because(err error) error {
	if c.unsent == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, c.unsent)
}

// addOwnTime moves the timeout by the time that this side used for its source or sink, which
// the other side is not responsible for.
func (c *transfer) addOwnTime(since, now time.Time) { c.heard = c.heard.Add(now.Sub(since)) }

// timeout is how long the other side may make no progress.
func (c *transfer) timeout() time.Duration {
	if c.answered {
		return c.giveUp
	}
	return c.joinTimeout
}

// wakeBy returns the time to stop reading at: wake, or the timeout if that is earlier.
func (c *transfer) wakeBy(wake time.Time) time.Time {
	return earlier(wake, c.heard.Add(c.timeout()))
}

func (c *transfer) ignored(from netip.AddrPort, err error) {
	if c.trace.Ignored != nil {
		c.trace.Ignored(PacketEvent{Addr: from, Err: err})
	}
}

func (c *transfer) writeFailed(to netip.AddrPort, err error) {
	if c.trace.WriteFailed != nil {
		c.trace.WriteFailed(PacketEvent{Addr: to, Err: err})
	}
}

// accepted notes the settings that are in force from now on.
func (c *transfer) accepted(s Settings) {
	c.report.BlockSize, c.report.WindowSize, c.report.Size = s.BlockSize, s.WindowSize, s.Size
	if c.trace.Accepted != nil {
		c.trace.Accepted(TransferEvent{Addr: c.peer, Request: c.request, Settings: s})
	}
}

// ackBuffer is the size of the receive buffer that a sender of blocks asks for; 0 means that
// any is large enough.
func (c *transfer) ackBuffer() int {
	if c.num.wide {
		return wideBuffer
	}
	return 0
}
