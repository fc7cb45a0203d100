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

	"github.com/ferrygo/ferry/internal/datagram"
)

// copyTime is how long the server may take to receive one copy.
const copyTime = 10 * time.Second

// A chat is one call of Run. The goroutine of that call owns the dialogue and reads the
// conn. Three others read from say and from the server, and write to the server; each wakes
// it when it has something for it.
type chat struct {
	dialogue
	trace  Trace
	ctx    context.Context
	inner  context.Context // ends with ctx, and with the chat
	line   bool
	say    <-chan string
	hear   func(Message)
	server net.Conn
	conn   *datagram.Conn
	report ChatReport

	pieces  []string // of a long message, not yet on their way
	copying bool     // a copy is being written
	closed  bool     // server is closed for writing
	lost    error    // why there is no server any more
	packet  []byte

	asked    bool          // the next message was asked for, and is not here yet
	ask      chan struct{} // asks for it
	spoken   chan string   // the message
	lines    chan string   // from the server
	copies   chan string   // to the server
	copied   chan struct{}
	failures chan error
}

// run chats to the end, and ends what it began.
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

// closeWrite tells the server that nothing more will come.
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
		if err != nil {
			return err
		}
		if send {
			if err := c.shoot(again); err != nil {
				return err
			}
		}
		if c.over(now) {
			if !c.copying {
				return nil
			}
			wake = time.Time{} // only the server is waited for
		}
		if (c.leaving || c.gone) && !c.copying && len(c.copies) == 0 {
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

// wait waits for packets until a time, or until another goroutine has something, and takes
// what there is.
func (c *chat) wait(until time.Time) error {
	packets, err := c.conn.Read(until)
	switch {
	case c.ctx.Err() != nil:
		return fmt.Errorf("relay: chatting: %w", context.Cause(c.ctx))
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("relay: chatting: %w", err)
	}
	for _, p := range packets {
		if err := c.took(time.Now(), p); err != nil {
			return err
		}
	}
	return c.take()
}

// take takes what the other goroutines have.
func (c *chat) take() error {
	for {
		select {
		case text := <-c.spoken:
			c.asked = false
			if c.idle() { // else the chat has come to its end meanwhile
				c.speak(time.Now(), text)
			}
		case text := <-c.lines:
			c.tell(Message{Server: true, Text: text})
		case <-c.copied:
			c.copying = false
		case err := <-c.failures:
			c.failed(err)
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
func (c *chat) speak(now time.Time, text string) {
	if c.lost == nil {
		c.copying = true
		c.copies <- text
	}
	if text == exit {
		c.leave(now)
		return
	}
	c.pieces = cut(text)
	c.sayNext(now)
}

// sayNext puts the next piece of a message on its way.
func (c *chat) sayNext(now time.Time) {
	if len(c.pieces) > 0 && c.idle() {
		c.dialogue.say(now, c.pieces[0])
		c.pieces = c.pieces[1:]
	}
}

// cut cuts a message into pieces that fit a packet, between characters if it is UTF-8.
// A piece of it is never "exit": that would take four bytes that are left over.
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

// shoot sends the message on its way.
func (c *chat) shoot(again bool) error {
	c.report.Sent++
	if again {
		c.report.SentAgain++
	}
	if c.trace.Said != nil {
		c.trace.Said(c.number, c.text, again)
	}
	return c.write(Packet{Kind: Say, Session: c.session, Number: c.number, Text: []byte(c.text)})
}

// write sends one packet. One that cannot leave counts as lost.
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

// took takes one packet.
func (c *chat) took(now time.Time, d datagram.Packet) error {
	if d.Addr != c.other {
		c.report.Foreign++
		c.bad(d.Addr, ErrForeign)
		return nil
	}
	p, err := ParsePacket(d.Data)
	what := ignore
	if err == nil {
		what, err = c.arrived(now, p)
	}
	switch {
	case what == ignore:
		c.report.Bad++
		c.bad(d.Addr, err)
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

func (c *chat) bad(from netip.AddrPort, err error) {
	if c.trace.Bad != nil {
		c.trace.Bad(from, err)
	}
}

// failed takes the failure of the server. Without it the chat ends, and the other peer is
// told.
func (c *chat) failed(err error) {
	c.copying = false
	if c.lost == nil && !c.leaving && !c.gone {
		c.lost = err
	}
	c.leave(time.Now())
}

// put hands a value to the loop. It reports whether the loop goes on.
func put[T any](c *chat, to chan<- T, v T) bool {
	select {
	case to <- v:
		c.conn.Wake()
		return true
	case <-c.inner.Done():
		return false
	}
}

// readSay brings the next message, each time it is asked for.
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
			put(c, c.spoken, text)
		case <-c.inner.Done():
			return
		}
	}
}

// readServer brings what comes from the server.
func (c *chat) readServer() {
	in := splitter{framing: Auto, max: maxLabel + DefaultMaxMessage, labels: true}
	for {
		n, err := c.server.Read(in.room())
		in.took(n)
		if err == io.EOF {
			in.finish()
		}
		if !c.bring(&in) {
			return
		}
		if err != nil {
			if err == io.EOF {
				err = ErrServerGone
			}
			put(c, c.failures, err)
			return
		}
	}
}

// bring passes the messages on that were read. It reports whether there may be more.
func (c *chat) bring(in *splitter) bool {
	for {
		text, ok, err := in.next()
		if err != nil {
			put(c, c.failures, err)
			return false
		}
		if !ok {
			return true
		}
		if !put(c, c.lines, string(text)) {
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
			_ = c.server.SetWriteDeadline(time.Now().Add(copyTime))
			if c.inner.Err() != nil {
				return // the deadline that ends the write may have been set before ours
			}
			if _, err := io.WriteString(c.server, text); err != nil {
				put(c, c.failures, fmt.Errorf("relay: copying to the server: %w", err))
				return
			}
			put(c, c.copied, struct{}{})
		case <-c.inner.Done():
			return
		}
	}
}
