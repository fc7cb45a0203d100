package tftp

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

// A handler does what a test says.
type handler struct {
	open   func(context.Context, ferry.Request) (ferry.Source, error)
	create func(ferry.Offer) (ferry.Sink, error)
}

func (h handler) Open(ctx context.Context, r ferry.Request) (ferry.Source, error) {
	return h.open(ctx, r)
}

func (h handler) Accept(o ferry.Offer) (ferry.Sink, error) { return h.create(o) }

// text is a source.
func text(s string) ferry.Source { return ferry.Source{R: strings.NewReader(s), Size: int64(len(s))} }

// asks is an RRQ for a file.
func asks(name string) Packet { return Packet{Op: RRQ, Name: name, Mode: "octet"} }

// A lateReader has its text a second later.
type lateReader struct{ io.Reader }

func (r lateReader) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	return r.Reader.Read(b)
}

// TestBeginsAnew: a client that asks for another file from the same port, as boot loaders
// do, hears nothing more of the one before, however the handler takes that.
func TestBeginsAnew(t *testing.T) {
	for name, open := range map[string]func(context.Context) (ferry.Source, error){
		"heedless": func(context.Context) (ferry.Source, error) {
			time.Sleep(time.Second)
			return text("of the old"), nil
		},
		"obedient": func(ctx context.Context) (ferry.Source, error) {
			<-ctx.Done()
			return ferry.Source{}, ctx.Err()
		},
		"late": func(context.Context) (ferry.Source, error) {
			return ferry.Source{R: lateReader{strings.NewReader("of the old")}, Size: -1}, nil
		},
		"failing": func(context.Context) (ferry.Source, error) {
			time.Sleep(time.Second)
			return ferry.Source{}, errBroken
		},
	} {
		for _, single := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				var mu sync.Mutex
				var ended []error
				withServer(t, 0, func(p *testNet) {
					p.server.SinglePort = single
					p.server.Trace = &Trace{Finished: func(e TransferEvent) {
						mu.Lock()
						defer mu.Unlock()
						ended = append(ended, e.Err)
					}}
					p.server.Opener = handler{open: func(ctx context.Context, r ferry.Request) (ferry.Source, error) {
						if r.Name == "old" {
							return open(ctx)
						}
						return text("of the new"), nil
					}}
				}, func(p *testNet, u *manualPeer) {
					u.packet(p.addr, asks("old"))
					u.expect(ms, false)
					u.packet(p.addr, asks("new"))
					from := u.expect(ms, false, "DATA 1")
					u.packet(from, Packet{Op: ACK, Block: 1})
					u.expect(2*time.Second, false)
				})
				replaced := 0
				for _, err := range ended {
					if errors.Is(err, ErrReplaced) {
						replaced++
					}
				}
				if len(ended) != 2 || replaced != 1 {
					t.Errorf("the transfers ended with %v", ended)
				}
			})
		}
	}
}

// TestBeginsAnewLater: the same in the middle of a file, where what is sent of it would
// come from the same port as the new one.
func TestBeginsAnewLater(t *testing.T) {
	old := io.MultiReader(strings.NewReader(strings.Repeat("x", 512)), lateReader{strings.NewReader("more")})
	withServer(t, 0, func(p *testNet) {
		p.server.SinglePort = true
		p.server.Opener = handler{open: func(_ context.Context, r ferry.Request) (ferry.Source, error) {
			if r.Name == "old" {
				return ferry.Source{R: old, Size: -1}, nil
			}
			return text("of the new"), nil
		}}
	}, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, asks("old"))
		u.expect(ms, false, "DATA 1")
		u.packet(p.addr, Packet{Op: ACK, Block: 1})
		u.expect(ms, false)
		u.packet(p.addr, asks("new"))
		u.expect(ms, false, "DATA 1")
		u.packet(p.addr, Packet{Op: ACK, Block: 1})
		u.expect(2*time.Second, false)
	})
}

// TestAnewIsBounded: a client that begins again and again occupies at most as many handlers as
// there may be transfers.
func TestAnewIsBounded(t *testing.T) {
	var open, most atomic.Int32
	withServer(t, 0, func(p *testNet) {
		p.server.MaxTransfers = 4
		p.server.Opener = handler{open: func(context.Context, ferry.Request) (ferry.Source, error) {
			most.Store(max(most.Load(), open.Add(1)))
			defer open.Add(-1)
			time.Sleep(time.Second)
			return text("file"), nil
		}}
	}, func(p *testNet, u *manualPeer) {
		for n := range 100 {
			u.packet(p.addr, asks([]string{"a", "b"}[n%2]))
			u.expect(ms, false)
		}
		u.expect(2*time.Second, false)
		if most.Load() != 4 || open.Load() != 0 {
			t.Errorf("%d handlers at once, and %d in the end", most.Load(), open.Load())
		}
		u.packet(p.addr, asks("a"))
		u.expect(time.Second+ms, false, "DATA 1")
	})
}
