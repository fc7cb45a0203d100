package tftp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestBusy: a request beyond the bounds waits for its client to repeat it; lingering
// does not count.
func TestBusy(t *testing.T) {
	for name, setup := range map[string]func(*Server){
		"in all":      func(s *Server) { s.MaxTransfers = 1 },
		"per address": func(s *Server) { s.MaxPerAddress = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, 100, func(p *testNet) { setup(&p.server) }, func(p *testNet, u *manualPeer) {
				u.packet(p.addr, rrq())
				from := u.expect(ms, false, "DATA 1")
				other := p.manualPeer()
				other.packet(p.addr, rrq())
				other.expect(ms, false)
				u.packet(from, Packet{Op: ACK, Block: 1})
				u.expect(ms, false)
				other.packet(p.addr, rrq())
				from = other.expect(ms, false, "DATA 1")
				other.packet(from, Packet{Op: ACK, Block: 1})
				other.expect(ms, false)
				if _, err := p.put(Client{}, "a", noise(1, 9)); err != nil {
					t.Error(err)
				}
				if _, err := p.put(Client{}, "b", noise(1, 9)); err != nil { // while the other lingers
					t.Error(err)
				}
				other.conn.Close()
			})
		})
	}
}

// TestShutdown lets transfers end, takes no new ones, and returns when all is over.
func TestShutdown(t *testing.T) {
	for _, single := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestNet(t, lossy.Delay(10*ms))
			p.server.SinglePort = single
			p.files.files["file"] = noise(1, 100_000)
			p.start()
			done := make(chan error)
			go func() {
				got, _, err := p.get(Client{}, "file")
				if err == nil && len(got) != 100_000 {
					err = errBroken
				}
				done <- err
			}()
			<-time.After(30 * ms)
			short, cancel := context.WithTimeout(context.Background(), ms)
			if err := p.server.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown that may not wait: %v", err)
			}
			cancel()
			if _, _, err := p.get(Client{GiveUp: ms}, "file"); !errors.Is(err, ferry.ErrNoAnswer) {
				t.Errorf("a new transfer: %v", err)
			}
			if err := p.server.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if err := <-p.done; err != ErrServerClosed {
				t.Errorf("Serve: %v", err)
			}
			if err := <-done; err != nil {
				t.Errorf("the transfer under way: %v", err)
			}
			if err := p.server.Serve(context.Background(), p.conn); err != ErrServerClosed {
				t.Errorf("Serve after Shutdown: %v", err)
			}
			p.conn.Close()
		})
	}
}

// TestLingeringIsBounded: a flood of small files leaves no more transfers behind than
// there may be under way.
func TestLingeringIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t)
		p.server.MaxTransfers = 3
		var open atomic.Int64
		listen := p.server.ListenPacket
		p.server.ListenPacket = func(ctx context.Context, a netip.AddrPort) (net.PacketConn, error) {
			open.Add(1)
			c, err := listen(ctx, a)
			return countedConn{c, &open}, err
		}
		p.start()
		for i := range 20 {
			if _, err := p.put(Client{}, strconv.Itoa(i), []byte("x")); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if n := open.Load(); n != 3 {
			t.Errorf("%d conns linger", n)
		}
		time.Sleep(DefaultServerLinger)
		synctest.Wait()
		if n := open.Load(); n != 0 {
			t.Errorf("%d conns linger for too long", n)
		}
		if _, err := p.put(Client{}, "one more", []byte("x")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := open.Load(); n != 1 {
			t.Errorf("%d conns linger, want 1", n)
		}
		p.end()
	})
}

// A countedConn says when it is closed.
type countedConn struct {
	net.PacketConn
	open *atomic.Int64
}

func (c countedConn) Close() error {
	c.open.Add(-1)
	return c.PacketConn.Close()
}
