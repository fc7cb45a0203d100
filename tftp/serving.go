package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A serving is one call of Serve. Its goroutine reads the conn and knows the sessions;
// each transfer has one more.
type serving struct {
	server *Server
	trace  Trace
	conn   *datagram.Conn
	local  netip.AddrPort
	buffer int // the conn's receive buffer

	closing chan struct{} // closed by close
	once    sync.Once

	held heldBudget // of all writes
	gate gate       // for their sinks

	wmu sync.Mutex // held while the conn is written

	mu        sync.Mutex // guards what follows
	sessions  map[netip.AddrPort]*session
	lingering int
	places    places
	short     time.Time     // when a shortage was told last
	drained   chan struct{} // a value when the last session has ended after closing
}

func (s *Server) newServing() *serving {
	v := &serving{
		server: s, gate: make(gate, maxSinks), closing: make(chan struct{}), drained: make(chan struct{}, 1),
		sessions: make(map[netip.AddrPort]*session),
	}
	v.held.left.Store(maxHeld)
	v.places = newPlaces(bound(s.MaxTransfers, DefaultMaxTransfers), bound(s.MaxPerAddress, DefaultMaxPerAddress))
	if s.Trace != nil {
		v.trace = *s.Trace
	}
	return v
}

// close makes the serving answer no more requests.
func (v *serving) close() { v.once.Do(func() { close(v.closing) }) }

func (v *serving) closed() bool {
	select {
	case <-v.closing:
		return true
	default:
		return false
	}
}

const (
	// longestRequest is more than any request that makes sense: RFC 2347 allows 512
	// bytes.
	longestRequest = 2048
	// requestBuffer is the receive buffer that a server would like to have, in bytes,
	// for when all machines boot at once.
	requestBuffer = 4 << 20
)

// serve reads requests until there is a reason to stop, and then waits for the
// transfers.
func (v *serving) serve(ctx context.Context, conn net.PacketConn) error {
	transfers, stop := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	wg.Go(func() { v.watch(reading, stopReading) })

	cfg := datagram.Config{ReadSize: longestRequest, Local: true, NoOffload: v.server.NoOffload}
	if v.server.SinglePort {
		mtu := orDefault(v.server.MTU, DefaultMTU)
		if mtu < 0 {
			mtu = math.MaxInt
		}
		cfg.ReadSize = headerLen(v.server.Wide) + fitting(mtu, netip.IPv4Unspecified(), v.server.Wide)
		cfg.ReadSize = max(cfg.ReadSize, longestRequest)
	}
	v.conn = datagram.Open(reading, conn, cfg)
	v.local = v.conn.LocalAddr()
	v.buffer, _, _ = v.conn.SetBuffers(requestBuffer, 0)

	var sessions sync.WaitGroup
	err := v.loop(transfers, &sessions)
	stopReading(nil)
	if !errors.Is(err, ErrServerClosed) {
		stop(err)
	}
	sessions.Wait()
	stop(nil)
	wg.Wait()
	v.conn.Release()
	if errors.Is(err, ErrServerClosed) {
		return ErrServerClosed
	}
	return fmt.Errorf("tftp: serving: %w", err)
}

// watch ends the reading when the server is shut down: at once where the transfers have
// conns of their own, else after the last of them.
func (v *serving) watch(ctx context.Context, stop context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-v.closing:
	}
	if v.server.SinglePort && !v.empty() {
		select {
		case <-ctx.Done():
			return
		case <-v.drained:
		}
	}
	stop(ErrServerClosed)
}

// empty reports whether there is no session.
func (v *serving) empty() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.sessions) == 0
}

// loop reads the conn.
func (v *serving) loop(ctx context.Context, wg *sync.WaitGroup) error {
	for {
		packets, err := v.conn.Read(time.Time{})
		for _, p := range packets {
			v.arrived(ctx, wg, p)
		}
		if err != nil {
			return err
		}
	}
}

// arrived takes one packet from the conn. Only requests matter here, and, where there
// is no other conn, what belongs to a session. Nothing else is answered, so that nobody
// can make two servers talk to each other.
func (v *serving) arrived(ctx context.Context, wg *sync.WaitGroup, d datagram.Packet) {
	op := Opcode(0)
	if len(d.Data) >= 2 {
		op = Opcode(d.Data[0])<<8 | Opcode(d.Data[1])
	}
	if op == RRQ || op == WRQ {
		v.asked(ctx, wg, d)
		return
	}
	v.mu.Lock()
	s := v.sessions[d.Addr]
	v.mu.Unlock()
	if s != nil && s.branch != nil {
		s.branch.put(d.Data)
		return
	}
	v.bad(d.Addr, ErrUnexpected)
}

// asked takes a request.
func (v *serving) asked(ctx context.Context, wg *sync.WaitGroup, d datagram.Packet) {
	if v.closed() {
		return
	}
	if len(d.Data) > longestRequest {
		v.refuse(d, &peerError{CodeIllegal, "malformed request", ErrLength})
		return
	}
	p, err := ParsePacket(d.Data, v.server.Wide)
	if err != nil {
		v.refuse(d, &peerError{CodeIllegal, "malformed request", err})
		return
	}
	mode, ok := ParseMode(p.Mode)
	if !ok {
		v.refuse(d, &peerError{CodeIllegal, "unknown mode", ErrUnexpected})
		return
	}
	r := &Request{Op: p.Op, Name: p.Name, Mode: mode, Addr: d.Addr, Options: p.Options, Size: -1}
	s, err := v.admit(ctx, d)
	switch {
	case err != nil:
		v.bad(d.Addr, err)
		return
	case s == nil:
		return
	}
	wg.Go(func() {
		v.run(s.ctx, s, r)
		s.cancel(nil)
		if v.forget(s) {
			v.asked(ctx, wg, datagram.Packet{Data: s.asked, Addr: s.client, Local: s.local})
		}
	})
}

// restartable is how long a client must not have been heard in its transfer for the
// same request to begin another one: what is repeated by the network comes sooner.
const restartable = 2 * time.Second

// admit makes a session for a request. It returns nil if the request repeats that of a
// transfer under way, and ErrBusy if there is no room. What lingers is over: the same
// request is a new one then.
func (v *serving) admit(ctx context.Context, d datagram.Packet) (*session, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if old := v.sessions[d.Addr]; old != nil {
		if bytes.Equal(old.asked, d.Data) && !old.lingers && old.idle() < restartable {
			old.repeated()
			return nil, nil
		}
		delete(v.sessions, d.Addr)
		// A transfer that lingers at a port of its own disturbs nobody. The handler of
		// any other may take its time to end, and counts until then.
		if !old.lingers || old.branch != nil {
			old.cancel(ErrReplaced)
		}
	}
	if !v.makeRoom(d.Addr.Addr()) {
		return nil, ferry.ErrBusy
	}
	s := &session{client: d.Addr, local: d.Local, asked: bytes.Clone(d.Data), began: time.Now(), counted: true}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if v.server.SinglePort {
		s.branch = newBranch(s.ctx, v, d.Addr, d.Local)
	}
	v.sessions[d.Addr] = s
	v.places.take(s)
	return s, nil
}

func (v *serving) most() int { return orDefault(v.server.MaxTransfers, DefaultMaxTransfers) }

// makeRoom reports whether there is a place for a client, after another one has yielded its
// own if need be. v.mu is held.
func (v *serving) makeRoom(client netip.Addr) bool {
	ok, victim := v.places.room(time.Now(), client, v.sessions)
	if victim == nil {
		return ok
	}
	v.evict(victim)
	ok, _ = v.places.room(time.Now(), client, v.sessions)
	return ok
}

// errEvicted is what a client hears that has to make room.
var errEvicted = &peerError{CodeUndefined, "the server is full, and this transfer was slow", ErrEvicted}

// evict ends a session and frees its place. Its goroutine waits for the client, and so it
// ends at once. v.mu is held.
func (v *serving) evict(s *session) {
	v.places.leave(s)
	if v.sessions[s.client] == s {
		delete(v.sessions, s.client)
	}
	s.cancel(errEvicted)
}

// forget removes a session whose goroutine ends. It reports whether its request, which came
// again at the end, is to be served again.
func (v *serving) forget(s *session) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.places.leave(s)
	if s.lingers {
		v.lingering--
	}
	current := v.sessions[s.client] == s
	if current {
		delete(v.sessions, s.client)
	}
	if len(v.sessions) == 0 && v.closed() {
		select {
		case v.drained <- struct{}{}:
		default:
		}
	}
	return current && !s.lingers && s.askedAtTheEnd()
}

// settled notes that a transfer is over, but for lingering, and reports whether there
// is room for that: a flood of small files must not leave a conn each behind.
func (v *serving) settled(s *session) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.places.leave(s)
	if v.sessions[s.client] != s || v.lingering >= v.places.max {
		return false
	}
	s.lingers = true
	v.lingering++
	return true
}

// refuse answers a request that cannot be served. The answer is never longer than is
// needed to say why.
func (v *serving) refuse(request datagram.Packet, err error) {
	v.bad(request.Addr, err)
	v.say(request.Addr, request.Local, tell(err))
}

// shortage ignores a request that cannot be served for want of descriptors or memory: the
// client will repeat it, and an ERROR would end its boot. A half-open session makes room.
func (v *serving) shortage(from netip.AddrPort, err error) {
	v.bad(from, fmt.Errorf("%w: %w", ferry.ErrBusy, err))
	now := time.Now()
	v.mu.Lock()
	if s := v.places.oldest(now, &v.places.halfOpen); s != nil {
		v.evict(s)
	}
	due := v.short.IsZero() || now.Sub(v.short) >= shortageTick
	if due {
		v.short = now
	}
	v.mu.Unlock()
	if due && v.trace.Shortage != nil {
		v.trace.Shortage(err)
	}
}

// shortageTick is how often a shortage is told at most.
const shortageTick = time.Minute

// say writes one packet to a client, from the address that it asked.
func (v *serving) say(to netip.AddrPort, local netip.Addr, p Packet) {
	b, err := p.AppendBinary(nil)
	if err == nil {
		_, err = v.write([]datagram.Packet{{Data: b, Addr: to, Local: local}})
	}
	if err != nil && v.trace.WriteFailed != nil {
		v.trace.WriteFailed(to, err)
	}
}

// write sends packets over the conn, for any goroutine.
func (v *serving) write(pkts []datagram.Packet) (int, error) {
	v.wmu.Lock()
	defer v.wmu.Unlock()
	return v.conn.Write(pkts)
}

func (v *serving) bad(from netip.AddrPort, err error) {
	if v.trace.Bad != nil {
		v.trace.Bad(from, err)
	}
}

// localFor returns the address that a transfer answers from: the one that the client asked
// (RFC 1123, section 2.3), where it is known.
func (v *serving) localFor(s *session) netip.AddrPort {
	if s.local.IsValid() {
		return netip.AddrPortFrom(s.local, 0)
	}
	return v.local
}

// blockLimit returns the largest block size that is granted to a client. Without the
// Server's MTU the system is asked for that of the way to the client, which is believed
// only where it is smaller than usual: a large frame may not pass the next router.
func (v *serving) blockLimit(client netip.AddrPort, local netip.Addr, asked []Option) int {
	mtu := v.server.MTU
	switch {
	case mtu < 0:
		mtu = math.MaxInt
	case mtu == 0:
		mtu = DefaultMTU
		if _, ok := wishes(asked)[optBlockSize]; ok {
			mtu = pathMTU(v.conn, local, client)
		}
		mtu -= v.conn.Overhead()
	}
	return fitting(mtu, client.Addr(), v.server.Wide)
}
