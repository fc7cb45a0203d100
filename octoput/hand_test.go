package octoput

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A hand plays one side of the protocol, packet by packet.
type hand struct {
	t    *testing.T
	conn *lossy.Conn
	to   netip.AddrPort
}

func (h *hand) writes(p Packet) { h.raw(raw(p)) }

func (h *hand) raw(b []byte) {
	h.t.Helper()
	if _, err := h.conn.WriteToUDPAddrPort(b, h.to); err != nil {
		h.t.Fatal(err)
	}
}

// reads returns the next packet within a virtual minute, or none.
func (h *hand) reads() (Packet, bool) {
	h.t.Helper()
	h.conn.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 2048)
	n, _, err := h.conn.ReadFromUDPAddrPort(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Packet{}, false
	}
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := ParsePacket(b[:n])
	if err != nil {
		h.t.Fatal(err)
	}
	p.Checksum = 0
	return p, true
}

// wants fails the test unless the next packet has this type, number and bits.
func (h *hand) wants(typ Type, block uint64, flags Legs) Packet {
	h.t.Helper()
	p, ok := h.reads()
	if !ok || p.Type != typ || p.Block != block || p.Flags != flags {
		h.t.Fatalf("got %v %d %v %x (%v), want %v %d %v", p.Type, p.Block, p.Flags, p.Payload, ok, typ, block, flags)
	}
	return p
}

// wantsCode fails the test unless the next packet is an ERR with this code, and no
// longer than what it answers.
func (h *hand) wantsCode(c Code) {
	h.t.Helper()
	p, ok := h.reads()
	if !ok || p.Type != Err || Code(p.Payload[0]) != c {
		h.t.Fatalf("got %v %x (%v), want ERR with %v", p.Type, p.Payload, ok, c)
	}
}

// wantsNothing fails the test if there is a packet before the deadline, which is short.
func (h *hand) wantsNothing() {
	h.t.Helper()
	h.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	b := make([]byte, 2048)
	if n, _, err := h.conn.ReadFromUDPAddrPort(b); err == nil {
		p, _ := ParsePacket(b[:n])
		h.t.Fatalf("got %v %d %v, want nothing", p.Type, p.Block, p.Flags)
	}
}

func open(session uint32, o Opening) Packet {
	payload, _ := o.MarshalBinary()
	return Packet{Type: Open, Session: session, Payload: payload}
}

func fin(session uint32, data []byte) Packet {
	sum := sha256.Sum256(data)
	return Packet{Type: Fin, Session: session, Block: plan(len(data)).count() + 1, Payload: sum[:]}
}

// pieces are the octolegs of data, block by block.
func pieces(session uint32, data []byte) (ps []Packet) {
	padded := append(bytes.Clone(data), "       "...)
	for b := range Blocks(int64(len(data))) {
		for _, p := range legsOf(b, padded[b.Offset:]) {
			p.Session = session
			ps = append(ps, p)
		}
	}
	return ps
}

// newHand plays the sender against a receiver that runs.
func newHand(t *testing.T, r Receiver, h ferry.Handler) (*pair, *hand) {
	p := newPair(t)
	p.serve(r, h)
	return p, &hand{t: t, conn: p.sender, to: p.to}
}

// A memory keeps what a sink gets.
type memorySink struct {
	bytes.Buffer
	offer     ferry.Offer
	committed int
	aborted   error
	full      int   // Write fails when there are more bytes; 0: never
	commit    error // of Commit
}

func (m *memorySink) Write(b []byte) (int, error) {
	if m.full > 0 && m.Len()+len(b) > m.full {
		return 0, errBroken
	}
	return m.Buffer.Write(b)
}

func (m *memorySink) Commit() error {
	if m.commit == nil {
		m.committed++
	}
	return m.commit
}

func (m *memorySink) Abort(err error) { m.aborted = err }

// sinks is a Handler that keeps every transfer in memory.
type sinks struct {
	all  []*memorySink
	full int
	fail error // of Commit
}

func (s *sinks) Accept(o ferry.Offer) (ferry.Sink, error) {
	m := &memorySink{offer: o, full: s.full, commit: s.fail}
	s.all = append(s.all, m)
	return m, nil
}

// stopped is a context that ends when the test says so.
func stopped() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }

var _ net.PacketConn = (*lossy.Conn)(nil)
