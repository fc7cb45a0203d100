package p2mp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A party is a sender and some receivers on a network in memory. It lives in a synctest
// bubble.
type party struct {
	t         testing.TB
	net       *lossy.Network
	hosts     byte
	sender    *lossy.Conn
	receivers []*member
	to        []netip.AddrPort
}

// A member is a receiver that runs.
type member struct {
	conn   net.PacketConn
	got    bytes.Buffer
	report Report
	err    error
	cancel context.CancelFunc
	done   <-chan struct{}
}

// closed is the done channel of a member that was never started.
var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func newParty(t testing.TB, receivers int, options ...lossy.Option) *party {
	p := &party{t: t, net: lossy.NewNetwork(options...)}
	p.sender = p.listen()
	for range receivers {
		m := &member{conn: p.listen(), cancel: func() {}, done: closed}
		p.receivers = append(p.receivers, m)
		p.to = append(p.to, addrOf(m.conn))
	}
	return p
}

func addrOf(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// listen opens 10.0.0.1:7735, and then, with each call, the next address.
func (p *party) listen() *lossy.Conn {
	p.hosts++
	c, err := p.net.NewConn(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, p.hosts}), 7735))
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// receive starts Receive at every member.
func (p *party) receive(r Receiver) {
	for _, m := range p.receivers {
		m.start(func(ctx context.Context) error {
			var err error
			m.report, err = r.Receive(ctx, m.conn, &m.got)
			return err
		})
	}
}

// forgetExtended makes a receiver one that knows the classic packets alone.
func (m *member) forgetExtended() {
	m.conn = lossy.Wrap(m.conn, lossy.Ingress(lossy.DropIf(func(p lossy.Packet) bool {
		return len(p.Payload) < headerLen || binary.BigEndian.Uint16(p.Payload[6:]) != uint16(CategoryData)
	})))
}

func (m *member) start(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	m.cancel, m.done = cancel, done
	go func() {
		defer close(done)
		m.err = run(ctx)
	}()
}

// stop ends the members that were started, and closes the conns.
func (p *party) stop() {
	for _, m := range p.receivers {
		m.cancel()
		<-m.done
		m.conn.Close()
	}
	p.sender.Close()
}

// send runs Send and stops the members.
func (p *party) send(s Sender, data []byte) (Report, error) {
	report, err := s.Send(context.Background(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
	p.stop()
	return report, err
}

// check fails the test unless all members have data and no error.
func (p *party) check(data []byte) {
	p.t.Helper()
	for i, m := range p.receivers {
		if !bytes.Equal(m.got.Bytes(), data) {
			p.t.Errorf("receiver %d has %d bytes, not the %d that were sent", i, m.got.Len(), len(data))
		}
		if m.err != nil {
			p.t.Errorf("receiver %d: %v", i, m.err)
		}
	}
}

// noise returns bytes that repeat for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{0: byte(seed), 1: byte(seed >> 8)}).Read(b)
	return b
}

// A failingReader yields n bytes and then fails.
type failingReader struct {
	n   int
	err error
}

func (r *failingReader) Read(b []byte) (int, error) {
	if r.n == 0 {
		return 0, r.err
	}
	n := min(r.n, len(b))
	r.n -= n
	return n, nil
}

// A failingWriter takes n bytes and then fails.
type failingWriter struct {
	n   int
	err error
}

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.n < len(b) {
		return 0, w.err
	}
	w.n -= len(b)
	return len(b), nil
}

var errBroken = errors.New("broken")
