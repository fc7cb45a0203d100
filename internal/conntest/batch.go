package conntest

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

var batchCases = []testCase{
	{"Batch", batch},
	{"BatchDoesNotWait", batchDoesNotWait},
	{"BatchDeadline", batchDeadline},
	{"BatchClosed", batchClosed},
	{"BatchTooLong", batchTooLong},
	{"BatchConcurrent", batchConcurrent},
}

type batchConn interface {
	net.PacketConn
	datagram.BatchReader
	datagram.BatchWriter
}

// batchConn returns a conn with batch methods. A kind that has none is left
// alone.
func (e *env) batchConn() batchConn {
	e.Helper()
	pc, ok := e.conn().(batchConn)
	if !ok {
		e.Skip("no batch methods")
	}
	return pc
}

func addrPort(pc net.PacketConn) netip.AddrPort {
	return pc.LocalAddr().(*net.UDPAddr).AddrPort()
}

// sendBatch writes n numbered datagrams from a to b.
func (e *env) sendBatch(a, b batchConn, n int) {
	e.Helper()
	bufs := make([][]byte, n)
	to := make([]netip.AddrPort, n)
	for i := range bufs {
		bufs[i] = fmt.Append(nil, "datagram ", i)
		to[i] = addrPort(b)
	}
	if k, err := a.WriteBatch(bufs, to, nil); k != n || err != nil {
		e.Fatalf("WriteBatch = %d, %v; want %d", k, err, n)
	}
	for i := range bufs {
		clear(bufs[i])
	}
}

// inbox is a set of slices for ReadBatch.
type inbox struct {
	bufs            [][]byte
	sizes, segments []int
	from            []netip.AddrPort
}

func newInbox(n, size int) inbox {
	x := inbox{make([][]byte, n), make([]int, n), make([]int, n), make([]netip.AddrPort, n)}
	for i := range x.bufs {
		x.bufs[i] = make([]byte, size)
	}
	return x
}

// read reads one batch, and returns its datagrams.
func (x *inbox) read(pc datagram.BatchReader) (got []string, err error) {
	n, err := pc.ReadBatch(x.bufs, x.sizes, x.segments, x.from, nil)
	for i := range n {
		got = append(got, string(x.bufs[i][:x.sizes[i]]))
	}
	return got, err
}

func batch(e *env) {
	a, b := e.batchConn(), e.batchConn()
	e.sendBatch(a, b, 10)
	x := newInbox(4, 10) // cuts off two of the characters of "datagram 10"
	b.SetReadDeadline(time.Now().Add(timeout))
	for i := 0; i < 10; {
		got, err := x.read(b)
		if err != nil || len(got) == 0 {
			e.Fatalf("ReadBatch gave %d, %v", len(got), err)
		}
		for k, s := range got {
			if want := fmt.Sprint("datagram ", i); s != want {
				e.Errorf("got %q, want %q", s, want)
			}
			if x.from[k] != addrPort(a) || x.segments[k] != 0 {
				e.Errorf("from %v, segment %d; want %v, 0", x.from[k], x.segments[k], addrPort(a))
			}
			i++
		}
	}
	e.send(a, b, "much longer than the buffer")
	if got, err := x.read(b); err != nil || len(got) != 1 || got[0] != "much longe" {
		e.Errorf("ReadBatch gave %q, %v; want what fits of one", got, err)
	}
}

func batchDoesNotWait(e *env) {
	a, b := e.batchConn(), e.batchConn()
	e.send(a, b, "one")
	x := newInbox(8, 100)
	b.SetReadDeadline(time.Now().Add(timeout))
	if got, err := x.read(b); err != nil || len(got) != 1 || got[0] != "one" {
		e.Errorf("ReadBatch gave %q, %v; want one datagram", got, err)
	}
	if got, err := new(inbox).read(b); len(got) != 0 || err != nil {
		e.Errorf("ReadBatch into nothing gave %q, %v", got, err)
	}
	if n, err := b.WriteBatch(nil, nil, nil); n != 0 || err != nil {
		e.Errorf("WriteBatch of nothing = %d, %v", n, err)
	}
}

func batchDeadline(e *env) {
	a, b := e.batchConn(), e.batchConn()
	x := newInbox(2, 100)
	for _, at := range []time.Time{longAgo(), time.Now().Add(10 * time.Millisecond)} {
		b.SetDeadline(at)
		got, err := x.read(b)
		e.timedOut("ReadBatch", len(got), err)
	}
	n, err := b.WriteBatch([][]byte{{1}}, []netip.AddrPort{addrPort(a)}, nil)
	e.timedOut("WriteBatch", n, err)
}

func batchClosed(e *env) {
	a, b := e.batchConn(), e.batchConn()
	b.Close()
	x := newInbox(2, 100)
	_, err := x.read(b)
	e.isClosed("ReadBatch", err)
	_, err = b.WriteBatch([][]byte{{1}}, []netip.AddrPort{addrPort(a)}, nil)
	e.isClosed("WriteBatch", err)
}

// batchTooLong checks that the datagrams before one that is too long are
// sent, and that the caller can continue after it.
func batchTooLong(e *env) {
	a, b := e.batchConn(), e.batchConn()
	bufs := [][]byte{[]byte("one"), []byte("two"), make([]byte, maxPayload+1), []byte("four")}
	to := []netip.AddrPort{addrPort(b), addrPort(b), addrPort(b), addrPort(b)}
	n, err := a.WriteBatch(bufs, to, nil)
	if n != 2 || !datagram.TooLong(err) {
		e.Fatalf("WriteBatch = %d, %v; want 2 and that the third is too long", n, err)
	}
	if n, err := a.WriteBatch(bufs[3:], to[3:], nil); n != 1 || err != nil {
		e.Fatalf("WriteBatch of the rest = %d, %v", n, err)
	}
	for _, want := range []string{"one", "two", "four"} {
		e.expect(b, want, a)
	}
}

// batchConcurrent has several goroutines write and several read batches of
// the same conns: each datagram arrives whole, and once.
func batchConcurrent(e *env) {
	a, b := e.batchConn(), e.batchConn()
	const writers, each = 4, 20 // few enough for a socket's queue
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each / 2 {
				n := w*each + 2*i
				_, err := a.WriteBatch([][]byte{sealed(n), sealed(n + 1)}, []netip.AddrPort{addrPort(b), addrPort(b)}, nil)
				if err != nil {
					e.Error(err)
				}
			}
		})
	}
	seen := make([]atomic.Int32, writers*each)
	var left atomic.Int32
	left.Store(writers * each)
	b.SetReadDeadline(time.Now().Add(timeout))
	for range 4 {
		wg.Go(func() {
			x := newInbox(4, 1000)
			for left.Load() > 0 {
				got, err := x.read(b)
				if err != nil {
					return // told below
				}
				for _, s := range got {
					e.count(seen, []byte(s))
				}
				if left.Add(-int32(len(got))) == 0 {
					b.SetReadDeadline(longAgo()) // the other readers are done, too
				}
			}
		})
	}
	wg.Wait()
	e.allOnce(seen)
}
