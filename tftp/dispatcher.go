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

// A dispatcher is one call of Serve. Its goroutine reads the conn, and begins a session, with
// another goroutine, for each request.
type dispatcher struct {
	server *Server
	trace  Trace
	conn   *datagram.Conn
	local  netip.AddrPort
	buffer int // the size of the conn's receive buffer

	closing chan struct{} // closed by close
	once    sync.Once

	held heldBudget // of all writes
	gate gate       // for their sinks

	wmu sync.Mutex // held while the conn is written

	mu        sync.Mutex // guards what follows
	sessions  map[netip.AddrPort]*session
	lingering int
	places    places
	short     time.Time     // when Trace.Shortage was last called
	drained   chan struct{} // a value when the last session has ended after closing
}

func (s *Server) newDispatcher() *dispatcher {
	d := &dispatcher{
		server: s, gate: make(gate, maxSinks), closing: make(chan struct{}), drained: make(chan struct{}, 1),
		sessions: make(map[netip.AddrPort]*session),
	}
	d.held.left.Store(maxHeld)
	d.places = newPlaces(bound(s.MaxTransfers, DefaultMaxTransfers), bound(s.MaxPerAddress, DefaultMaxPerAddress))
	if s.Trace != nil {
		d.trace = *s.Trace
	}
	return d
}

// close has the dispatcher ignore all further requests.
func (d *dispatcher) close() { d.once.Do(func() { close(d.closing) }) }

func (d *dispatcher) closed() bool {
	select {
	case <-d.closing:
		return true
	default:
		return false
	}
}

const (
	// maxRequest is longer than any valid request: RFC 2347 allows 512 bytes.
	maxRequest = 2048
	// requestBuffer is the size of the receive buffer that a server asks for, in bytes. It is
	// for many machines that boot at the same time.
	requestBuffer = 4 << 20
)

// serve reads requests until the context ends, the server is shut down or the conn fails. Then
// it waits for the sessions.
func (d *dispatcher) serve(ctx context.Context, conn net.PacketConn) error {
	transfers, stop := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	wg.Go(func() { d.watch(reading, stopReading) })

	cfg := datagram.Config{ReadSize: maxRequest, Local: true, NoOffload: d.server.NoOffload}
	if d.server.SinglePort {
		cfg.ReadSize = max(maxRequest, headerLen(d.server.Wide)+fitting(d.maxMTU(), netip.IPv4Unspecified(), d.server.Wide))
	}
	d.conn = datagram.Open(reading, conn, cfg)
	d.local = d.conn.LocalAddr()
	d.buffer, _, _ = d.conn.SetBuffers(requestBuffer, 0)

	var sessions sync.WaitGroup
	err := d.loop(transfers, &sessions)
	stopReading(nil)
	if !errors.Is(err, ErrServerClosed) {
		stop(err)
	}
	sessions.Wait()
	stop(nil)
	wg.Wait()
	d.conn.Release()
	if errors.Is(err, ErrServerClosed) {
		return ErrServerClosed
	}
	return fmt.Errorf("tftp: serving: %w", err)
}

// watch ends the reading after the server was shut down: at once if the transfers have conns
// of their own, otherwise after the last transfer.
func (d *dispatcher) watch(ctx context.Context, stop context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-d.closing:
	}
	if d.server.SinglePort && !d.empty() {
		select {
		case <-ctx.Done():
			return
		case <-d.drained:
		}
	}
	stop(ErrServerClosed)
}

// empty reports whether the dispatcher has no sessions.
func (d *dispatcher) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions) == 0
}

// loop reads the conn.
func (d *dispatcher) loop(ctx context.Context, wg *sync.WaitGroup) error {
	for {
		packets, err := d.conn.Read(time.Time{})
		for _, p := range packets {
			d.arrived(ctx, wg, p)
		}
		if err != nil {
			return err
		}
	}
}

// arrived handles one packet: a request, or, in single-port mode, a packet of a session. No
// other packet is answered, so that a forged packet cannot make two servers answer each other
// (CVE-2024-2169).
func (d *dispatcher) arrived(ctx context.Context, wg *sync.WaitGroup, p datagram.Packet) {
	op := Opcode(0)
	if len(p.Data) >= 2 {
		op = Opcode(p.Data[0])<<8 | Opcode(p.Data[1])
	}
	if op == RRQ || op == WRQ {
		d.handle(ctx, wg, p)
		return
	}
	d.mu.Lock()
	s := d.sessions[p.Addr]
	d.mu.Unlock()
	if s != nil && s.share != nil {
		s.share.put(p.Data)
		return
	}
	d.ignored(p.Addr, ErrUnexpected)
}

// handle begins the session of a request.
func (d *dispatcher) handle(ctx context.Context, wg *sync.WaitGroup, p datagram.Packet) {
	if d.closed() {
		return
	}
	r, err := d.parse(p)
	if err != nil {
		d.refuse(p, err)
		return
	}
	s, err := d.admit(ctx, p)
	if err != nil {
		d.server.count(func(st *Stats) { st.Busy++ })
		d.ignored(p.Addr, err)
	}
	if s == nil {
		return
	}
	d.server.count(func(st *Stats) { st.Accepted++ })
	wg.Go(func() {
		s.run(r)
		s.cancel(nil)
		if d.remove(s) {
			d.handle(ctx, wg, datagram.Packet{Data: s.asked, Addr: s.client, Local: s.local})
		}
	})
}

// parse decodes a request.
func (d *dispatcher) parse(p datagram.Packet) (*Request, error) {
	if len(p.Data) > maxRequest {
		return nil, &peerError{CodeIllegal, "malformed request", ErrLength}
	}
	q, err := ParsePacket(p.Data, d.server.Wide)
	if err != nil {
		return nil, &peerError{CodeIllegal, "malformed request", err}
	}
	mode, ok := ParseMode(q.Mode)
	if !ok {
		return nil, &peerError{CodeIllegal, "unknown mode", ErrUnexpected}
	}
	return &Request{Op: q.Op, Name: q.Name, Mode: mode, Addr: p.Addr, Options: q.Options, Size: -1}, nil
}

// restartable is how long a client must have been silent in its transfer so that the same
// request begins another one. Copies that the network made arrive earlier.
const restartable = 2 * time.Second

// admit makes a session for a request. It returns nil if the request repeats that of a
// transfer in progress, and ferry.ErrBusy if there is no room. A transfer that only lingers
// is over, so the same request is then a new one.
func (d *dispatcher) admit(ctx context.Context, p datagram.Packet) (*session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.sessions[p.Addr]; old != nil {
		if bytes.Equal(old.asked, p.Data) && !old.lingers && old.idle() < restartable {
			old.repeated()
			return nil, nil
		}
		delete(d.sessions, p.Addr)
		// A transfer that lingers at another port may continue. Any other ends, and keeps its
		// place until its handler returns.
		if !old.lingers || old.share != nil {
			old.cancel(ErrReplaced)
		}
	}
	if !d.makeRoom(p.Addr.Addr()) {
		return nil, ferry.ErrBusy
	}
	s := &session{d: d, client: p.Addr, local: p.Local, asked: bytes.Clone(p.Data), began: time.Now()}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if d.server.SinglePort {
		s.share = newConnShare(s.ctx, d, p.Addr, p.Local)
	}
	d.sessions[p.Addr] = s
	d.places.take(s)
	return s, nil
}

// makeRoom reports whether there is a place for a client, and evicts another session for it if
// necessary. d.mu is held.
func (d *dispatcher) makeRoom(client netip.Addr) bool {
	ok, victim := d.places.room(time.Now(), client, d.sessions)
	if victim == nil {
		return ok
	}
	d.evict(victim)
	ok, _ = d.places.room(time.Now(), client, d.sessions)
	return ok
}

// errEvicted is the error of a session that was evicted, and what its client is told.
var errEvicted = &peerError{CodeUndefined, "the server is full, and this transfer was slow", ErrEvicted}

// evict ends a session and frees its place. The session's goroutine waits for the client, so
// it ends at once. d.mu is held.
func (d *dispatcher) evict(s *session) {
	d.places.leave(s)
	if d.sessions[s.client] == s {
		delete(d.sessions, s.client)
	}
	s.cancel(errEvicted)
}

// remove removes a session whose goroutine ends. It reports whether the request, which was
// repeated at the end, must be handled again.
func (d *dispatcher) remove(s *session) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.places.leave(s)
	if s.lingers {
		d.lingering--
	}
	current := d.sessions[s.client] == s
	if current {
		delete(d.sessions, s.client)
	}
	if len(d.sessions) == 0 && d.closed() {
		select {
		case d.drained <- struct{}{}:
		default:
		}
	}
	return current && !s.lingers && s.askedAtTheEnd()
}

// startLinger frees the place of a transfer that is over, and reports whether it may linger.
// The number of those that linger is bounded: each has a conn.
func (d *dispatcher) startLinger(s *session) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.places.leave(s)
	if d.sessions[s.client] != s || d.lingering >= d.places.max {
		return false
	}
	s.lingers = true
	d.lingering++
	return true
}

// stats returns the number of transfers in progress, and of those that linger.
func (d *dispatcher) stats() (transfers, lingering int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.places.used, d.lingering
}

// shortage ignores a request that cannot be served for lack of descriptors or memory: the
// client will repeat it, and an ERROR would end its boot. A half-open session makes room.
func (d *dispatcher) shortage(from netip.AddrPort, err error) {
	d.server.count(func(st *Stats) { st.Busy++ })
	d.ignored(from, fmt.Errorf("%w: %w", ferry.ErrBusy, err))
	now := time.Now()
	d.mu.Lock()
	if s := d.places.oldest(now, &d.places.halfOpen); s != nil {
		d.evict(s)
	}
	due := d.short.IsZero() || now.Sub(d.short) >= shortageTick
	if due {
		d.short = now
	}
	d.mu.Unlock()
	if due && d.trace.Shortage != nil {
		d.trace.Shortage(err)
	}
}

// shortageTick is the shortest time between two calls of Trace.Shortage.
const shortageTick = time.Minute

// refuse answers a request that cannot be served. The answer is short.
func (d *dispatcher) refuse(request datagram.Packet, err error) {
	d.server.count(func(st *Stats) { st.Failed++ })
	d.ignored(request.Addr, err)
	d.writePacket(request.Addr, request.Local, errorPacket(err))
}

// writePacket writes one packet to a client, from the address that the client asked.
func (d *dispatcher) writePacket(to netip.AddrPort, local netip.Addr, p Packet) {
	b, err := p.AppendBinary(nil)
	if err == nil {
		_, err = d.write([]datagram.Packet{{Data: b, Addr: to, Local: local}})
	}
	if err != nil && d.trace.WriteFailed != nil {
		d.trace.WriteFailed(PacketEvent{Addr: to, Err: err})
	}
}

// write sends packets over the conn. Any goroutine may call it.
func (d *dispatcher) write(pkts []datagram.Packet) (int, error) {
	d.wmu.Lock()
	defer d.wmu.Unlock()
	return d.conn.Write(pkts)
}

func (d *dispatcher) ignored(from netip.AddrPort, err error) {
	if d.trace.Ignored != nil {
		d.trace.Ignored(PacketEvent{Addr: from, Err: err})
	}
}

// localFor returns the address from which a session answers: the one that the client asked
// (RFC 1123, section 2.3), if it is known.
func (d *dispatcher) localFor(s *session) netip.AddrPort {
	if s.local.IsValid() {
		return netip.AddrPortFrom(s.local, 0)
	}
	return d.local
}

// maxMTU is the longest IP packet that the server's options allow.
func (d *dispatcher) maxMTU() int {
	if d.server.MTU < 0 {
		return math.MaxInt
	}
	return orDefault(d.server.MTU, DefaultMTU)
}

// blockLimit returns the largest block size that is granted to a client. If the Server has no
// MTU, the system is asked for that of the path. A larger one than usual is not believed: the
// next router may not take a large frame.
func (d *dispatcher) blockLimit(s *session) int {
	mtu := d.maxMTU()
	if _, asked := wishes(s.request.Options)[optBlockSize]; asked && d.server.MTU == 0 {
		mtu = pathMTU(d.conn, s.local, s.client)
	}
	return fitting(mtu-d.conn.Overhead(), s.client.Addr(), d.server.Wide)
}

func (d *dispatcher) maxWindow() int {
	return max(1, orDefault(d.server.MaxWindow, DefaultMaxWindow))
}
