package p2mp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// The defaults of a Sender.
const (
	// DefaultMSS fits the Ethernet MTU over IPv4 and IPv6, most tunnels included.
	DefaultMSS         = 1400
	DefaultJoinTimeout = 5 * time.Second
	DefaultGiveUp      = 10 * time.Second
)

// initialTimeout is the timer before the first measurement: the P2MP-FTP
// report, "Client", point 3.
const initialTimeout = 100 * time.Millisecond

// A Sender sends a file to any number of receivers at once. The zero value is
// ready to use. One Sender may run several transfers at the same time, each on
// a conn of its own.
type Sender struct {
	// MSS is the payload of a full chunk in bytes, 1 to MaxMSS. 0 means
	// DefaultMSS. A datagram is MSS+8 bytes long and, above what the path takes
	// (1464 on Ethernet with IPv4), is cut into fragments.
	MSS int
	// Timeout fixes the retransmission timer; the P2MP-FTP report uses 0.1 s
	// ("Client", point 3). 0 means a timer for each receiver that starts
	// at 0.1 s, follows its measured round-trip time and doubles up to 1 s while nothing is
	// heard from it (RFC 6298).
	Timeout time.Duration
	// JoinTimeout is how long to wait for a receiver's first answer. 0 means
	// DefaultJoinTimeout. It and GiveUp mean nothing under the policy Wait.
	JoinTimeout time.Duration
	// GiveUp is how long a receiver that has answered may take to acknowledge a
	// chunk. 0 means DefaultGiveUp.
	GiveUp time.Duration
	// Policy says what happens then. The default is Drop.
	Policy Policy
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace
}

// Send sends src to all receivers in to, over conn, and returns when each has
// acknowledged the last chunk or was given up.
//
// conn stays the caller's: Send neither closes it nor keeps it. It sets read
// deadlines, and clears them before it returns. Nothing else may read from conn
// meanwhile. Packets from addresses that are not in to are counted and ignored.
//
// When receivers were given up, the error is an [*IncompleteError] that
// names them; under the policy Fail it wraps one [*PeerError]. It wraps
// ctx's cause when ctx ended first, and the error of src or conn when one of them
// failed: the receivers are then not told, and give up by their own timers. The
// Report is filled as far as the transfer went in every case.
func (s *Sender) Send(ctx context.Context, conn net.PacketConn, to []netip.AddrPort, src Source) (Report, error) {
	t, err := s.newSending(to, src)
	if err != nil {
		return Report{}, err
	}
	t.conn = datagram.Open(ctx, conn, datagram.Config{ReadSize: 2048})
	defer t.conn.Release()
	err = t.run()
	t.report.Elapsed = time.Since(t.start)
	for i := range t.steps.peers {
		p := &t.steps.peers[i]
		t.report.Peers[i].State = p.state
		t.report.Peers[i].RTT = p.rtt.SRTT()
	}
	return t.report, err
}

// A sending is one call of Send. Its methods run in that call's goroutine,
// which alone owns all of it.
type sending struct {
	sender *Sender
	trace  Trace
	conn   *datagram.Conn
	start  time.Time

	chunks chunks
	steps  lockstep
	index  map[netip.AddrPort]int // of steps.peers and report.Peers
	report Report

	packet []byte // the chunk in flight, encoded
	length int    // of its payload
	shots  []shot
	batch  []datagram.Packet
	unsent []error // the last failure to write to each peer
}

func (s *Sender) newSending(to []netip.AddrPort, src Source) (*sending, error) {
	mss := s.MSS
	if mss == 0 {
		mss = DefaultMSS
	}
	switch {
	case mss < 1 || mss > MaxMSS:
		return nil, fmt.Errorf("p2mp: MSS of %d bytes, want 1 to %d", mss, MaxMSS)
	case len(to) == 0:
		return nil, errors.New("p2mp: no receivers")
	case src.R == nil:
		return nil, errors.New("p2mp: no source")
	}
	if err := checkSize(src.Size, mss); err != nil {
		return nil, err
	}
	t := &sending{
		sender: s,
		start:  time.Now(),
		chunks: chunks{src: src, buf: make([]byte, mss)},
		steps: lockstep{
			policy: s.Policy,
			join:   orDefault(s.JoinTimeout, DefaultJoinTimeout),
			giveUp: orDefault(s.GiveUp, DefaultGiveUp),
		},
		index:  make(map[netip.AddrPort]int, len(to)),
		packet: make([]byte, 0, headerLen+mss),
		unsent: make([]error, len(to)),
	}
	if s.Trace != nil {
		t.trace = *s.Trace
	}
	timer := rtt.Config{Initial: initialTimeout, Fixed: s.Timeout}
	for i, addr := range to {
		addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
		if !addr.IsValid() || addr.Addr().IsUnspecified() || addr.Port() == 0 {
			return nil, fmt.Errorf("p2mp: receiver %v is no address to send to", addr)
		}
		if _, twice := t.index[addr]; twice {
			return nil, fmt.Errorf("p2mp: receiver %v is listed twice", addr)
		}
		t.index[addr] = i
		t.steps.peers = append(t.steps.peers, steppingPeer{addr: addr, rtt: rtt.Estimator{Config: timer}})
		t.report.Peers = append(t.report.Peers, PeerReport{Addr: addr})
	}
	return t, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// run sends chunk after chunk, the next when all receivers have the one before.
func (t *sending) run() error {
	for last := false; !last; {
		var payload []byte
		var err error
		if payload, last, err = t.chunks.next(); err != nil {
			return err
		}
		if err := t.deliver(payload, last); err != nil {
			return err
		}
		if !t.anyAlive() {
			break
		}
		t.report.Chunks++
		t.report.Bytes += int64(len(payload))
	}
	return t.incomplete()
}

// deliver sends one chunk until every receiver has it or was given up.
func (t *sending) deliver(payload []byte, last bool) (err error) {
	now := time.Now()
	t.steps.begin(now, last)
	t.length = len(payload)
	t.packet, err = Packet{Seq: t.steps.seq, Category: Data, Payload: payload}.AppendBinary(t.packet[:0])
	if err != nil {
		return err
	}
	for {
		var given []int
		var wake time.Time
		t.shots, given, wake = t.steps.next(now, t.shots[:0])
		for _, i := range given {
			t.give(i)
		}
		if t.steps.settled() {
			return t.failure(given)
		}
		if err := t.shoot(); err != nil {
			return err
		}
		packets, err := t.conn.Read(wake)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("p2mp: at chunk %d: %w", t.steps.seq, err)
		}
		now = time.Now()
		for _, p := range packets {
			t.arrived(now, p)
		}
	}
}

// shoot writes the packets that the state machine asked for.
func (t *sending) shoot() error {
	t.batch = t.batch[:0]
	for _, s := range t.shots {
		addr := t.steps.peers[s.peer].addr
		if s.again && t.trace.Timeout != nil {
			t.trace.Timeout(addr, t.steps.seq)
		}
		t.batch = append(t.batch, datagram.Packet{Data: t.packet, Addr: addr})
	}
	for done := 0; done < len(t.batch); {
		n, err := t.conn.Write(t.batch[done:])
		for _, s := range t.shots[done : done+n] {
			t.sent(s)
		}
		done += n
		if err == nil {
			continue
		}
		if err := t.writeFailed(t.shots[done].peer, err); err != nil {
			return err
		}
		done++
	}
	return nil
}

// writeFailed sorts what ends the transfer from what loses one packet.
func (t *sending) writeFailed(peer int, err error) error {
	addr := t.steps.peers[peer].addr
	switch {
	case datagram.Fatal(err):
		return fmt.Errorf("p2mp: at chunk %d: %w", t.steps.seq, err)
	case datagram.TooLong(err):
		return fmt.Errorf("p2mp: an MSS of %d bytes is too long for the way to %v: %w", len(t.chunks.buf), addr, err)
	}
	t.unsent[peer] = &writeError{err}
	if t.trace.WriteFailed != nil {
		t.trace.WriteFailed(addr, err)
	}
	return nil
}

// sent counts a packet that left.
func (t *sending) sent(s shot) {
	p := &t.report.Peers[s.peer]
	p.Sent++
	if s.again {
		p.SentAgain++
	}
	if t.trace.Sent != nil {
		t.trace.Sent(p.Addr, t.steps.seq, t.length, s.again)
	}
}

// arrived takes one packet from the conn.
func (t *sending) arrived(now time.Time, d datagram.Packet) {
	i, known := t.index[d.Addr]
	if !known {
		t.report.Foreign++
		t.bad(d.Addr, ErrForeign)
		return
	}
	p, err := ParsePacket(d.Data)
	if err == nil && p.Category != Ack {
		err = ErrCategory // only a sender sends DATA, and this is the sender
	}
	if err != nil {
		t.report.Bad++
		t.bad(d.Addr, err)
		return
	}
	peer := &t.report.Peers[i]
	switch answer, sample := t.steps.acked(now, i, p.Seq); answer {
	case future:
		t.report.Bad++
		t.bad(d.Addr, ErrSequence)
	case stale:
		peer.Duplicates++
	case fresh:
		peer.Chunks++
		peer.Bytes += int64(t.length)
		if t.steps.last {
			peer.Elapsed = now.Sub(t.start)
		}
		if t.trace.Acked != nil {
			t.trace.Acked(d.Addr, p.Seq, peer.Bytes, sample)
		}
	}
}

func (t *sending) bad(from netip.AddrPort, err error) {
	if t.trace.Bad != nil {
		t.trace.Bad(from, err)
	}
}

// give records that the receiver was given up at the chunk in flight.
func (t *sending) give(i int) {
	p := &t.report.Peers[i]
	e := &PeerError{Peer: p.Addr, Seq: t.steps.seq, Silence: t.steps.giveUp, Err: ErrSilent}
	switch {
	case p.Chunks == 0:
		e.Err, e.Silence = ErrNoAnswer, t.steps.join
	case t.steps.last:
		e.Err = ErrUnconfirmed
	}
	if t.unsent[i] != nil {
		e.Err = errors.Join(e.Err, t.unsent[i])
	}
	p.Err = e
	if t.trace.Dropped != nil {
		t.trace.Dropped(p.Addr, e)
	}
}

// failure returns the error that ends the transfer under the policy Fail.
func (t *sending) failure(given []int) error {
	if !t.steps.failed {
		return nil
	}
	return fmt.Errorf("p2mp: stopped for all: %w", t.report.Peers[given[0]].Err)
}

// anyAlive reports whether there is anybody left to send to.
func (t *sending) anyAlive() bool {
	for i := range t.steps.peers {
		if t.steps.peers[i].state != Dropped {
			return true
		}
	}
	return false
}

// incomplete returns the error that names the receivers that were given up.
func (t *sending) incomplete() error {
	e := &IncompleteError{Receivers: len(t.report.Peers)}
	for i := range t.report.Peers {
		if err, ok := t.report.Peers[i].Err.(*PeerError); ok {
			e.Peers = append(e.Peers, err)
		}
	}
	if len(e.Peers) == 0 {
		return nil
	}
	return e
}
