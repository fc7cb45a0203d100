package tftp

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// A session is one transfer at a server, from the request to its end. Its goroutine owns the
// embedded transfer. The dispatcher owns the first
// group of fields, under its mutex. Both use the atomic ones.
type session struct {
	transfer
	d *dispatcher

	client  netip.AddrPort
	local   netip.Addr // the address of this host that the client asked; zero: unknown
	asked   []byte     // the request as it arrived
	began   time.Time
	cancel  context.CancelCauseFunc
	share   *connShare // in single-port mode
	counted bool       // against the server's bounds
	lingers bool       // over, except for lingering

	inAll, inHost *list.Element // in the lists of half-open sessions; nil: in none

	// How much was acknowledged at a time, to find slow transfers.
	marked     time.Time
	markedSize int64

	opened     atomic.Bool            // the handler has returned, and the transfer has its conn
	wake       atomic.Pointer[func()] // ends a read of the transfer; nil before it has its conn
	progress   atomic.Int64           // bytes of the file that were acknowledged
	repeatedAt atomic.Int64           // when the request was repeated, since began; 0: never
	heardAt    atomic.Int64           // when the client was last heard, since began; 0: never

	closeConn func()        // of the transfer's own conn; nil: it has none
	opening   rtt.Estimator // what the OACK showed of the round trip
}

// record notes that the client was heard, and how much it has acknowledged.
func (s *session) record(bytes int64) {
	s.heardAt.Store(s.age())
	s.progress.Store(bytes)
}

// repeated notes that the request was repeated, and wakes the transfer.
func (s *session) repeated() {
	s.repeatedAt.Store(s.age())
	if wake := s.wake.Load(); wake != nil {
		(*wake)()
	}
}

// age is the time since the session began, in nanoseconds; never 0.
func (s *session) age() int64 { return max(1, int64(time.Since(s.began))) }

// verified reports whether the client has answered, which proves its address.
func (s *session) verified() bool { return s.heardAt.Load() != 0 }

// idle is how long the client has not been heard, 0 if it has not answered yet.
func (s *session) idle() time.Duration {
	h := time.Duration(s.heardAt.Load())
	if h == 0 {
		return 0
	}
	return time.Since(s.began) - h
}

// askedAtTheEnd reports whether the request was repeated so shortly before now, the end of
// the transfer, that it is a new one: the client had sent its last packet, and this side had
// not processed that packet yet.
func (s *session) askedAtTheEnd() bool {
	at := s.repeatedAt.Load()
	return at != 0 && time.Duration(s.age()-at) < atTheEnd
}

// atTheEnd is longer than the time from the arrival of a packet to its processing, and
// shorter than the time after which clients repeat a request.
const atTheEnd = 50 * time.Millisecond

// run serves the request.
func (s *session) run(r *Request) {
	srv := s.d.server
	s.transfer.session, s.transfer.request = s, r
	s.peer, s.start, s.heard, s.trace = s.client, s.began, s.began, s.d.trace
	s.num = numbering{wide: srv.Wide, toOne: srv.RollToOne}
	s.giveUp = waitTime(srv.GiveUp, DefaultServerGiveUp)
	s.joinTimeout = min(s.giveUp, orDefault(max(0, srv.GiveUp), DefaultServerGiveUp)) / 3
	s.budget.Grant(unverifiedPackets, unverifiedBytes)
	s.report = Report{Addr: s.client, Size: -1}
	defer func() {
		if s.closeConn != nil {
			s.closeConn()
		}
	}()
	err := s.guard(s.serve)
	if cause := context.Cause(s.ctx); err != nil && errors.Is(cause, ErrReplaced) && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err) // an Opener may return an error of its own then
	}
	if s.link == nil && isShortage(err) {
		s.d.shortage(s.client, err)
		return
	}
	if err != nil {
		err = fmt.Errorf("tftp: %v: %w", r.Op, err)
		if s.link != nil {
			s.fail(err)
		} else if !errors.Is(err, ErrReplaced) {
			s.d.writePacket(s.client, s.local, errorPacket(err))
		}
	}
	s.finish(err)
	s.d.server.count(func(st *Stats) { st.add(s.report, err) })
}

// guard calls f and turns a panic into an error.
func (s *session) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("tftp: panic in a handler: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

func (s *session) serve() error {
	if s.request.Op == WRQ {
		return s.write()
	}
	return s.read()
}

// use has the transfer use a link, whose reads end when the request is repeated.
func (s *session) use(l link) {
	s.link = l
	wake := l.Wake
	s.wake.Store(&wake)
}

// open opens the transfer's conn.
func (s *session) open(cfg datagram.Config, buffer int) error {
	s.heard = time.Now() // without the time of the handler
	defer s.opened.Store(true)
	if s.share != nil {
		s.use(s.share)
		return nil
	}
	pc, err := s.d.server.listen(s.ctx, s.d.localFor(s))
	if err != nil {
		return fmt.Errorf("tftp: opening a port for a transfer: %w", err)
	}
	cfg.NoOffload = s.d.server.NoOffload
	conn := datagram.Open(s.ctx, pc, cfg)
	_, _, _ = conn.SetBuffers(buffer, 0)
	s.use(conn)
	s.closeConn = func() {
		conn.Release()
		_ = pc.Close()
	}
	return nil
}

// read serves an RRQ. The file is opened before anything is answered, because some clients
// do not expect an ERROR after the OACK.
func (s *session) read() error {
	if s.d.server.Opener == nil {
		return fmt.Errorf("tftp: the server sends no files: %w", fs.ErrPermission)
	}
	src, err := s.d.server.Opener.Open(s.ctx, ferry.Request{Addr: s.client, Name: s.request.Name})
	if err != nil {
		return err
	}
	if c, ok := src.R.(io.Closer); ok {
		defer c.Close()
	}
	if src.R == nil {
		return errors.New("tftp: the opener returned no reader")
	}
	set, answer := grant(s.request.Options, limits{
		blockSize: s.d.blockLimit(s),
		window:    func(blockSize int) int { return min(s.d.maxWindow(), windowFor(usualBuffer, blockSize)) },
		size:      src.Size, op: RRQ, netascii: s.request.Mode == Netascii,
	})
	if err := s.open(datagram.Config{ReadSize: smallPacket, Batch: batchFor(set.WindowSize, s.num.wide)}, s.ackBuffer()); err != nil {
		return err
	}
	s.accepted(set)
	if len(answer) > 0 {
		if err := s.offer(set, answer); err != nil || s.report.Probe {
			return err
		}
	}
	out := newSender(&s.transfer, src, strategyFor(s.num.wide, s.d.server.Strategy, set), set)
	if s.opening.Measured() {
		out.out.timer.Sample(s.opening.SRTT())
	}
	return out.run()
}

// offer sends an OACK until the client acknowledges it as block 0. A client that wants only
// the size of the file ends the transfer with error 8 instead.
func (s *session) offer(set Settings, answer []Option) error {
	b, err := Packet{Op: OACK, Options: answer}.AppendBinary(nil)
	if err != nil {
		return err
	}
	h := &handshake{budget: &s.budget, length: len(b)}
	h.timer.Config = senderTimer(set)
	_, err = s.transfer.handshake(h, b, func(p Packet) (bool, error) { return p.Op == ACK && p.Block == 0, nil })
	if s.peerErr != nil && s.peerErr.Code == CodeOption {
		s.report.Probe = true
		return nil
	}
	s.opening = h.timer
	s.noteHeard()
	return err
}

// write serves a WRQ.
func (s *session) write() error {
	if n := wishes(s.request.Options)[optSize]; n > 0 {
		s.request.Size = n // some clients announce 0 where they do not know the size
	}
	if s.d.server.Handler == nil {
		return fmt.Errorf("tftp: the server accepts no files: %w", fs.ErrPermission)
	}
	sink, err := s.d.accept(ferry.Offer{Addr: s.client, Name: s.request.Name, Size: s.request.Size})
	if err != nil {
		return err
	}
	buffer, window := usualBuffer, s.d.maxWindow()
	if s.share != nil {
		buffer, window = s.d.buffer, min(window, shareQueue)
	}
	set, answer := grant(s.request.Options, limits{
		blockSize: s.d.blockLimit(s),
		window:    func(blockSize int) int { return min(window, windowFor(buffer, blockSize)) },
		op:        WRQ, netascii: s.request.Mode == Netascii,
	})
	cfg := datagram.Config{
		ReadSize: headerLen(s.num.wide) + max(set.BlockSize, smallPacket),
		Batch:    batchFor(set.WindowSize, s.num.wide), Join: worthJoining(set.WindowSize, s.num.wide),
	}
	if err := s.open(cfg, s.writeBuffer(set)); err != nil {
		sink.Abort(err)
		return err
	}
	s.accepted(set)
	var opener []byte
	if len(answer) > 0 {
		opener, _ = Packet{Op: OACK, Options: answer}.AppendBinary(nil)
	}
	in := newReceiver(&s.transfer, sink, set, opener)
	if in.size >= 0 {
		in.size = s.request.Size
	}
	in.in.budget = &s.d.held
	defer in.in.release()
	if err := in.run(); err != nil {
		return err
	}
	s.finish(nil)
	room := s.d.startLinger(s)
	if d := orDefault(s.d.server.Linger, DefaultServerLinger); d > 0 && room {
		in.linger(d)
	}
	return nil
}

// writeBuffer is the size of the receive buffer that a write asks for.
func (s *session) writeBuffer(set Settings) int {
	if s.num.wide {
		return wideBuffer
	}
	return set.WindowSize * footprint(set.BlockSize)
}
