package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// copyTimeout is the time in which the server must take one copy.
const copyTimeout = 10 * time.Second

// A chat is one call of Run. The goroutine of that call owns the chat and reads the UDP conn. Three others read say,
// read from the server and write to it. They send functions to the loop, which calls them.
type chat struct {
	dialogue
	trace  Trace
	ctx    context.Context
	inner  context.Context // ends with ctx and with the chat
	line   bool
	say    <-chan string
	hear   func(Message)
	server net.Conn
	conn   *datagram.Conn
	report ChatReport

	pieces  []string // of a long message, not sent yet
	asked   bool     // ask was sent, and the message is not here yet
	copying bool     // a copy is being written
	closed  bool     // server is closed for writing
	lost    error    // how the connection to the server ended
	packet  []byte

	ask    chan struct{} // asks readSay for the next message
	copies chan string   // to writeServer
	events chan func()   // from the other goroutines
}

// run chats to the end, and waits for the goroutines.
func (c *chat) run(cancel context.CancelFunc) error {
	var others sync.WaitGroup
	others.Go(c.readSay)
	others.Go(c.readServer)
	others.Go(c.writeServer)
	stop := watch(c.inner, func() { _ = c.server.SetDeadline(past) })
	err := c.loop()
	cancel()
	others.Wait()
	stop()
	c.closeWrite()
	c.conn.Release()
	_ = c.server.SetDeadline(time.Time{})
	return errors.Join(err, c.lost)
}

// closeWrite closes the connection to the server for writing.
func (c *chat) closeWrite() {
	if half, ok := c.server.(interface{ CloseWrite() error }); ok && !c.closed {
		_ = half.CloseWrite()
	}
	c.closed = true
}

func (c *chat) loop() error {
	for {
		now := time.Now()
		send, again, wake, err := c.next(now)
		if err == nil && send {
			err = c.transmit(again)
		}
		if err != nil {
			return err
		}
		if c.over(now) {
			if !c.copying {
				return nil
			}
			wake = time.Time{} // wait for the copy only
		}
		if (c.leaving || c.gone) && !c.copying {
			c.closeWrite()
		}
		if !c.asked && c.idle() && !c.copying && len(c.pieces) == 0 {
			c.asked = true
			c.ask <- struct{}{}
		}
		if err := c.wait(wake); err != nil {
			return err
		}
	}
}

// wait waits until a packet or an event arrives, at most until a time, and handles them.
func (c *chat) wait(until time.Time) error {
	packets, err := c.conn.Read(until)
	switch {
	case c.ctx.Err() != nil:
		return fmt.Errorf("relay: chatting: %w", context.Cause(c.ctx))
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("relay: chatting: %w", err)
	}
	for _, p := range packets {
		if err := c.handle(time.Now(), p); err != nil {
			return err
		}
	}
	for {
		select {
		case f := <-c.events:
			f()
		default:
			return nil
		}
	}
}

func (c *chat) tell(m Message) {
	if c.hear != nil {
		c.hear(m)
	}
}

// speak sends a message to the other peer and to the server.
func (c *chat) speak(text string) {
	c.asked = false
	if !c.idle() {
		return // the chat has ended meanwhile
	}
	if c.lost == nil {
		c.copying = true
		c.copies <- text
	}
	if text == exit {
		c.leave(time.Now())
		return
	}
	c.pieces = cut(text)
	c.sayNext(time.Now())
}

// sayNext sends the next piece of a message.
func (c *chat) sayNext(now time.Time) {
	if len(c.pieces) > 0 && c.idle() {
		c.dialogue.say(now, c.pieces[0])
		c.pieces = c.pieces[1:]
	}
}

// cut splits a message into pieces that fit a packet, between characters if it is UTF-8. No piece is "exit".
func cut(text string) (pieces []string) {
	for len(text) > MaxText {
		n := MaxText
		for back := 1; back < utf8.UTFMax && !utf8.RuneStart(text[n]); back++ {
			n--
		}
		if text[n:] == exit {
			n--
		}
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return append(pieces, text)
}

// transmit sends the message in flight.
func (c *chat) transmit(again bool) error {
	c.report.Sent++
	if again {
		c.report.Retransmitted++
	}
	if c.trace.Said != nil {
		c.trace.Said(c.number, c.text, again)
	}
	return c.write(Packet{Kind: Say, Session: c.session, Number: c.number, Text: []byte(c.text)})
}

// write sends one packet. If that fails for this packet only, the packet counts as lost.
func (c *chat) write(p Packet) error {
	b, err := p.AppendBinary(c.packet[:0])
	if err != nil {
		return err
	}
	c.packet = b
	err = datagram.Send(c.conn, []datagram.Packet{{Data: b, Addr: c.other}}, func(_ int, err error) {
		if c.trace.WriteFailed != nil {
			c.trace.WriteFailed(err)
		}
	})
	if err != nil {
		return fmt.Errorf("relay: chatting: %w", err)
	}
	return nil
}

// handle handles one packet.
func (c *chat) handle(now time.Time, d datagram.Packet) error {
	if d.Addr != c.other {
		c.report.Unsolicited++
		c.ignored(d.Addr, ferry.ErrUnsolicited)
		return nil
	}
	p, err := ParsePacket(d.Data)
	what := ignore
	if err == nil {
		what, err = c.arrived(now, p)
	}
	switch {
	case what == ignore:
		c.report.Unexpected++
		c.ignored(d.Addr, err)
	case what == repeat:
		c.report.Duplicates++
	case p.Kind == Ack:
		c.report.Said++
		if c.trace.Acked != nil {
			c.trace.Acked(p.Number)
		}
		c.sayNext(now)
	default:
		c.report.Heard++
		if string(p.Text) != exit {
			c.tell(Message{Text: string(p.Text)})
		}
	}
	if p.Kind == Say && what != ignore {
		return c.write(Packet{Kind: Ack, Session: p.Session, Number: p.Number})
	}
	return nil
}

func (c *chat) ignored(from netip.AddrPort, err error) {
	if c.trace.Ignored != nil {
		c.trace.Ignored(from, err)
	}
}

// failed notes that the connection to the server has failed, and ends the chat with the other peer.
func (c *chat) failed(err error) {
	c.copying = false
	if c.lost == nil && !c.leaving && !c.gone {
		c.lost = err
	}
	c.leave(time.Now())
}

// put sends an event to the loop. It reports whether the chat goes on.
func (c *chat) put(f func()) bool {
	select {
	case c.events <- f:
		c.conn.Wake()
		return true
	case <-c.inner.Done():
		return false
	}
}

func (c *chat) putFailure(err error) { c.put(func() { c.failed(err) }) }

// readSay reads the next message when it is asked to.
func (c *chat) readSay() {
	for {
		select {
		case <-c.ask:
		case <-c.inner.Done():
			return
		}
		select {
		case text, ok := <-c.say:
			if !ok {
				text = exit
			}
			c.put(func() { c.speak(text) })
		case <-c.inner.Done():
			return
		}
	}
}

// readServer reads messages from the server.
func (c *chat) readServer() {
	in := splitter{framing: Auto, max: maxLabel + DefaultMaxMessage, labels: true}
	for {
		n, err := c.server.Read(in.room())
		in.took(n)
		if err == io.EOF {
			in.finish()
			err = ErrServerGone
		}
		if !c.putMessages(&in) {
			return
		}
		if err != nil {
			c.putFailure(err)
			return
		}
	}
}

// putMessages passes on the messages that were read. It reports whether the chat goes on.
func (c *chat) putMessages(in *splitter) bool {
	for {
		b, ok, err := in.next()
		if err != nil {
			c.putFailure(err)
			return false
		}
		if !ok {
			return true
		}
		m := Message{Server: true, Text: string(b)}
		if !c.put(func() { c.tell(m) }) {
			return false
		}
	}
}

// writeServer writes copies to the server.
func (c *chat) writeServer() {
	for {
		select {
		case text := <-c.copies:
			if c.line {
				text += "\n"
			}
			_ = c.server.SetWriteDeadline(time.Now().Add(copyTimeout))
			if c.inner.Err() != nil {
				return // run may have set its deadline before this one
			}
			if _, err := io.WriteString(c.server, text); err != nil {
				c.putFailure(fmt.Errorf("relay: copying to the server: %w", err))
				return
			}
			c.put(func() { c.copying = false })
		case <-c.inner.Done():
			return
		}
	}
}
