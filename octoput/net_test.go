package octoput

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A pair is a sender and a receiver on a network in memory. It lives in a
// synctest bubble.
type pair struct {
	t        testing.TB
	net      *lossy.Network
	hosts    byte
	sender   *lossy.Conn
	receiver *lossy.Conn
	to       netip.AddrPort

	got    bytes.Buffer
	report Report // the receiver's
	err    error  // the receiver's
	cancel context.CancelFunc
	done   <-chan struct{}
}

// closed is the done channel of a receiver that was never started.
var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func newPair(t testing.TB, options ...lossy.Option) *pair {
	p := &pair{t: t, net: lossy.NewNetwork(options...), cancel: func() {}, done: closed}
	p.sender, p.receiver = p.listen(), p.listen()
	p.to = p.receiver.AddrPort()
	return p
}

// listen opens 10.0.0.1:8888, and then, with each call, the next address.
func (p *pair) listen() *lossy.Conn {
	p.hosts++
	c, err := p.net.NewConn(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, p.hosts}), 8888))
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// start runs the other side, usually the receiver.
func (p *pair) start(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	p.cancel, p.done = cancel, done
	go func() {
		defer close(done)
		p.err = run(ctx)
	}()
}

// receive starts Receive.
func (p *pair) receive(r Receiver) {
	p.start(func(ctx context.Context) error {
		var err error
		p.report, err = r.Receive(ctx, p.receiver, &p.got)
		return err
	})
}

// serve starts Serve.
func (p *pair) serve(r Receiver, h ferry.Handler) {
	p.start(func(ctx context.Context) error { return r.Serve(ctx, p.receiver, h) })
}

// wait returns when the receiver has ended, and closes the conns.
func (p *pair) wait() {
	<-p.done
	p.cancel()
	p.sender.Close()
	p.receiver.Close()
}

// stop ends the receiver, and closes the conns.
func (p *pair) stop() {
	p.cancel()
	p.wait()
}

// send runs Send.
func (p *pair) send(s Sender, data []byte) (Report, error) {
	return s.Send(context.Background(), p.sender, p.to, source(data))
}

func source(data []byte) ferry.Source {
	return ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f"}
}

// check fails the test unless the receiver has data and no error.
func (p *pair) check(data []byte) {
	p.t.Helper()
	if !bytes.Equal(p.got.Bytes(), data) {
		p.t.Errorf("the receiver has %d bytes, not the %d that were sent", p.got.Len(), len(data))
	}
	if p.err != nil {
		p.t.Errorf("the receiver: %v", p.err)
	}
}

func addrOf(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// noise returns bytes that repeat for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var errBroken = errors.New("broken")
