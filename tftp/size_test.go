package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

// TestSizeIsCompared: a read that ends before the announced size, or goes on after it, fails
// at both ends, and nothing is kept; unless the client ignores sizes.
func TestSizeIsCompared(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		for announced, ok := range map[int]bool{4: true, 5: false, 3: false, 0: false} {
			sink := &tellingSink{}
			get := func(p *testNet) error {
				conn := p.client()
				defer conn.Close()
				c := Client{IgnoreSize: ignore}
				_, err := c.Get(context.Background(), conn, p.addr, "file", ferry.To(sink))
				return err
			}
			err := withManualServer(t, get, func(server *manualPeer) {
				client := server.expect(ms, false, "RRQ[{tsize 0} {blksize 1428} {windowsize 16}]")
				server.packet(client, Packet{Op: OACK, Options: []Option{{"tsize", fmt.Sprint(announced)}}})
				server.expect(ms, false, "ACK 0")
				server.packet(client, Packet{Op: DATA, Block: 1, Payload: []byte("text")})
				if want := map[bool]string{true: "ACK 1", false: "ERROR 0"}[ok || ignore]; true {
					server.expect(ms, false, want)
				}
			})
			kept := ok || ignore
			if kept != (err == nil) || !kept && !errors.Is(err, ferry.ErrSize) || sink.committed != kept || sink.aborted == kept {
				t.Errorf("%d announced, ignored %v: %v; committed %v, aborted %v", announced, ignore, err, sink.committed, sink.aborted)
			}
		}
	}
}

// A tellingSink says how it ended.
type tellingSink struct {
	bytes.Buffer
	committed, aborted bool
}

func (s *tellingSink) Commit() error { s.committed = true; return nil }
func (s *tellingSink) Abort(error)   { s.aborted = true }

// TestSizeOfAWrite: the same at a server. Size 0 may mean that the client does not know.
func TestSizeOfAWrite(t *testing.T) {
	for announced, want := range map[string]string{"4": "ACK 1", "5": "ERROR 0", "3": "ERROR 0", "0": "ACK 1"} {
		withServer(t, 0, nil, func(p *testNet, u *manualPeer) {
			u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet", Options: []Option{{"tsize", announced}}})
			from := u.expect(ms, false, "OACK[{tsize "+announced+"}]")
			u.packet(from, Packet{Op: DATA, Block: 1, Payload: []byte("text")})
			u.expect(ms, false, want)
			if _, ok := p.files.get("new"); ok != (want == "ACK 1") {
				t.Errorf("%s announced: kept %v", announced, ok)
			}
		})
	}
}

// TestSourceThatChanges: a source that has more or fewer bytes than its size ends the
// transfer with an ERROR, in either direction, and whether the size was told or not.
func TestSourceThatChanges(t *testing.T) {
	for _, size := range []int64{1999, 2001, 5000, 0} {
		for _, c := range []Client{{}, {BlockSize: -1, WindowSize: -1}, {Wide: true}, {Mode: Netascii}} {
			src := func() ferry.Source { return ferry.Source{R: bytes.NewReader(make([]byte, 2000)), Size: size} }
			withServer(t, 0, func(p *testNet) {
				p.server.Wide = c.Wide
				p.server.Opener = handler{open: func(context.Context, ferry.Request) (ferry.Source, error) { return src(), nil }}
			}, func(p *testNet, _ *manualPeer) {
				var said *Error
				if _, _, err := p.get(c, "file"); !errors.As(err, &said) || !strings.Contains(said.Message, "changed") {
					t.Errorf("%d announced, %+v: get: %v", size, c, err)
				}
				conn := p.client()
				defer conn.Close()
				if _, err := c.Put(context.Background(), conn, p.addr, "new", src()); !errors.Is(err, ferry.ErrSize) {
					t.Errorf("%d announced, %+v: put: %v", size, c, err)
				}
				time.Sleep(time.Second)
				if _, ok := p.files.get("new"); ok {
					t.Errorf("%d announced, %+v: the server keeps a part", size, c)
				}
			})
		}
	}
}

// TestMaxSize: a client refuses a file that is announced as too large before it is sent, and
// any other when it becomes too large.
func TestMaxSize(t *testing.T) {
	for _, tt := range []struct {
		max     int64
		c       Client
		refused bool
		blocks  int64 // that may arrive
	}{
		{10_000, Client{}, false, 8}, {9_999, Client{}, true, 0}, {5_000, Client{BlockSize: -1, WindowSize: -1}, true, 9}, {0, Client{}, false, 8},
	} {
		withServer(t, 10_000, nil, func(p *testNet, _ *manualPeer) {
			tt.c.MaxSize = tt.max
			_, r, err := p.get(tt.c, "file")
			if tt.refused != errors.Is(err, ferry.ErrTooLarge) || !tt.refused && err != nil || r.Blocks > tt.blocks {
				t.Errorf("at most %d bytes: %d blocks, %v", tt.max, r.Blocks, err)
			}
		})
	}
	if _, err := (&Client{MaxSize: -1}).Get(t.Context(), nil, serverAddr, "x", ferry.To(io.Discard)); err == nil {
		t.Error("a negative bound is accepted")
	}
}

// TestSinksAtOnce: a flood of writes has a bounded number of sinks at work.
func TestSinksAtOnce(t *testing.T) {
	var now, most atomic.Int32
	withServer(t, 0, func(p *testNet) {
		p.server.Handler = ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(10 * ms)
			now.Add(-1)
			return nil, errBroken
		})
	}, func(p *testNet, _ *manualPeer) {
		var all []*manualPeer
		for range 3 * maxSinks {
			u := p.manualPeer()
			u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet"})
			all = append(all, u)
		}
		time.Sleep(time.Second)
		for _, u := range all {
			u.expect(ms, false, "ERROR 0")
			u.conn.Close()
		}
	})
	if most.Load() != maxSinks {
		t.Errorf("%d sinks at once, want %d", most.Load(), maxSinks)
	}
}
