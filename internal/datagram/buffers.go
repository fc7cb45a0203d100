package datagram

import "errors"

// SetBuffers raises the sizes of the conn's receive and send buffers to at least read
// and write bytes, where the conn can (through methods SetReadBuffer and
// SetWriteBuffer, which decorators forward) and as far as the system lets it; it lowers
// neither. Zero leaves a size alone. It returns what the conn then has, 0 if it does
// not say. The sizes outlast the Conn.
func (c *Conn) SetBuffers(read, write int) (gotRead, gotWrite int, err error) {
	gotRead, errRead := c.setBuffer(receiveBuffer, read)
	gotWrite, errWrite := c.setBuffer(sendBuffer, write)
	return gotRead, gotWrite, errors.Join(errRead, errWrite)
}

// A direction is one of a conn's two buffers.
type direction int

const (
	receiveBuffer direction = iota
	sendBuffer
)

func (c *Conn) setBuffer(d direction, want int) (got int, err error) {
	pc := c.watch.pc
	if got = bufferSize(pc, d); want <= 0 || got >= want {
		return got, nil
	}
	switch d {
	case receiveBuffer:
		if s, ok := pc.(interface{ SetReadBuffer(bytes int) error }); ok {
			err = s.SetReadBuffer(want)
		}
	case sendBuffer:
		if s, ok := pc.(interface{ SetWriteBuffer(bytes int) error }); ok {
			err = s.SetWriteBuffer(want)
		}
	}
	return bufferSize(pc, d), err
}
