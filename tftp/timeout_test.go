package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

// TestSlowHandlers: the time that a source or a sink takes is not the other side's
// silence.
func TestSlowHandlers(t *testing.T) {
	slow := 40 * time.Second
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t, lossy.Delay(ms))
		var failed error
		p.server.Trace = &Trace{Finished: func(e TransferEvent) { failed = errors.Join(failed, e.Err) }}
		p.server.Opener, p.server.Handler = slowHandler{slow}, slowHandler{slow}
		p.start()
		c := Client{GiveUp: time.Hour, BlockSize: -1, WindowSize: -1}
		if _, _, err := p.get(c, "x"); err != nil || failed != nil {
			t.Errorf("Get from a slow source: %v, at the server %v", err, failed)
		}
		if _, err := p.put(c, "x", noise(1, 200_000)); err != nil || failed != nil {
			t.Errorf("Put to a slow sink: %v, at the server %v", err, failed)
		}
		p.end()
	})
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t, lossy.Delay(ms))
		p.server.GiveUp = time.Hour
		p.files.files["x"] = noise(1, 200_000)
		p.start()
		conn := p.client()
		c := Client{BlockSize: -1, WindowSize: -1}
		if _, err := c.Get(t.Context(), conn, p.addr, "x", ferry.To(slowSink{slow})); err != nil {
			t.Errorf("Get to a slow sink: %v", err)
		}
		src := ferry.Source{R: slowReader{bytes.NewReader(noise(1, 5000)), slow}, Size: 5000}
		if _, err := c.Put(t.Context(), conn, p.addr, "y", src); err != nil {
			t.Errorf("Put from a slow source: %v", err)
		}
		conn.Close()
		p.end()
	})
}

// A slowHandler takes its time for everything. It is for a bubble.
type slowHandler struct{ d time.Duration }

func (h slowHandler) Open(context.Context, ferry.Request) (ferry.Source, error) {
	time.Sleep(h.d)
	return ferry.Source{R: slowReader{bytes.NewReader(noise(1, 2000)), h.d}, Size: 2000}, nil
}

func (h slowHandler) Accept(ferry.Offer) (ferry.Sink, error) {
	time.Sleep(h.d)
	return slowSink(h), nil
}

type slowReader struct {
	r io.Reader
	d time.Duration
}

func (s slowReader) Read(b []byte) (int, error) {
	time.Sleep(s.d)
	return s.r.Read(b[:min(len(b), 600)])
}

type slowSink struct{ d time.Duration }

func (s slowSink) Write(b []byte) (int, error) {
	time.Sleep(s.d)
	return len(b), nil
}

func (s slowSink) Commit() error {
	time.Sleep(s.d)
	return nil
}

func (s slowSink) Abort(error) {}

// A repeater is a link to somebody who says the same all the time.
type repeater struct{ said []byte }

func (c repeater) Read(time.Time) ([]datagram.Packet, error) {
	time.Sleep(20 * ms)
	return []datagram.Packet{{Data: c.said, Addr: repeaterAddr}}, nil
}

func (c repeater) Write(pkts []datagram.Packet) (int, error) { return len(pkts), nil }
func (c repeater) SetBuffers(int, int) (int, int, error)     { return 0, 0, nil }
func (c repeater) Wake()                                     {}
func (c repeater) Release()                                  {}

var repeaterAddr = netip.MustParseAddrPort("10.0.0.2:1000")

// TestChatterIsNoProgress: who talks without end, but does not go on, is given up like
// one that is silent.
func TestChatterIsNoProgress(t *testing.T) {
	for name, said := range map[string]Packet{"sender": {Op: ACK}, "receiver": {Op: DATA, Block: 60000}} {
		synctest.Test(t, func(t *testing.T) {
			b, _ := said.MarshalBinary()
			start := time.Now()
			c := &transfer{
				ctx: t.Context(), link: repeater{b}, peer: repeaterAddr, request: &Request{}, start: start, heard: start,
				answered: true, giveUp: time.Minute, budget: *proved(),
			}
			var err error
			if said.Op == ACK {
				err = newSender(c, ferry.Source{R: bytes.NewReader(noise(1, 2000))}, Window{1}, plain()).run()
			} else {
				err = newReceiver(c, sinkOf(ferry.To(io.Discard)), plain(), nil).run()
			}
			if took := time.Since(start); !errors.Is(err, ferry.ErrSilent) || took > time.Minute+time.Second {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		})
	}
}

// TestBranchEnds: what waits in a branch does not outlive the transfer.
func TestBranchEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	b := newConnShare(ctx, nil, repeaterAddr, netip.Addr{})
	b.put([]byte("x"))
	cancel(errEnd)
	if _, err := b.Read(time.Now().Add(time.Hour)); !errors.Is(err, errEnd) {
		t.Error(err)
	}
}

// TestSenderThatWaitsAnew: tftp-hpa's client sends a block again when it has heard
// nothing for five seconds, and an ACK that it knows is something. Ours must leave it so
// much time.
func TestSenderThatWaitsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Block 3 is lost, once.
		p := newTestNet(t, lossy.Delay(ms), lossy.DropIf(func(p lossy.Packet) bool { return p.From.Addr() == clientAddr.Addr() && p.Payload[1] == 3 && p.N == 3 }))
		p.start()
		defer p.end()
		conn := p.client()
		defer conn.Close()
		send := func(b []byte, to netip.AddrPort) {
			if _, err := conn.WriteTo(b, net.UDPAddrFromAddrPort(to)); err != nil {
				t.Fatal(err)
			}
		}
		send([]byte("\x00\x02new\x00octet\x00"), p.addr)
		data := noise(1, 5*512+7)
		start := time.Now()
		buf := make([]byte, 1000)
		var server netip.AddrPort
		for block := 0; block < 6; {
			conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, from, err := conn.ReadFrom(buf)
			switch {
			case time.Since(start) > 25*time.Second:
				t.Fatalf("block %d was not sent again in %v", block, time.Since(start))
			case err == nil && (n != 4 || buf[1] != 4):
				t.Fatalf("received %x", buf[:n])
			case err == nil && int(buf[3]) != block:
				continue
			case err == nil:
				server = from.(*net.UDPAddr).AddrPort()
				block++
			}
			b := []byte{0, 3, 0, byte(block)}
			send(append(b, data[(block-1)*512:min(block*512, len(data))]...), server)
		}
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		for { // the last ACK
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			if n == 4 && buf[3] == 6 {
				break
			}
		}
		if got, _ := p.files.get("new"); !bytes.Equal(got, data) {
			t.Errorf("%d bytes arrived", len(got))
		}
	})
}

// sinkOf is the sink of a handler that refuses nothing.
func sinkOf(h ferry.Handler) ferry.Sink {
	s, _ := h.Accept(ferry.Offer{})
	return s
}
