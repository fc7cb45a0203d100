package tftp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

// TestHalfOpenYields: a client that has not answered yields its place after a second, and
// one that has answered does not.
func TestHalfOpenYields(t *testing.T) {
	for name, setup := range map[string]func(*Server){
		"in all":      func(s *Server) { s.MaxTransfers = 3 },
		"per address": func(s *Server) { s.MaxPerAddress = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var ended []error
			withServer(t, 2000, func(p *testNet) {
				setup(&p.server)
				p.server.Trace = &Trace{Finished: func(e TransferEvent) {
					mu.Lock()
					defer mu.Unlock()
					ended = append(ended, e.Err)
				}}
			}, func(p *testNet, u *manualPeer) {
				u.packet(p.addr, rrq())
				verified := u.expect(ms, false, "DATA 1")
				u.packet(verified, Packet{Op: ACK, Block: 1})
				u.expect(ms, false, "DATA 2")
				var silent []*manualPeer
				for range 2 {
					silent = append(silent, p.manualPeer())
					silent[len(silent)-1].packet(p.addr, rrq())
				}
				other := p.manualPeer()
				other.packet(p.addr, rrq())
				other.expect(yieldAfter-10*ms, false)
				other.packet(p.addr, rrq())
				other.expect(10*ms, false)
				other.packet(p.addr, rrq())
				from := other.expect(ms, false, "DATA 1")
				other.packet(from, Packet{Op: ACK, Block: 1})
				other.within(ms, false)
				u.within(ms, false)
				u.packet(verified, Packet{Op: ACK, Block: 2})
				u.expect(ms, false, "DATA 3")
				for _, s := range silent {
					s.conn.Close()
				}
				other.conn.Close()
			})
			evicted := 0
			for _, err := range ended {
				if errors.Is(err, ErrEvicted) {
					evicted++
				}
			}
			if evicted != 1 {
				t.Errorf("%d yielded, want 1: %v", evicted, ended)
			}
		})
	}
}

// TestSlowReaderYields: a slow client keeps its place until another client needs it. Then it gets
// an ERROR.
func TestSlowReaderYields(t *testing.T) {
	withServer(t, 100_000, func(p *testNet) { p.server.MaxTransfers = 1 }, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		for block := range uint32(6) {
			u.packet(from, Packet{Op: ACK, Block: block + 1})
			if said, _ := u.within(4*time.Second, false); len(said) == 0 || said[0] != fmt.Sprintf("DATA %d", block+2) {
				t.Fatal(said)
			}
		}
		if data, _, err := p.get(Client{}, "file"); err != nil || len(data) != 100_000 {
			t.Errorf("a client that asks meanwhile: %d bytes, %v", len(data), err)
		}
		if said, _ := u.within(time.Second, false); !slices.Contains(said, "ERROR 0") {
			t.Errorf("the slow one was told %q", said)
		}
	})
}

// TestFastReadersKeepTheirPlaces: no one yields to another client if all make progress.
func TestFastReadersKeepTheirPlaces(t *testing.T) {
	withServer(t, 1<<20, func(p *testNet) { p.server.MaxTransfers = 1 }, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		other := p.manualPeer()
		for block := range uint32(30) {
			u.packet(from, Packet{Op: ACK, Block: block + 1})
			u.expect(ms, false, fmt.Sprintf("DATA %d", block+2))
			other.packet(p.addr, rrq())
			other.expect(999*ms, false)
			u.within(ms, false)
		}
		other.conn.Close()
	})
}

// TestPlacesAreCounted: when all sessions have left, in any order, no place is taken.
func TestPlacesAreCounted(t *testing.T) {
	start := time.Unix(1, 0)
	p := newPlaces(4, 2)
	sessions := make(map[netip.AddrPort]*session)
	var all []*session
	for n := range 4 {
		s := &session{client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n / 2)}), uint16(n+1)), began: start.Add(time.Duration(n) * ms)}
		s.opened.Store(true)
		if ok, victim := p.room(start, s.client.Addr(), sessions); !ok || victim != nil {
			t.Fatalf("no place for client %d", n)
		}
		p.take(s)
		all = append(all, s)
	}
	late := start.Add(time.Minute)
	for _, tt := range []struct {
		at     time.Time
		client string
		yields *session
	}{
		{start.Add(yieldAfter - 1), "10.0.0.9", nil},
		{start.Add(yieldAfter), "10.0.0.9", all[0]},
		{start.Add(yieldAfter), "10.0.0.1", nil}, // its own are younger
		{late, "10.0.0.1", all[2]},
	} {
		if ok, s := p.room(tt.at, netip.MustParseAddr(tt.client), sessions); ok || s != tt.yields {
			t.Errorf("at %v, %s: room %v, %v yields", tt.at.Sub(start), tt.client, ok, s)
		}
	}
	for _, n := range []int{1, 1, 3, 0, 2} {
		p.leave(all[n])
	}
	if p.used != 0 || len(p.hosts) != 0 || p.halfOpen.Len() != 0 {
		t.Errorf("%d places used by %d hosts, %d half-open, when all have left", p.used, len(p.hosts), p.halfOpen.Len())
	}
}

// TestNoBounds: negative bounds are none.
func TestNoBounds(t *testing.T) {
	withServer(t, 10, func(p *testNet) { p.server.MaxTransfers, p.server.MaxPerAddress = -1, -1 }, func(p *testNet, _ *manualPeer) {
		if _, _, err := p.get(Client{}, "file"); err != nil {
			t.Error(err)
		}
	})
}

// TestShortageIsSilent: what a server lacks for a moment is not told to a client, which
// asks again; and it is told once to the operator.
func TestShortageIsSilent(t *testing.T) {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		var told []error
		left := 3
		withServer(t, 10, func(p *testNet) {
			p.server.Trace = &Trace{Shortage: func(err error) { told = append(told, err) }}
			files := p.files
			p.server.Opener = handler{
				open: func(ctx context.Context, r ferry.Request) (ferry.Source, error) {
					if left--; left >= 0 {
						return ferry.Source{}, fmt.Errorf("opening: %w", lack)
					}
					return files.Open(ctx, r)
				},
			}
		}, func(p *testNet, _ *manualPeer) {
			if _, _, err := p.get(Client{}, "file"); err != nil {
				t.Errorf("%v: %v", lack, err)
			}
		})
		if len(told) != 1 || !errors.Is(told[0], lack) {
			t.Errorf("%v: told %v", lack, told)
		}
	}
}

// A slowCloser takes a moment to close.
type slowCloser struct{ *strings.Reader }

func (slowCloser) Close() error { time.Sleep(10 * ms); return nil }

// TestRequestAtTheEnd: the same request that comes while the transfer ends is a new one,
// not a repeat of the one that is over.
func TestRequestAtTheEnd(t *testing.T) {
	for _, single := range []bool{false, true} {
		withServer(t, 0, func(p *testNet) {
			p.server.SinglePort = single
			p.server.Opener = handler{open: func(context.Context, ferry.Request) (ferry.Source, error) {
				return ferry.Source{R: slowCloser{strings.NewReader("text")}, Size: 4}, nil
			}}
		}, func(p *testNet, u *manualPeer) {
			for range 10 {
				u.packet(p.addr, rrq())
				from := u.expect(15*ms, false, "DATA 1")
				u.packet(from, Packet{Op: ACK, Block: 1})
				u.expect(ms, false)
			}
			u.within(time.Second, false)
		})
	}
}

// TestLostRequestIsNotServedTwice: a request that was repeated in the middle of a transfer
// is not served again after it.
func TestLostRequestIsNotServedTwice(t *testing.T) {
	withServer(t, 600, nil, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		u.packet(p.addr, rrq())
		u.packet(from, Packet{Op: ACK, Block: 1})
		if said, _ := u.within(atTheEnd, false); len(said) == 0 || said[0] != "DATA 2" {
			t.Fatal(said)
		}
		u.packet(from, Packet{Op: ACK, Block: 2})
		u.expect(time.Second, false)
	})
}
