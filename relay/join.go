package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ferrygo/ferry/internal/tcpstate"
)

// drainTimeout delays a reset that is passed on: the side to reset may take so long to acknowledge data.
const drainTimeout = 10 * time.Second

// early holds the bytes that were read from the two sides before copying began.
type early struct{ up, down []byte }

// A pair is a client's connection and the one to the upstream host. Each direction has a goroutine. io.Copy gets the conns
// unwrapped, so that Linux can splice.
type pair struct {
	up, down direction // up copies from the client

	halfClose time.Duration // see Forwarder.HalfCloseTimeout
	once      sync.Once
	err       error // the reason of breakOff; set by once
}

// A direction copies from src to dst.
type direction struct {
	dst, src net.Conn
	early    []byte // written first
	n        int64  // bytes copied

	failed atomic.Bool // a write failed: dst has been reset
	ended  atomic.Bool // the end of src's data was passed on
}

// join copies between a client and the upstream host until both have closed or one was reset.
func join(ctx context.Context, client, up net.Conn, e early, halfClose time.Duration) (r ConnReport, err error) {
	p := &pair{halfClose: halfClose}
	p.up.dst, p.up.src, p.up.early = up, client, e.up
	p.down.dst, p.down.src, p.down.early = client, up, e.down
	stop := watch(ctx, func() { p.breakOff(context.Cause(ctx)) })
	for _, c := range []net.Conn{client, up} {
		tcpstate.Watch(c, func() { p.breakOff(syscall.ETIMEDOUT) })
	}
	var both sync.WaitGroup
	both.Go(func() { p.carry(&p.up, &p.down) })
	p.carry(&p.down, &p.up)
	both.Wait()
	stop() // a pair that has ended is not reset
	p.once.Do(func() {})
	return ConnReport{Up: p.up.n, Down: p.down.n}, p.err
}

// breakOff resets both connections, so that neither side mistakes this for the end of the data. Only the first reason is
// kept.
func (p *pair) breakOff(err error) {
	p.once.Do(func() {
		p.err = err
		for _, c := range []net.Conn{p.up.src, p.up.dst} {
			if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
				_ = tcp.SetLinger(0)
			}
			c.Close()
		}
	})
}

// carry copies in one direction, and passes on its end. back is the other direction.
func (p *pair) carry(d, back *direction) {
	readErr, writeErr := d.copy(p.halfClose)
	switch {
	case writeErr != nil:
		p.writeFailed(d, back, writeErr)
	case errors.Is(readErr, os.ErrDeadlineExceeded):
		p.breakOff(ErrIdle)
	case readErr != nil:
		p.passReset(d, readErr)
	default:
		d.ended.Store(true)
		if back.wasReset() {
			p.passReset(d, syscall.ECONNRESET)
		} else {
			p.passEnd(d, back)
		}
	}
}

// writeFailed notes that dst was reset. An answer may still be unread: back reads it, and then passes the reset on.
func (p *pair) writeFailed(d, back *direction, err error) {
	d.failed.Store(true)
	if back.ended.Load() {
		p.breakOff(err)
	}
}

// passReset passes on that src was reset, after the data before it.
func (p *pair) passReset(d *direction, err error) {
	tcpstate.Drain(d.dst, drainTimeout)
	p.breakOff(err)
}

// passEnd passes on the end of src's data. From then on a reset of src ends the pair, and so does HalfCloseTimeout.
func (p *pair) passEnd(d, back *direction) {
	if err := closeWrite(d.dst); err != nil {
		p.writeFailed(d, back, err)
		return
	}
	if back.ended.Load() {
		_ = d.dst.SetReadDeadline(past) // ends WaitClosed
		return
	}
	if p.halfClose > 0 {
		_ = back.src.SetReadDeadline(time.Now().Add(p.halfClose))
	}
	if tcpstate.WaitClosed(d.src) && !back.ended.Load() {
		p.breakOff(syscall.ECONNRESET)
	}
}

// wasReset reports whether dst was reset. A socket returns that error once only: after a failed write, a read may see the
// end of the data instead.
func (d *direction) wasReset() bool {
	if d.ended.Load() {
		return false // nothing more is written
	}
	closed, _ := tcpstate.Closed(d.dst)
	return closed || d.failed.Load()
}

// copy copies until src ends. At most one of the errors is not nil. If something was copied before a read deadline, the
// deadline moves by idle.
func (d *direction) copy(idle time.Duration) (readErr, writeErr error) {
	if len(d.early) > 0 {
		n, err := d.dst.Write(d.early)
		if d.n = int64(n); err != nil {
			return nil, err
		}
	}
	for {
		n, readErr, writeErr := copyConn(d.dst, d.src)
		d.n += n
		if n == 0 || !errors.Is(readErr, os.ErrDeadlineExceeded) {
			return readErr, writeErr
		}
		_ = d.src.SetReadDeadline(time.Now().Add(idle))
	}
}

// copyConn is io.Copy with separate errors for the two sides.
func copyConn(dst, src net.Conn) (n int64, readErr, writeErr error) {
	if _, known := tcpstate.Closed(src); !known {
		r := reader{Reader: src}
		n, err := io.Copy(dst, &r)
		if r.err != nil {
			return n, r.err, nil
		}
		return n, nil, err
	}
	n, err := io.Copy(dst, src)
	if closed, _ := tcpstate.Closed(src); closed || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err, nil
	}
	return n, nil, err
}

// A reader keeps the error of reading.
type reader struct {
	io.Reader
	err error
}

func (r *reader) Read(b []byte) (n int, err error) {
	if n, err = r.Reader.Read(b); err != io.EOF {
		r.err = err
	}
	return n, err
}

// closeWrite closes the sending direction of a connection, or the whole connection if it has no CloseWrite.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
