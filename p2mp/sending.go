package p2mp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/checksum"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// readBatch is how many packets are read at once.
const readBatch = 32

// readBatches is how many of them are read before something else gets its turn.
const readBatches = 64

// socketBuffer is what a conn's buffers are raised to, where the system allows it.
const socketBuffer = 4 << 20

// A sending is one call of Send. Its methods run in that call's goroutine, which alone
// owns all of it.
type sending struct {
	policy Policy
	join   time.Duration
	giveUp time.Duration
	trace  Trace
	conn   *datagram.Conn
	start  time.Time
	mss    int
	window int

	noOffload  bool
	timer      rtt.Config
	listless   bool       // there is no list of receivers: the group is invited
	invitation invitation // to the group
	minRate    float64

	session  uint64
	offer    hello
	hello    []byte // the HELLO packet
	store    *store
	peers    []peer
	index    map[netip.AddrPort]int // of peers and report.Peers
	classic  classicSending
	crowd    crowd
	report   Report
	stranger netip.AddrPort // the last one that a packet came from
	failure  error          // ends the transfer for all receivers

	poll  poll
	fin   fin
	out   []datagram.Packet // to be written; each Data has a buffer of its own
	bulk  []outgoing        // describes each of out
	share share
	turn  int
}

// A peer is one receiver. Its flight is in use in stage extended.
type peer struct {
	addr    netip.AddrPort
	id      uint32 // that it chose for itself
	stage   stage
	join    join
	timer   rtt.Config
	flight  flight
	aside   bool
	deficit int    // of its share of the rate, where it is served by unicast
	proof   uint32 // the number of the POLL that it joined with; 0: it was on the list
	unsent  error  // the last failure to write to it
	resumed bool   // it held the beginning of the file
	again   bool   // it begins again, because what it held was wrong
}

type stage uint8

const (
	joining  stage = iota // is sent HELLOs
	extended              // has answered one
	classic               // takes part in classicSending
	over                  // has the file, or was given up
)

func (s *Sender) newSending(to []netip.AddrPort, src ferry.Source) (*sending, error) {
	mss := orDefault(s.MSS, DefaultMSS)
	if err := s.check(mss, to, src); err != nil {
		return nil, err
	}
	t := &sending{
		policy: s.Policy,
		join:   orDefault(s.JoinTimeout, DefaultJoinTimeout),
		giveUp: orDefault(s.GiveUp, DefaultGiveUp),
		start:  time.Now(),
		mss:    mss,
		window: orDefault(s.Window, defaultWindow(mss)),
		index:  make(map[netip.AddrPort]int, len(to)),
		share:  newShare(s.Rate, headerLen+mss),

		noOffload: s.NoOffload,
		minRate:   s.MinRate,
	}
	if s.Trace != nil {
		t.trace = *s.Trace
	}
	t.store = newStore(src, mss, t.window)
	t.session = newSession()
	offer := hello{
		session: t.session, version: version,
		name: src.Name, size: src.Size, mode: src.Mode, mss: mss,
		kind: digestSHA256, join: t.join, group: datagram.Canonical(s.Group),
	}
	t.crowd.addr = offer.group
	if len(to) == 0 {
		t.listless = true
		t.invitation.until = t.start.Add(t.join)
	}
	if t.store.at != nil { // a source that is read once cannot skip what a receiver has
		offer.digest = src.SHA256
	}
	t.offer = offer
	t.hello = appendMessage(nil, CategoryHello, &offer)
	t.timer = rtt.Config{Initial: initialTimeout, Fixed: s.Timeout}
	for i, addr := range to {
		addr = datagram.Canonical(addr)
		t.index[addr] = i
		t.peers = append(t.peers, peer{addr: addr, timer: t.timer, join: join{until: t.start.Add(t.join / 2)}})
		t.report.Peers = append(t.report.Peers, PeerReport{Addr: addr})
		if s.Classic {
			t.peers[i].stage = classic
		}
	}
	return t, nil
}

// newSession returns a random number whose ones' complement sum is not zero: otherwise
// it would not change that of a packet.
func newSession() uint64 {
	for {
		var b [8]byte
		rand.Read(b[:]) // never fails
		if checksum.Sum(b[:]) != 0xffff && checksum.Sum(b[:]) != 0 {
			return binary.BigEndian.Uint64(b[:])
		}
	}
}

func (t *sending) send(ctx context.Context, conn net.PacketConn) (Report, error) {
	t.conn = datagram.Open(ctx, conn, datagram.Config{ReadSize: 2048, Batch: readBatch, NoOffload: t.noOffload})
	defer t.conn.Release()
	got, _, _ := t.conn.SetBuffers(socketBuffer, socketBuffer) // as far as it goes; slower without
	t.trace.smallBuffer(got)
	err := t.drain(ctx)
	if err == nil {
		err = t.run(ctx)
	}
	t.goodbye(ctx, err)
	t.report.Elapsed = time.Since(t.start)
	for i := range t.peers {
		r := &t.report.Peers[i]
		t.report.Bytes = max(t.report.Bytes, r.Bytes)
		t.report.Chunks = max(t.report.Chunks, r.Chunks)
		if p := &t.peers[i]; p.flight.timer.Measured() {
			r.RTT = p.flight.timer.SRTT()
		}
	}
	t.classic.fill(&t.report)
	return t.report, err
}

// run does what is due, writes, and reads, until all receivers have the file or were
// given up.
func (t *sending) run(ctx context.Context) error {
	for {
		wake, err := t.work(time.Now())
		if err == nil {
			err = t.flush()
		}
		if err == nil {
			err = t.failure
		}
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("p2mp: sending: %w", context.Cause(ctx))
		}
		if err != nil {
			return err
		}
		if t.over() {
			return t.incomplete()
		}
		if err := t.read(ctx, wake); err != nil {
			return err
		}
	}
}

// read waits for packets and takes all that have arrived, before it is judged who is
// silent: this process itself may have been held up.
func (t *sending) read(ctx context.Context, wake time.Time) error {
	for range readBatches {
		packets, err := t.conn.Read(wake)
		// The context's cause may look like a timeout.
		if err != nil && (ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return fmt.Errorf("p2mp: sending: %w", err)
		}
		now := time.Now()
		for _, p := range packets {
			t.arrived(now, p)
		}
		if len(packets) < readBatch && time.Since(now) < time.Second {
			break
		}
		wake = longAgo
	}
	return nil
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// drain throws away what arrived before: an acknowledgement of an earlier transfer on
// the same conn would pass for one of this.
func (t *sending) drain(ctx context.Context) error {
	for range 1000 {
		if _, err := t.conn.Read(longAgo); err != nil {
			if ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return fmt.Errorf("p2mp: sending: %w", err)
		}
	}
	return nil
}

func (t *sending) over() bool {
	if t.inviting() {
		return false
	}
	for i := range t.peers {
		if t.peers[i].stage != over {
			return false
		}
	}
	return true
}

// work fills the outbox with what is due, and says when more will be.
func (t *sending) work(now time.Time) (wake time.Time, err error) {
	if t.listless {
		if wake, err = t.invite(now); err != nil {
			return wake, err
		}
	}
	undecided := t.inviting()
	for i := range t.peers {
		if t.peers[i].stage == joining {
			wake = earlier(wake, t.greet(now, i))
			undecided = undecided || t.peers[i].stage == joining
		}
	}
	for {
		w, err := t.workChannels(now, undecided)
		if err != nil || !t.share.exhausted(now) {
			return earlier(wake, w), err
		}
		t.share.refill(&t.classic.deficit)
		t.share.refill(&t.crowd.deficit)
		for i := range t.peers {
			t.share.refill(&t.peers[i].deficit)
		}
	}
}

// workChannels does what is due in each channel: the lock-step, the group, and the receivers
// that are served by unicast.
func (t *sending) workChannels(now time.Time, undecided bool) (wake time.Time, err error) {
	if !undecided {
		if wake, err = t.workClassic(now); err != nil {
			return wake, err
		}
	}
	if t.store.at == nil {
		if undecided {
			return wake, nil // who comes after the first chunk comes too late
		}
		if err := t.readAhead(); err != nil {
			return wake, err
		}
	}
	if t.crowd.addr.IsValid() {
		w, err := t.workCrowd(now, undecided)
		if err != nil {
			return wake, err
		}
		wake = earlier(wake, w)
	}
	// Not always the same one first: there may be a rate to share.
	t.turn++
	for k := range t.peers {
		i := (k + t.turn) % len(t.peers)
		if t.peers[i].stage == extended && !t.peers[i].flight.grouped {
			w, err := t.stream(now, i)
			if err != nil {
				return wake, err
			}
			wake = earlier(wake, w)
		}
	}
	return wake, nil
}

// greet sends a HELLO when one is due.
func (t *sending) greet(now time.Time, i int) (wake time.Time) {
	p := &t.peers[i]
	send, exhausted, wake := p.join.next(now)
	switch {
	case exhausted && p.join.busy:
		t.drop(i, &PeerError{Addr: p.addr, Seq: 1, Err: &AbortError{ReasonBusy}})
		return now
	case exhausted:
		t.becomeClassic(i)
		return now
	}
	if send {
		t.post(i, t.helloTo(p))
	}
	return wake
}

// helloTo returns the HELLO for a receiver. It shows the token of one that was busy.
func (t *sending) helloTo(p *peer) []byte {
	if p.join.token == 0 {
		return t.hello
	}
	h := t.offer
	h.token = p.join.token
	return appendMessage(nil, CategoryHello, &h)
}
