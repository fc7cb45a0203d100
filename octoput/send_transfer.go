package octoput

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/rtt"
)

// A sendTransfer is one file that is being sent to one receiver: the sendState, the source
// and the report.
type sendTransfer struct {
	sendState
	peer    netip.AddrPort
	local   netip.Addr // the address of this host that the peer asked; zero if it did not ask
	session uint32
	answers uint32 // the session of the question, when there was one
	src     ferry.Source
	file    io.Closer // to be closed at the end; nil if it is the caller's

	// buf holds what is in flight as it is sent: the eight octolegs one behind the
	// other, each behind its header; or the OPEN, or the FIN.
	buf    []byte
	unread int       // bytes of the octoblock in buf that hash has not seen
	hash   hash.Hash // of all octoblocks before, and of this one but unread

	report   Report
	start    time.Time
	opened   time.Time    // when the answer to a question had been sent
	progress time.Time    // when the receiver last acknowledged something new
	unsent   error        // the last failure to write
	busy     *RemoteError // the receiver said so; nil if it did not
}

func (v *sendCall) newSendTransfer(now time.Time, to netip.AddrPort, src ferry.Source) *sendTransfer {
	s := v.sender
	d := &sendTransfer{
		sendState: sendState{
			plan:   plan(src.Size),
			join:   orDefault(s.JoinTimeout, DefaultJoinTimeout),
			giveUp: orDefault(s.GiveUp, DefaultGiveUp),
			rtt:    rtt.Estimator{Config: rtt.Config{Fixed: s.Timeout}},
		},
		peer:    to,
		session: newSession(),
		src:     src,
		buf:     make([]byte, LegsPerBlock*maxPacket),
		hash:    sha256.New(),
		start:   now,
	}
	d.report = Report{Addr: to, Session: d.session, Name: src.Name, Size: src.Size}
	d.begin(now)
	return d
}

func (d *sendTransfer) offer() ferry.Offer {
	return ferry.Offer{Addr: d.peer, Session: uint64(d.session), Name: d.src.Name, Size: d.src.Size}
}

// load puts into buf what sendState is about to send for the first time.
func (d *sendTransfer) load() error {
	switch d.phase {
	case opening:
		payload, err := Opening{Size: d.src.Size, Answers: d.answers, Name: d.src.Name}.MarshalBinary()
		if err != nil {
			return err
		}
		return d.single(Open, payload)
	case sending:
		return d.loadBlock()
	case finishing:
		if err := endSource(&d.src); err != nil {
			return err
		}
		return d.single(Fin, d.hash.Sum(nil))
	}
	return nil
}

// single makes buf one packet.
func (d *sendTransfer) single(t Type, payload []byte) (err error) {
	d.buf, err = Packet{Type: t, Session: d.session, Block: d.number(), Payload: payload}.AppendBinary(d.buf[:0])
	return err
}

// loadBlock reads the next octoblock to behind eight headers' room, and then moves its
// octolegs apart: each goes towards the front, to behind its own header, and so never
// onto one that has not been moved yet.
func (d *sendTransfer) loadBlock() error {
	b := d.block
	slot := headerLen + b.LegSize
	d.buf = d.buf[:LegsPerBlock*slot]
	data := d.buf[LegsPerBlock*headerLen:]
	if err := readSource(&d.src, data[:b.Data()], b.Offset); err != nil {
		return err
	}
	for i := range data[b.Data():] {
		data[b.Data()+i] = blank
	}
	for i := range LegsPerBlock {
		leg := d.buf[i*slot:][:slot]
		copy(leg[headerLen:], data[i*b.LegSize:][:b.LegSize])
		seal(leg, Leg, Nth(i+1), d.session, b.Number)
	}
	d.unread = b.Data()
	return nil
}

// digest takes the octoblock in flight into the digest. There is time for it while the
// receiver is waited for.
func (d *sendTransfer) digest() {
	for i := 0; d.unread > 0; i++ {
		// Blanks are octolegs of their own, and not reached.
		leg := d.packet(i)[headerLen:]
		d.hash.Write(leg)
		d.unread -= len(leg)
	}
}

// packet is octoleg i, from 0, of the octoblock in flight, as it is sent.
func (d *sendTransfer) packet(i int) []byte {
	slot := headerLen + d.block.LegSize
	return d.buf[i*slot:][:slot]
}

// confirmed counts the octoblock that the receiver acknowledged, and prepares the next.
func (d *sendTransfer) confirmed(now time.Time) error {
	d.busy = nil
	if d.phase == sending {
		d.report.Bytes += int64(d.block.Data())
		d.report.Blocks++
	}
	d.forward(now)
	return d.load()
}

// given is why the receiver was given up; said is what it said itself, nil if it fell
// silent.
func (d *sendTransfer) given(said *RemoteError) error {
	e := &PeerError{Addr: d.peer, Block: d.number(), Silence: d.silence}
	switch d.phase {
	case opening:
		e.Err = ferry.ErrNoAnswer
	case sending:
		e.Err = ferry.ErrSilent
	default:
		e.Err = ferry.ErrUnconfirmed
	}
	if said != nil {
		e.Err = d.refusal(said)
		e.Silence = 0
	}
	if d.unsent != nil {
		e.Err = errors.Join(e.Err, d.unsent)
	}
	return e
}

// refusal is what an ERR means. That the receiver does not know a file any more, of
// which it had everything, says nothing about the file.
func (d *sendTransfer) refusal(said *RemoteError) error {
	if d.phase == finishing && said.Code == CodeUnknown {
		return errors.Join(ferry.ErrUnconfirmed, said)
	}
	return said
}

// at says where an error happened that is this side's.
func (d *sendTransfer) at(err error) error {
	if d.phase == sending {
		return fmt.Errorf("octoput: at octoblock %d: %w", d.block.Number, err)
	}
	return fmt.Errorf("octoput: sending: %w", err)
}
