package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A handler that notes what is read of its one source.
type notingHandler struct {
	*memory
	read int
	pipe bool  // it cannot seek
	fail int   // reads fail from this byte on, if it is not 0
	err  error // as this
}

type notingReader struct {
	io.ReadSeeker
	h *notingHandler
}

func (h *notingHandler) Open(ctx context.Context, r ferry.Request) (ferry.Source, error) {
	src, err := h.memory.Open(ctx, r)
	if err == nil {
		src.R = notingReader{src.R.(io.ReadSeeker), h}
	}
	if h.pipe {
		src.R = struct{ io.Reader }{src.R}
	}
	return src, err
}

func (r notingReader) Read(b []byte) (int, error) {
	if r.h.fail > 0 && r.h.read >= r.h.fail {
		return 0, r.h.err
	}
	n, err := r.ReadSeeker.Read(b[:min(len(b), 1000)])
	r.h.read += n
	return n, err
}

// A source that can seek is read ahead by one window. A pipe is not read ahead.
func TestReadAhead(t *testing.T) {
	for _, pipe := range []bool{false, true} {
		h := &notingHandler{pipe: pipe}
		withServer(t, 100*40000, func(p *testNet) { h.memory = p.files; p.server.Opener, p.server.MTU = h, 65535 }, func(p *testNet, u *manualPeer) {
			u.packet(p.addr, rrq(Option{"blksize", "40000"}, Option{"windowsize", "3"}))
			said, from := u.within(ms, false)
			if len(said) != 1 {
				t.Fatal(said)
			}
			for n, block := range []int{0, 3, 4} { // the second ACK is of a window cut short
				u.packet(from, Packet{Op: ACK, Block: uint32(block)})
				u.within(ms, false)
				want := 40000 * (block + 3)
				if !pipe {
					want += 3 * 40000
				}
				if h.read != want {
					t.Errorf("pipe %v: %d bytes read after ACK %d, want %d", pipe, h.read, n, want)
				}
			}
			u.packet(from, Packet{Op: ERROR})
		})
	}
}

// An error of reading ahead is returned when the block is wanted.
func TestReadAheadFails(t *testing.T) {
	broken := errors.New("broken")
	h := &notingHandler{fail: 4 * 40000, err: broken}
	withServer(t, 100*40000, func(p *testNet) { h.memory = p.files; p.server.Opener, p.server.MTU = h, 65535 }, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq(Option{"blksize", "40000"}, Option{"windowsize", "2"}))
		_, from := u.within(ms, false)
		u.packet(from, Packet{Op: ACK})
		u.expect(ms, false, "DATA 1", "DATA 2")
		u.packet(from, Packet{Op: ACK, Block: 2})
		u.expect(ms, false, "DATA 3", "DATA 4")
		u.packet(from, Packet{Op: ACK, Block: 4})
		u.expect(ms, false, "ERROR 0")
	})
}

// A writerFunc is an io.Writer.
type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// The ACK of a window leaves before what was gathered is written; and the last one after
// that.
func TestWriteBehind(t *testing.T) {
	data := noise(1, 5*40000+1)
	var mu sync.Mutex
	var acks []uint32
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t, lossy.Delay(ms), lossy.DropIf(func(k lossy.Packet) bool {
			if q, err := ParsePacket(k.Payload, false); err == nil && q.Op == ACK {
				mu.Lock()
				defer mu.Unlock()
				acks = append(acks, q.Block)
			}
			return false
		}))
		p.server.MTU = 65535
		p.files.files["file"] = data
		p.start()
		var got bytes.Buffer
		conn := p.client()
		_, err := (&Client{BlockSize: 40000, WindowSize: 2}).Get(t.Context(), conn, p.addr, "file", ferry.To(writerFunc(func(b []byte) (int, error) {
			time.Sleep(ms / 2) // the network sees what has left
			mu.Lock()
			defer mu.Unlock()
			if have := got.Len() + len(b); have < len(data) && int(acks[len(acks)-1]) != have/40000 {
				t.Errorf("ACKs %v when %d bytes had been written", acks, got.Len())
			} else if have == len(data) && acks[len(acks)-1] != 4 {
				t.Errorf("ACKs %v before the end was written", acks)
			}
			return got.Write(b)
		})))
		if err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%d bytes, %v", got.Len(), err)
		}
		conn.Close()
		p.end()
	})
}

// The linger time is short after many blocks without a loss.
func TestLingerTime(t *testing.T) {
	for _, tt := range []struct {
		blocks int
		lose   uint32 // this block, once
		want   time.Duration
	}{
		{blocks: 10, want: 8},
		{blocks: lossFreeBlocks, want: 2},
		{blocks: 2 * lossFreeBlocks, want: 2},
		{blocks: 2 * lossFreeBlocks, lose: 150, want: 8},
		{blocks: 2 * lossFreeBlocks, lose: 2 * lossFreeBlocks, want: 8},
	} {
		synctest.Test(t, func(t *testing.T) {
			lost := false
			p := newTestNet(t, lossy.Delay(20*ms), lossy.DropIf(func(k lossy.Packet) bool {
				q, err := ParsePacket(k.Payload, false)
				drop := err == nil && q.Op == DATA && q.Block == tt.lose && !lost
				lost = lost || drop
				return drop
			}))
			p.files.files["file"] = noise(1, 512*tt.blocks-1)
			p.start()
			var last time.Time
			c := Client{BlockSize: 512, WindowSize: 10, Trace: &Trace{Received: func(PacketEvent) { last = time.Now() }}}
			_, r, err := p.get(c, "file")
			if err != nil {
				t.Fatal(err)
			}
			// A timer is of one to three round trips, and waits are two seconds at most.
			want, most := tt.want*r.RTT, min(3*tt.want*r.RTT, 2*time.Second)
			if d := time.Since(last); d < want || d > most {
				t.Errorf("%d blocks, %d lost: lingered for %v, want %v to %v", tt.blocks, tt.lose, d, want, most)
			}
			p.end()
		})
	}
}

// TestSlowSinkIsNoRoundTrip: that an ACK leaves before a sink has its bytes does not make
// the sink's time one of the network's, nor does reading ahead the source's.
func TestSlowSinkIsNoRoundTrip(t *testing.T) {
	data := noise(1, 200*40000+1)
	for _, slow := range []time.Duration{ms, 4 * ms, 20 * ms, 100 * ms} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestNet(t, lossy.Delay(ms))
			p.server.MTU = 65535
			p.files.files["file"] = data
			p.start()
			conn := p.client()
			start := time.Now()
			c := Client{BlockSize: 40000, WindowSize: 4}
			r, err := c.Get(t.Context(), conn, p.addr, "file", ferry.To(writerFunc(func(b []byte) (int, error) {
				time.Sleep(slow)
				return len(b), nil
			})))
			if lingered := time.Since(start) - r.Elapsed; err != nil || r.RTT > 3*ms || lingered > 100*ms {
				t.Errorf("a sink of %v: RTT %v, lingered for %v, %v", slow, r.RTT, lingered, err)
			}
			r, err = c.Put(t.Context(), conn, p.addr, "new", ferry.Source{R: slowSeeker{bytes.NewReader(data), slow}, Size: -1})
			if err != nil || r.RTT > 3*ms {
				t.Errorf("a source of %v: RTT %v, %v", slow, r.RTT, err)
			}
			conn.Close()
			p.end()
		})
	}
}

// A slowSeeker takes its time.
type slowSeeker struct {
	*bytes.Reader
	d time.Duration
}

func (s slowSeeker) Read(b []byte) (int, error) { time.Sleep(s.d); return s.Reader.Read(b) }

// TestCutOffSource: a source that says that it was cut off has not ended.
func TestCutOffSource(t *testing.T) {
	withServer(t, 0, nil, func(p *testNet, _ *manualPeer) {
		conn := p.client()
		defer conn.Close()
		src := ferry.Source{R: io.MultiReader(strings.NewReader("a part"), iotest.ErrReader(io.ErrUnexpectedEOF)), Size: -1}
		if _, err := new(Client).Put(context.Background(), conn, p.addr, "new", src); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		if _, ok := p.files.get("new"); ok {
			t.Error("the server has taken a part for the whole")
		}
	})
}
