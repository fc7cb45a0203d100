package datagram

import (
	"errors"
	"net"
)

// SetBuffers raises the sizes of the conn's receive and send buffers to at least read and
// write bytes, as far as the conn and the system allow. It uses the methods SetReadBuffer and
// SetWriteBuffer, which decorators forward. It never lowers a size; 0 leaves a size as it is.
// It returns the resulting sizes, or 0 for a size that is not known. Release does not undo
// it.
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

// Buffers returns the sizes of the receive and send buffers of a conn, in the units in which
// they are set, or 0 for a size that the conn or the system does not tell. A conn that
// decorates another has a method Buffers for it.
func Buffers(pc net.PacketConn) (read, write int) {
	return bufferSize(pc, receiveBuffer), bufferSize(pc, sendBuffer)
}

// bufferSize returns the size of one buffer of a conn.
func bufferSize(pc net.PacketConn, d direction) int {
	if b, ok := pc.(interface{ Buffers() (read, write int) }); ok {
		read, write := b.Buffers()
		if d == receiveBuffer {
			return read
		}
		return write
	}
	return systemBufferSize(pc, d)
}

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
