package relay

import (
	"io"
	"net"
	"sync"
)

// said is what was read before it could be carried: up is the client's.
type said struct{ up, down []byte }

// join carries bytes between a client and the upstream host, early first, until both
// have closed or one broke. The conns meet in io.Copy as they are: so the kernel moves
// the bytes between two TCP sockets by itself (splice).
func join(client, up net.Conn, early said) (r ConnReport, err error) {
	var broken once
	var both sync.WaitGroup
	both.Go(func() {
		n, err := carry(up, client, early.up)
		r.Up = n
		broken.note(err, client, up)
	})
	r.Down, err = carry(client, up, early.down)
	broken.note(err, client, up)
	both.Wait()
	return r, broken.err
}

// carry writes early, copies until src ends, and then says so to dst, whose other
// direction may go on. A dst that cannot be half-closed is closed.
func carry(dst, src net.Conn, early []byte) (n int64, err error) {
	if len(early) > 0 {
		first, err := dst.Write(early)
		if n = int64(first); err != nil {
			return n, err
		}
	}
	more, err := io.Copy(dst, src)
	n += more
	if err != nil {
		return n, err
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		return n, half.CloseWrite()
	}
	return n, dst.Close()
}

// A once remembers the first error of two directions.
type once struct {
	mu  sync.Mutex
	err error
}

// note breaks both conns off if err is one.
func (o *once) note(err error, conns ...net.Conn) {
	if err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	breakOff(conns...)
}

// breakOff closes conns in such a way that neither side takes what it has for all there
// was: by a reset, if they are TCP.
func breakOff(conns ...net.Conn) {
	for _, c := range conns {
		if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}
