package tftp

import (
	"context"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A branch is one transfer's share of the conn of a server that has only one. The
// server's reading goroutine puts packets in; the transfer's takes them out.
type branch struct {
	ctx   context.Context
	v     *serving
	peer  netip.AddrPort
	local netip.Addr // the address of this host that peer asked
	in    chan []byte
	free  chan []byte // buffers that may be used again

	woken chan struct{}

	timer *time.Timer
	used  [][]byte
	pkts  []datagram.Packet
}

// branchQueue is how many packets may wait for a transfer. What comes beyond is lost,
// as in a socket's buffer.
const branchQueue = 128

func newBranch(ctx context.Context, v *serving, peer netip.AddrPort, local netip.Addr) *branch {
	return &branch{
		ctx: ctx, v: v, peer: peer, local: local,
		in: make(chan []byte, branchQueue), free: make(chan []byte, branchQueue),
		woken: make(chan struct{}, 1),
	}
}

// put hands a packet over, or loses it.
func (b *branch) put(data []byte) {
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

// Wake has the Read that waits, or the next one, return nothing.
func (b *branch) Wake() {
	select {
	case b.woken <- struct{}{}:
	default:
	}
}

// Read waits for a packet, and takes what else is there.
func (b *branch) Read(deadline time.Time) ([]datagram.Packet, error) {
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

func (b *branch) take(data []byte) {
	b.used = append(b.used, data)
	b.pkts = append(b.pkts, datagram.Packet{Data: data, Addr: b.peer})
}

// recycle gives back the buffers that the last Read returned.
func (b *branch) recycle() {
	for _, data := range b.used {
		select {
		case b.free <- data:
		default:
		}
	}
	b.used, b.pkts = b.used[:0], b.pkts[:0]
}

// Write sends packets over the server's conn, from the address that the client asked.
func (b *branch) Write(pkts []datagram.Packet) (int, error) {
	for i := range pkts {
		pkts[i].Local = b.local
	}
	return b.v.write(pkts)
}

// SetBuffers tells the size of the server's receive buffer, which all transfers share.
func (b *branch) SetBuffers(int, int) (int, int, error) { return b.v.buffer, 0, nil }

// Release ends the use of the branch.
func (b *branch) Release() {
	if b.timer != nil {
		b.timer.Stop()
	}
}
