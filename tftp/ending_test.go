package tftp

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestLinger: a receiver whose last ACK was lost says it again.
func TestLinger(t *testing.T) {
	for _, wide := range []bool{false, true} {
		for _, write := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				lost := 0
				p := newTestNet(t, lossy.Delay(ms), lossy.DropIf(func(k lossy.Packet) bool {
					q, err := ParsePacket(k.Payload, wide)
					drop := err == nil && q.Op == ACK && q.Block == 3 && lost < 3
					if drop {
						lost++
					}
					return drop
				}))
				p.server.Wide = wide
				var failed error
				p.server.Trace = &Trace{Finished: func(e TransferEvent) { failed = e.Err }}
				p.files.files["file"] = noise(1, 1100)
				p.start()
				c := Client{Wide: wide, BlockSize: -1, WindowSize: -1, Linger: 3 * time.Second}
				var err error
				if write {
					_, err = p.put(c, "new", noise(1, 1100))
				} else {
					_, _, err = p.get(c, "file")
				}
				if err != nil || failed != nil || lost != 3 {
					t.Errorf("wide %v, write %v: %v at the client, %v at the server, %d ACKs lost", wide, write, err, failed, lost)
				}
				p.end()
			})
		}
	}
}

// TestUnconfirmed: a last block that is never acknowledged is reported as sent, not
// confirmed.
func TestUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t, lossy.DropIf(func(k lossy.Packet) bool {
			q, err := ParsePacket(k.Payload, false)
			return err == nil && q.Op == ACK && q.Block == 2
		}))
		p.start()
		r, err := p.put(Client{BlockSize: -1, WindowSize: -1}, "new", noise(1, 600))
		if !errors.Is(err, ferry.ErrUnconfirmed) || r.Bytes != 512 {
			t.Errorf("%v, %d bytes", err, r.Bytes)
		}
		if _, ok := p.files.get("new"); !ok {
			t.Error("the server has no file")
		}
		p.end()
	})
}

// TestAbsentServer: an error and not a hang, with the request sent a few times only.
func TestAbsentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		conn, err := n.NewConn(clientAddr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&Client{}).Get(context.Background(), conn, netip.MustParseAddrPort("10.0.0.9:69"), "x", ferry.To(io.Discard))
		if !errors.Is(err, ferry.ErrNoAnswer) || !strings.Contains(err.Error(), "10.0.0.9:69 in 10s") {
			t.Error(err)
		}
		if sent := n.Stats().Packets; sent < 5 || sent > 12 {
			t.Errorf("%d requests", sent)
		}
		conn.Close()
	})
}

// TestClientErrors: errors.Is knows the server's codes.
func TestClientErrors(t *testing.T) {
	withServer(t, 10, nil, func(p *testNet, _ *manualPeer) {
		if _, _, err := p.get(Client{}, "nonsuch"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, err := p.put(Client{}, "file", nil); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
		p.files.write = false
		if _, err := p.put(Client{}, "new", nil); !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	})
}

// TestLingeringEnds, also for somebody who never stops asking.
func TestLingeringEnds(t *testing.T) {
	withServer(t, 0, nil, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet"})
		from := u.expect(ms, false, "ACK 0")
		last := Packet{Op: DATA, Block: 1, Payload: []byte("x")}
		u.packet(from, last)
		u.expect(ms, false, "ACK 1")
		answers, asked := 0, 2*maxLingers*int(DefaultServerLinger/time.Second)
		for range asked {
			u.packet(from, last)
			said, _ := u.within(time.Second, false)
			answers += len(said)
		}
		if answers < asked/4 || answers > asked/2+1 {
			t.Errorf("%d answers to %d questions", answers, asked)
		}
	})
}

// TestSilenceIsNotAnswered: no ERROR is sent to a peer that has stopped answering.
func TestSilenceIsNotAnswered(t *testing.T) {
	var failed []error
	withServer(t, 2000, func(p *testNet) {
		p.server.Trace = &Trace{Finished: func(e TransferEvent) { failed = append(failed, e.Err) }}
	}, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		for n := range uint32(3) {
			u.packet(from, Packet{Op: ACK, Block: n + 1})
		}
		said, _ := u.within(time.Hour, false)
		for _, s := range said {
			if !strings.HasPrefix(s, "DATA ") {
				t.Errorf("%q", s)
			}
		}
		u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet"})
		from = u.expect(ms, false, "ACK 0")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: make([]byte, 512)})
		said, _ = u.within(time.Hour, false)
		for _, s := range said {
			if s != "ACK 1" {
				t.Errorf("%q", s)
			}
		}
	})
	if len(failed) != 2 || !errors.Is(failed[0], ferry.ErrSilent) || !errors.Is(failed[1], ferry.ErrSilent) {
		t.Errorf("errors %v", failed)
	}
}

// TestEndedBefore: a call whose context has ended sends nothing.
func TestEndedBefore(t *testing.T) {
	withServer(t, 10, nil, func(p *testNet, u *manualPeer) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errEnd)
		conn := p.client()
		defer conn.Close()
		if _, err := new(Client).Get(ctx, conn, p.addr, "file", ferry.To(io.Discard)); !errors.Is(err, errEnd) {
			t.Errorf("Get: %v", err)
		}
		if _, err := new(Client).Put(ctx, conn, p.addr, "new", ferry.Source{R: strings.NewReader("text")}); !errors.Is(err, errEnd) {
			t.Errorf("Put: %v", err)
		}
		u.expect(ms, false)
		if sent := p.net.Stats().Packets; sent != 0 {
			t.Errorf("%d packets", sent)
		}
	})
}

// A fussySink fails to keep what it got, and counts what it is told.
type fussySink struct {
	io.Writer
	commits, aborts int
}

func (s *fussySink) Commit() error { s.commits++; return errBroken }
func (s *fussySink) Abort(error)   { s.aborts++ }

// TestCommitFails: a sink is told once how it ends.
func TestCommitFails(t *testing.T) {
	withServer(t, 10, nil, func(p *testNet, _ *manualPeer) {
		sink := &fussySink{Writer: io.Discard}
		conn := p.client()
		defer conn.Close()
		if _, err := new(Client).Get(context.Background(), conn, p.addr, "file", ferry.To(sink)); !errors.Is(err, errBroken) || sink.commits != 1 || sink.aborts != 0 {
			t.Errorf("Get: %v, after %d Commits and %d Aborts", err, sink.commits, sink.aborts)
		}
		// Without options the first packet has the whole file.
		sink = &fussySink{Writer: io.Discard}
		plain := Client{BlockSize: -1, WindowSize: -1}
		if _, err := plain.Get(context.Background(), conn, p.addr, "file", ferry.To(sink)); !errors.Is(err, errBroken) || sink.commits != 1 || sink.aborts != 0 {
			t.Errorf("Get without options: %v, after %d Commits and %d Aborts", err, sink.commits, sink.aborts)
		}
		sink = &fussySink{Writer: io.Discard}
		p.server.Handler = handler{create: func(ferry.Offer) (ferry.Sink, error) { return sink, nil }}
		if _, err := p.put(Client{}, "new", noise(1, 10)); err == nil || sink.commits != 1 || sink.aborts != 0 {
			t.Errorf("Put: %v, after %d Commits and %d Aborts", err, sink.commits, sink.aborts)
		}
	})
}
