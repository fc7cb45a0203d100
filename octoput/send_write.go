package octoput

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// send writes the packets that sendState asked for. An error is the conn's.
func (v *sendCall) send(now time.Time, d *sendTransfer, s order) error {
	if s.timeout {
		d.report.Timeouts++
		if v.trace.Timeout != nil {
			v.trace.Timeout(PacketEvent{Addr: d.peer, Session: d.session, Type: s.kind, Block: d.number(), Before: d.held, After: d.held})
		}
	}
	v.load(d, s)
	sent := 0
	var tooLong error
	err := datagram.Send(v.conn, v.batch, func(i int, err error) {
		for ; sent < i; sent++ {
			v.sent(d, v.batch[sent].Data, s.again)
		}
		sent++ // lost
		if datagram.TooLong(err) {
			tooLong = err
			return
		}
		d.unsent = &writeError{err}
		v.writeFailed(d.peer, err)
	})
	if err != nil {
		return err
	}
	for ; sent < len(v.batch); sent++ {
		v.sent(d, v.batch[sent].Data, s.again)
	}
	if tooLong != nil {
		v.fail(now, d, fmt.Errorf("octoput: octolegs of %d bytes are too long for the way to %v: %w", d.block.LegSize, d.peer, tooLong))
	}
	return nil
}

// load puts into batch what sendState asked for.
func (v *sendCall) load(d *sendTransfer, s order) {
	v.batch = v.batch[:0]
	if s.kind != Leg {
		v.batch = append(v.batch, datagram.Packet{Data: d.buf, Addr: d.peer, Local: d.local})
		return
	}
	for i := range LegsPerBlock {
		if s.legs.has(i) {
			v.batch = append(v.batch, datagram.Packet{Data: d.packet(i), Addr: d.peer, Local: d.local})
		}
	}
	for i := range LegsPerBlock {
		if s.twice.has(i) {
			v.batch = append(v.batch, datagram.Packet{Data: d.packet(i), Addr: d.peer, Local: d.local})
		}
	}
}

// sent counts a packet that left.
func (v *sendCall) sent(d *sendTransfer, packet []byte, again bool) {
	d.report.Sent++
	if again {
		d.report.Retransmitted++
	}
	if v.trace.Sent != nil {
		v.trace.Sent(PacketEvent{
			Addr:    d.peer,
			Session: d.session, Type: Type(packet[0]), Block: d.number(), Flags: Legs(packet[1]),
			Before: d.held, After: d.held, Again: again,
		})
	}
}

// tell sends an ERR. If it is lost, the other side waits and gives up.
func (v *sendCall) tell(to netip.AddrPort, local netip.Addr, session uint32, block uint64, code Code) {
	v.errPacket, _ = Packet{Type: Err, Session: session, Block: block, Payload: []byte{byte(code)}}.AppendBinary(v.errPacket[:0])
	v.batch = append(v.batch[:0], datagram.Packet{Data: v.errPacket, Addr: to, Local: local})
	// If the conn is of no use, its next read tells.
	_ = datagram.Send(v.conn, v.batch, func(_ int, err error) { v.writeFailed(to, err) })
}

func (v *sendCall) writeFailed(to netip.AddrPort, err error) {
	if v.trace.WriteFailed != nil {
		v.trace.WriteFailed(PacketEvent{Addr: to, Err: err})
	}
}
