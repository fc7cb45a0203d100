package p2mp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

// served returns a receiver without a network, and a function that passes it a packet from
// 10.0.0.9:9 and returns the categories of its answers.
func served(t *testing.T, r Receiver, h ferry.Handler) (v *recvLoop, in func(c Category, m message) []string) {
	v = r.newLoop(h)
	from := netip.MustParseAddrPort("10.0.0.9:9")
	return v, func(c Category, m message) (out []string) {
		b := appendMessage(nil, c, m)
		p, _ := ParsePacket(b)
		v.message(time.Now(), datagram.Packet{Data: b, Addr: from}, p)
		for _, o := range v.out {
			q, _ := ParsePacket(o.Data)
			out = append(out, q.Category.String())
		}
		v.out, v.bytes = v.out[:0], v.bytes[:0]
		return out
	}
}

func (p *party) startReceive(i int, giveUp time.Duration) {
	m := p.receivers[i]
	m.start(func(ctx context.Context) error {
		_, err := (&Receiver{GiveUp: giveUp}).Receive(ctx, m.conn, &m.got)
		return err
	})
}

// postTo sends a packet of the extended mode from the party's sender to its receiver.
func (p *party) postTo(c Category, m message) {
	p.sender.WriteTo(appendMessage(nil, c, m), p.receivers[0].conn.LocalAddr())
}

// answer reads the next packet that reaches the party's sender; "nothing" if none does
// within a minute.
func (p *party) answer() string { return p.answerTo(p.sender) }

// answerTo does that for another sender.
func (p *party) answerTo(conn net.PacketConn) string {
	b := make([]byte, 2000)
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	n, _, err := conn.ReadFrom(b)
	if err != nil {
		return "nothing"
	}
	q, err := ParsePacket(b[:n])
	if err != nil {
		p.t.Error(err)
	}
	switch m, err := parseMessage(q.Category, q.Payload); m := m.(type) {
	case *status:
		return fmt.Sprintf("REPORT %d: %d held, %v", m.number, m.cum, m.progress)
	case *abort:
		return fmt.Sprintf("ABORT: %v", m.reason)
	default:
		return fmt.Sprint(q.Category, q.Seq, err)
	}
}

func (p progress) String() string {
	return [...]string{"gathering", "checking", "kept"}[p]
}

// offerOf is a HELLO as a sender would send it.
func offerOf(name string, size int64) hello {
	return hello{session: testSession, version: version, name: name, size: size, mss: 100, kind: digestSHA256}
}

// sendFor runs Send for at most d.
func (p *party) sendFor(t *testing.T, d time.Duration, conn net.PacketConn, s Sender, src ferry.Source) (Report, error, bool) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, errBroken)
	defer cancel()
	r, err := s.Send(ctx, conn, p.to, src)
	return r, err, errors.Is(err, errBroken)
}

// at is where the first receiver listens.
func (p *party) at() net.Addr { return p.receivers[0].conn.LocalAddr() }

func dropCategory(to netip.AddrPort, c Category) lossy.Model {
	return lossy.DropIf(func(p lossy.Packet) bool {
		return p.To == to && len(p.Payload) >= 8 && Category(binary.BigEndian.Uint16(p.Payload[6:])) == c
	})
}
