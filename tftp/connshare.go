package tftp

import (
	"context"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A connShare is one transfer's share of the conn of a server that has only one. The
// server's reading goroutine puts packets in, and the transfer's goroutine takes them out.
type connShare struct {
	ctx   context.Context
	d     *dispatcher
	peer  netip.AddrPort
	local netip.Addr // the address of this host that the client asked
	in    chan []byte
	free  chan []byte // buffers that may be used again
	woken chan struct{}

	timer *time.Timer
	used  [][]byte
	pkts  []datagram.Packet
}

// shareQueue is how many packets may wait for a transfer. Further packets are lost, as in the
// buffer of a socket.
const shareQueue = 128

func newConnShare(ctx context.Context, d *dispatcher, peer netip.AddrPort, local netip.Addr) *connShare {
	return &connShare{
		ctx: ctx, d: d, peer: peer, local: local,
		in: make(chan []byte, shareQueue), free: make(chan []byte, shareQueue),
		woken: make(chan struct{}, 1),
	}
}

// put hands a packet to the transfer. If the queue is full the packet is lost.
func (b *connShare) put(data []byte) {
	var buf []byte
	select {
	case buf = <-b.free:
	default:
	}
	select {
	case b.in <- append(buf[:0], data...):
	default:
	}
}

// Wake has the Read that waits, or the next one, return no packets.
func (b *connShare) Wake() {
	select {
	case b.woken <- struct{}{}:
	default:
	}
}

// Read waits for a packet, and takes the others that are queued.
func (b *connShare) Read(deadline time.Time) ([]datagram.Packet, error) {
	b.recycle()
	if b.ctx.Err() != nil {
		return nil, context.Cause(b.ctx)
	}
	if b.timer == nil {
		b.timer = time.NewTimer(time.Until(deadline))
	} else {
		b.timer.Reset(time.Until(deadline))
	}
	select {
	case data := <-b.in:
		b.take(data)
	default:
		select {
		case data := <-b.in:
			b.take(data)
		case <-b.woken:
			return nil, nil
		case <-b.ctx.Done():
			return nil, context.Cause(b.ctx)
		case <-b.timer.C:
			return nil, os.ErrDeadlineExceeded
		}
	}
	for len(b.pkts) < cap(b.in) {
		select {
		case data := <-b.in:
			b.take(data)
			continue
		default:
		}
		break
	}
	return b.pkts, nil
}

func (b *connShare) take(data []byte) {
	b.used = append(b.used, data)
	b.pkts = append(b.pkts, datagram.Packet{Data: data, Addr: b.peer})
}

// recycle frees the buffers that the last Read returned.
func (b *connShare) recycle() {
	for _, data := range b.used {
		select {
		case b.free <- data:
		default:
		}
	}
	b.used, b.pkts = b.used[:0], b.pkts[:0]
}

// Write sends packets over the server's conn, from the address that the client asked.
func (b *connShare) Write(pkts []datagram.Packet) (int, error) {
	for i := range pkts {
		pkts[i].Local = b.local
	}
	return b.d.write(pkts)
}

// SetBuffers returns the size of the server's receive buffer, which all transfers share.
func (b *connShare) SetBuffers(int, int) (int, int, error) { return b.d.buffer, 0, nil }

// Release ends the use of the share.
func (b *connShare) Release() {
	if b.timer != nil {
		b.timer.Stop()
	}
}
