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

// A link is what a transfer reads from and writes to: a *datagram.Conn of its own,
// or its share of a server's only one.
type link interface {
	Read(deadline time.Time) ([]datagram.Packet, error)
	Write(pkts []datagram.Packet) (int, error)
	Wake()
	SetBuffers(read, write int) (gotRead, gotWrite int, err error)
	Release()
}

// A conversation is one side's talk with the other in one transfer: it knows
// who belongs to it and who does not, and counts. Its methods run in the transfer's
// goroutine, which alone owns all of it.
type conversation struct {
	ctx     context.Context // the call's, or the session's
	link    link
	server  netip.AddrPort // where a client's request goes
	peer    netip.AddrPort // the port is 0 until the other side has answered
	session *session       // at a server
	again   int64          // the repetition of the request that was seen last
	num     numbering
	trace   Trace
	request *Request
	report  Report
	start   time.Time
	heard   time.Time // when the other side brought progress; at first the start
	// How long it may bring none, at first and later.
	answerIn, giveUp time.Duration
	answered         bool           // it has answered
	budget           amplify.Budget // of what may go to it before

	pending  []datagram.Packet // read, not looked at yet
	from     netip.AddrPort    // where the packet came from that receive returned
	strays   int               // strangers that were answered
	said     *Error            // what the other side ended the transfer with
	refused  Error             // what a server said to a request with options,
	refusals int               // and how often it may say so again
	finished bool

	batch  []datagram.Packet // to be written
	wrote  int               // packets of batches that were
	small  []byte            // the bytes of ACKs in batch
	unsent error             // why the latest of them could not leave, nil if it could
}

// mostStrays is how many strangers' packets are answered in one transfer.
const mostStrays = 64

// receive returns the next packet from the other side. Its payload is valid until the
// next call. It returns os.ErrDeadlineExceeded (wrapped) when the deadline passes, or when
// the client has asked again; an
// [*Error] when the other side sent one; and an error around ErrMalformed or ErrWidth
// for a packet that cannot be read, which "signals that the transaction ends" (UDP file
// delivery assignment, "About TFTP", the paragraph after point 9).
func (c *conversation) receive(deadline time.Time) (Packet, error) {
	for {
		if p, ok, err := c.take(); ok || err != nil {
			return p, err
		}
		var err error
		switch c.pending, err = c.link.Read(deadline); {
		case err != nil:
			return Packet{}, err
		case len(c.pending) == 0: // woken: there is something to look at
			return Packet{}, os.ErrDeadlineExceeded
		}
	}
}

// take is receive without waiting: it returns false when all that was read has been
// looked at.
func (c *conversation) take() (Packet, bool, error) {
	for len(c.pending) > 0 {
		d := c.pending[0]
		c.pending = c.pending[1:]
		p, err := ParsePacket(d.Data, c.num.wide)
		if !c.belongs(d.Addr) {
			c.report.Foreign++
			c.stray(d.Addr, p, err)
			continue
		}
		switch {
		case err == nil && p.Op == ERROR && c.refusals > 0 && c.refused == Error{p.Code, p.Message}:
			c.refusals--
			c.report.Duplicates++
		case err == nil && p.Op == ERROR:
			c.said = &Error{Code: p.Code, Message: p.Message}
			return Packet{}, false, c.said
		case err == nil:
			c.from = d.Addr
			return p, true, nil
		case c.locked() || c.otherWidth(d.Data):
			c.peer = d.Addr
			c.report.Bad++
			c.bad(d.Addr, err)
			return Packet{}, false, c.malformed(d.Data, err)
		}
		c.report.Bad++
		c.bad(d.Addr, err)
	}
	return Packet{}, false, nil
}

// locked reports whether the other side's port is known.
func (c *conversation) locked() bool { return c.peer.Port() != 0 }

// belongs reports whether an address is, or may be, the other side's: a server
// answers from a port of its own choice (RFC 1350, section 4).
func (c *conversation) belongs(from netip.AddrPort) bool {
	return from == c.peer || !c.locked() && from.Addr() == c.peer.Addr()
}

// hear notes that the packet that receive returned last was what it should be.
func (c *conversation) hear(now time.Time) {
	c.heard, c.answered = now, true
	c.budget.Prove()
	c.peer = c.from
}

// stray tells the sender of a packet that it has no place in the transfer (RFC 1350,
// section 4: error 5, "the original connection should not be disturbed"). An ERROR is
// never answered, nor is what cannot be read.
func (c *conversation) stray(from netip.AddrPort, p Packet, err error) {
	c.bad(from, ferry.ErrUnsolicited)
	if err != nil || c.strays >= mostStrays || p.Op != DATA && p.Op != ACK && p.Op != OACK {
		return
	}
	c.strays++
	c.sayTo(from, Packet{Op: ERROR, Code: CodeUnknownID, Message: CodeUnknownID.String()})
}

// otherWidth reports whether b is a packet with a block number of the other width.
func (c *conversation) otherWidth(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	op := Opcode(binary.BigEndian.Uint16(b))
	if c.num.wide {
		return len(b) < headerLen(true) && (op == ACK || op == DATA)
	}
	return op == ACK && len(b) == headerLen(true)
}

// malformed makes the error of a packet that cannot be read.
func (c *conversation) malformed(b []byte, err error) error {
	if c.otherWidth(b) {
		return c.wrongWidth()
	}
	return &peerError{CodeIllegal, "malformed packet", fmt.Errorf("%w: %w", ErrMalformed, err)}
}

func (c *conversation) wrongWidth() error {
	if c.num.wide {
		return &peerError{CodeIllegal, "block numbers have four bytes here", ErrWidth}
	}
	return &peerError{CodeIllegal, "block numbers have two bytes here", ErrWidth}
}

// fail tells the other side of err, if it has to be told, and returns err. What the
// other side said, and its silence, are not answered.
func (c *conversation) fail(err error) error {
	var said *Error
	if !c.locked() || errors.As(err, &said) && said == c.said {
		return err
	}
	for _, quiet := range []error{ferry.ErrSilent, ferry.ErrNoAnswer, ferry.ErrUnconfirmed, ErrReplaced} {
		if errors.Is(err, quiet) {
			return err
		}
	}
	p := tell(err)
	if !c.budget.Allows(len(p.Message)) {
		return err // that was all that may go to an address that has not answered
	}
	c.sayTo(c.peer, p)
	return err
}

// to is where the other side is to be found.
func (c *conversation) to() netip.AddrPort {
	if c.locked() {
		return c.peer
	}
	return c.server
}

// touch notes that the other side is alive, and how far the transfer is.
func (c *conversation) touch() {
	if c.session != nil {
		c.session.touch()
		c.session.progress.Store(c.report.Bytes)
	}
}

// askedAgain reports whether the client has repeated its request since the last call.
func (c *conversation) askedAgain() bool {
	if c.session == nil {
		return false
	}
	at := c.session.again.Load()
	again := at != c.again
	c.again = at
	return again
}

// say queues a small packet for the other side.
func (c *conversation) say(b []byte) {
	start := len(c.small)
	c.small = append(c.small, b...)
	c.batch = append(c.batch, datagram.Packet{Data: c.small[start:], Addr: c.peer})
}

// ack queues an ACK.
func (c *conversation) ack(block int64) {
	start := len(c.small)
	c.small = appendHeader(c.small, ACK, c.num.wire(block), c.num.wide)
	c.batch = append(c.batch, datagram.Packet{Data: c.small[start:], Addr: c.peer})
}

// sayTo writes one packet at once. If it cannot leave it counts as lost.
func (c *conversation) sayTo(to netip.AddrPort, p Packet) {
	b, err := p.AppendBinary(nil)
	if err != nil {
		return
	}
	// If the conn is of no use, its next read tells.
	_ = datagram.Send(c.link, []datagram.Packet{{Data: b, Addr: to}}, func(_ int, err error) { c.lost(to, err) })
}

// lost notes that a packet could not leave.
func (c *conversation) lost(to netip.AddrPort, err error) {
	if c.trace.WriteFailed != nil {
		c.trace.WriteFailed(to, err)
	}
}

// flush writes the batch. A packet that cannot leave counts as lost, unless none like
// it ever can. When the context has ended nothing is begun, and nothing leaves for a client
// that has begun anew from the same port: it would take it for what it asks for now.
func (c *conversation) flush() error {
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
		c.lost(c.batch[i].Addr, err)
	})
	switch {
	case err != nil:
		return err
	case tooLong != nil:
		return fmt.Errorf("tftp: a block of %d bytes is too long for the way to %v: %w", c.report.BlockSize, c.peer, tooLong)
	}
	c.batch, c.small = c.batch[:0], c.small[:0]
	return nil
}

// silence returns the error of having heard nothing for too long, nil if there is
// time left.
func (c *conversation) silence(now time.Time) error {
	switch {
	case now.Before(c.heard.Add(c.patience())):
		return nil
	case !c.answered:
		return c.because(fmt.Errorf("%w from %v in %v", ferry.ErrNoAnswer, c.to(), c.answerIn))
	}
	return c.because(fmt.Errorf("%w for %v", ferry.ErrSilent, c.giveUp))
}

// because adds to err why nothing could leave, if that is so.
func (c *conversation) because(err error) error {
	if c.unsent == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, c.unsent)
}

// excuse takes what this side did for itself, since a time, from the other side's
// silence: a slow source or sink is not its fault.
func (c *conversation) excuse(since, now time.Time) { c.heard = c.heard.Add(now.Sub(since)) }

func (c *conversation) patience() time.Duration {
	if c.answered {
		return c.giveUp
	}
	return c.answerIn
}

// until is the time to wake up at: no later than silence has something to say.
func (c *conversation) until(wake time.Time) time.Time {
	return earlier(wake, c.heard.Add(c.patience()))
}

func (c *conversation) bad(from netip.AddrPort, err error) {
	if c.trace.Bad != nil {
		c.trace.Bad(from, err)
	}
}

// adopt puts settings in force.
func (c *conversation) adopt(s Settings) {
	c.report.BlockSize, c.report.WindowSize, c.report.Size = s.BlockSize, s.WindowSize, s.Size
	if c.trace.Began != nil {
		c.trace.Began(c.request, c.peer, s)
	}
}

// ackBuffer is the receive buffer that a sender of blocks would like to have.
func (c *conversation) ackBuffer() int {
	if c.num.wide {
		return wideBuffer
	}
	return 0
}
