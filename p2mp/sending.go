package p2mp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry/checksum"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// outboxSize is how many packets are written at once.
const outboxSize = 32

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

	session  uint64
	hello    []byte // the HELLO packet
	store    *store
	peers    []peer
	index    map[netip.AddrPort]int // of peers and report.Peers
	classic  classicSending
	report   Report
	stranger netip.AddrPort // the last one that a packet came from
	failure  error          // what ends the transfer for all

	poll     poll
	fin      fin
	out      []datagram.Packet // to be written; each Data has a buffer of its own
	bulk     []outgoing        // what each of out is
	rate     float64           // bytes per second; 0: any
	rateNext time.Time         // when the rate allows the next chunk
	turn     int
}

// A peer is one receiver. Its flight is in use in stage extended.
type peer struct {
	addr   netip.AddrPort
	id     uint32 // that it chose for itself
	stage  stage
	join   join
	timer  rtt.Config
	flight flight
	aside  bool
	unsent error // the last failure to write to it
}

type stage uint8

const (
	joining  stage = iota // is sent HELLOs
	extended              // has answered one
	classic               // takes part in classicSending
	over                  // has the file, or was given up
)

// outgoing is what a packet in the outbox is, for the counters.
type outgoing struct {
	peer   int
	seq    uint32 // 0: no DATA
	length int
	again  bool
}

func (s *Sender) newSending(to []netip.AddrPort, src Source) (*sending, error) {
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
		rate:   s.Rate / 8,
	}
	if s.Trace != nil {
		t.trace = *s.Trace
	}
	t.store = newStore(src, mss, t.window)
	t.session = newSession()
	offer := hello{
		session: t.session, version: version,
		name: src.Name, size: src.Size, mode: src.Mode, mss: mss,
		kind: digestSHA256, join: t.join,
	}
	if t.store.at != nil { // a source that is read once cannot skip what a receiver has
		offer.digest = src.SHA256
	}
	t.hello = appendMessage(nil, CategoryHello, &offer)
	timer := rtt.Config{Initial: initialTimeout, Fixed: s.Timeout}
	for i, addr := range to {
		addr = datagram.Canonical(addr)
		t.index[addr] = i
		t.peers = append(t.peers, peer{addr: addr, timer: timer, join: join{until: t.start.Add(t.join / 2)}})
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
	t.conn = datagram.Open(ctx, conn, datagram.Config{ReadSize: 2048, Batch: readBatch})
	defer t.conn.Release()
	t.conn.SetBuffers(socketBuffer, socketBuffer) // as far as it goes; slower without
	err := t.drain(ctx)
	if err == nil {
		err = t.run(ctx)
	}
	if err != nil {
		t.goodbye(ctx)
	}
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
	for i := range t.peers {
		if t.peers[i].stage != over {
			return false
		}
	}
	return true
}

// work fills the outbox with what is due, and says when more will be.
func (t *sending) work(now time.Time) (wake time.Time, err error) {
	undecided := false
	for i := range t.peers {
		if t.peers[i].stage == joining {
			wake = earlier(wake, t.greet(now, i))
			undecided = undecided || t.peers[i].stage == joining
		}
	}
	if !undecided {
		w, err := t.workClassic(now)
		if err != nil {
			return wake, err
		}
		wake = earlier(wake, w)
	}
	if t.store.at == nil {
		if undecided {
			return wake, nil // who comes after the first chunk comes too late
		}
		if err := t.readAhead(); err != nil {
			return wake, err
		}
	}
	// Not always the same one first: there may be a rate to share.
	t.turn++
	for k := range t.peers {
		i := (k + t.turn) % len(t.peers)
		if t.peers[i].stage == extended {
			w, err := t.stream(now, i)
			if err != nil {
				return wake, err
			}
			wake = earlier(wake, w)
		}
	}
	return wake, nil
}

// readAhead reads from a source that is read once what can be sent next.
func (t *sending) readAhead() error {
	var next uint32
	for i := range t.peers {
		if p := &t.peers[i]; p.stage == extended {
			next = max(next, p.flight.next)
		}
	}
	if next == 0 {
		return nil
	}
	upTo := min(uint64(next)+outboxSize, uint64(t.lowest())+uint64(t.window), math.MaxUint32)
	if uint64(next)+outboxSize > math.MaxUint32 {
		upTo = math.MaxUint32 // and the store says when that is not enough
	}
	return t.store.fill(uint32(upTo))
}

// lowest is the last chunk that all receivers that still take part hold.
func (t *sending) lowest() uint32 {
	low, _ := t.store.chunks()
	if t.store.size < 0 {
		low = t.store.count
	}
	for i := range t.peers {
		if p := &t.peers[i]; p.stage == extended {
			low = min(low, p.flight.cum)
		}
	}
	if t.classic.active() {
		low = min(low, t.classic.steps.held())
	}
	return low
}

// greet sends a HELLO when one is due.
func (t *sending) greet(now time.Time, i int) (wake time.Time) {
	p := &t.peers[i]
	send, exhausted, wake := p.join.next(now)
	if exhausted {
		t.becomeClassic(i)
		return now
	}
	if send {
		t.post(outgoing{peer: i}, t.hello)
	}
	return wake
}

// stream sends an extended receiver what its flight says, a batch at a time.
func (t *sending) stream(now time.Time, i int) (wake time.Time, err error) {
	p := &t.peers[i]
	if t.policy != Wait {
		if since, silent := p.flight.unanswered(); silent {
			wake = since.Add(t.giveUp)
			if !now.Before(wake) {
				t.dropSilent(i, ErrSilent)
				return now, nil
			}
		}
		if since := p.flight.owed; !since.IsZero() && !now.Before(since.Add(t.giveUp)) {
			t.dropSilent(i, ErrStalled)
			return now, nil
		}
	}
	f := &p.flight
	total, known := t.store.chunks()
	for range outboxSize {
		what, seq, w := f.act(now, t.store.available(), known)
		switch {
		case what == nothing:
			return earlier(wake, w), nil
		case what != askPoll && t.rate > 0 && t.rateNext.After(now):
			f.limited = true
			return earlier(wake, f.earliest(t.rateNext)), nil
		}
		switch what {
		case askPoll:
			if f.silent == asideAfter && !p.aside {
				p.aside = true
				if t.trace.SetAside != nil {
					t.trace.SetAside(p.addr)
				}
			}
			if err := t.ask(now, i, known && f.next > total || known && f.next == 0); err != nil {
				return wake, err
			}
		default:
			if err := t.postChunk(now, i, seq, what == oldChunk); err != nil {
				return wake, err
			}
			f.sent(now, seq)
		}
	}
	return now, nil // there is more, after the others' turn
}

// ask polls a receiver; the poll is a FIN where all chunks were sent.
func (t *sending) ask(now time.Time, i int, all bool) error {
	f := &t.peers[i].flight
	if f.waiting && t.trace.Timeout != nil && !now.Before(f.pollDue) {
		t.trace.Timeout(t.peers[i].addr, f.cum+1)
	}
	if !all {
		number := f.asked(now)
		t.poll = poll{session: t.session, number: number, highest: f.next - 1}
		t.postMessage(i, CategoryPoll, &t.poll)
		return nil
	}
	digest, err := t.store.digest()
	if err != nil {
		return err
	}
	number := f.asked(now)
	f.ending(now, number)
	t.fin = fin{session: t.session, number: number, rto: f.timer.RTO(), size: t.store.size, digest: digest}
	t.postMessage(i, CategoryFin, &t.fin)
	return nil
}

// post puts a packet into the outbox.
func (t *sending) post(o outgoing, packet []byte) {
	b := t.buffer()
	t.out[len(t.out)-1] = datagram.Packet{Data: append(b, packet...), Addr: t.peers[o.peer].addr}
	t.bulk = append(t.bulk, o)
}

// postMessage puts a packet of the extended mode into the outbox.
func (t *sending) postMessage(i int, c Category, body message) {
	b := t.buffer()
	t.out[len(t.out)-1] = datagram.Packet{Data: appendMessage(b, c, body), Addr: t.peers[i].addr}
	t.bulk = append(t.bulk, outgoing{peer: i})
}

// postChunk puts a chunk of the file into the outbox.
func (t *sending) postChunk(now time.Time, i int, seq uint32, again bool) error {
	b := t.buffer()[:headerLen+t.mss]
	n, err := t.store.chunk(seq, b[headerLen:])
	if err != nil {
		t.out = t.out[:len(t.out)-1]
		return err
	}
	b = b[:headerLen+n]
	binary.BigEndian.PutUint32(b, seq)
	binary.BigEndian.PutUint32(b[4:], uint32(CategoryData)) // and a checksum of zero
	seal(b, t.session)
	t.out[len(t.out)-1] = datagram.Packet{Data: b, Addr: t.peers[i].addr}
	t.bulk = append(t.bulk, outgoing{peer: i, seq: seq, length: n, again: again})
	t.spend(now, len(b))
	return nil
}

// spend takes n bytes from what the rate allows.
func (t *sending) spend(now time.Time, n int) {
	if t.rate <= 0 {
		return
	}
	// What was not used may be made up for, within bounds.
	if floor := now.Add(-20 * time.Millisecond); t.rateNext.Before(floor) {
		t.rateNext = floor
	}
	t.rateNext = t.rateNext.Add(time.Duration(float64(n) / t.rate * float64(time.Second)))
}

// buffer adds an entry to the outbox and returns its empty buffer. The outbox is
// written first if it is full. Buffers are used again and again.
func (t *sending) buffer() []byte {
	if t.out == nil {
		t.out = make([]datagram.Packet, 0, outboxSize)
	}
	if len(t.out) == outboxSize {
		if err := t.flush(); err != nil && t.failure == nil {
			t.failure = err
		}
	}
	n := len(t.out)
	t.out = t.out[:n+1]
	if t.out[n].Data == nil {
		t.out[n].Data = make([]byte, 0, headerLen+max(t.mss, len(t.hello)))
	}
	return t.out[n].Data[:0]
}

// flush writes the outbox.
func (t *sending) flush() error {
	defer func() { t.out, t.bulk = t.out[:0], t.bulk[:0] }()
	for done := 0; done < len(t.out); {
		n, err := t.conn.Write(t.out[done:])
		for _, o := range t.bulk[done : done+n] {
			t.sent(o)
		}
		done += n
		if err == nil {
			continue
		}
		if err := t.writeFailed(t.bulk[done].peer, err); err != nil {
			return err
		}
		done++
	}
	return nil
}

// sent counts a packet that left.
func (t *sending) sent(o outgoing) {
	if o.seq == 0 {
		return
	}
	r := &t.report.Peers[o.peer]
	r.Sent++
	if o.again {
		r.SentAgain++
	}
	if t.trace.Sent != nil {
		t.trace.Sent(r.Addr, o.seq, o.length, o.again)
	}
}

// writeFailed sorts what ends the transfer from what loses one packet.
func (t *sending) writeFailed(i int, err error) error {
	p := &t.peers[i]
	switch {
	case datagram.Fatal(err):
		return fmt.Errorf("p2mp: sending: %w", err)
	case datagram.TooLong(err) && p.stage != over:
		err = fmt.Errorf("an MSS of %d bytes is too long for the way: %w", t.mss, err)
		t.leaveClassic(i)
		t.drop(i, &PeerError{Peer: p.addr, Seq: t.report.Peers[i].Chunks + 1, Err: err})
		return nil
	}
	p.unsent = &writeError{err}
	if t.trace.WriteFailed != nil {
		t.trace.WriteFailed(p.addr, err)
	}
	return nil
}

// goodbye tells receivers of the extended mode that nothing more will come.
func (t *sending) goodbye(ctx context.Context) {
	reason := ReasonCanceled
	if ctx.Err() == nil && t.failure == nil {
		reason = ReasonSource
	}
	t.out, t.bulk = t.out[:0], t.bulk[:0]
	for i := range t.peers {
		if p := &t.peers[i]; p.stage == extended || p.stage == joining && p.join.tries > 0 {
			t.tell(i, reason)
		}
	}
	t.flush() // it has failed already
}

func (t *sending) tell(i int, reason Reason) {
	t.postMessage(i, CategoryAbort, &abort{t.session, reason})
}
