package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

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

	wmu sync.Mutex // held while the conn is written

	mu        sync.Mutex // guards what follows
	sessions  map[netip.AddrPort]*session
	active    int
	lingering int
	perAddr   map[netip.Addr]int
	drained   chan struct{} // a value when the last session has ended after closing
}

func (s *Server) newServing() *serving {
	v := &serving{
		server: s, closing: make(chan struct{}), drained: make(chan struct{}, 1),
		sessions: make(map[netip.AddrPort]*session), perAddr: make(map[netip.Addr]int),
	}
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

	cfg := datagram.Config{ReadSize: longestRequest, NoOffload: v.server.NoOffload}
	if v.server.SinglePort {
		cfg.ReadSize = headerLen(v.server.Wide) + v.blockLimit(netip.IPv6Unspecified()) + 20
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
		v.refuse(d.Addr, &peerError{CodeIllegal, "malformed request", ErrLength})
		return
	}
	p, err := ParsePacket(d.Data, v.server.Wide)
	if err != nil {
		v.refuse(d.Addr, &peerError{CodeIllegal, "malformed request", err})
		return
	}
	mode, ok := ParseMode(p.Mode)
	if !ok {
		v.refuse(d.Addr, &peerError{CodeIllegal, "unknown mode", ErrUnexpected})
		return
	}
	r := &Request{Op: p.Op, Name: p.Name, Mode: mode, Client: d.Addr, Options: p.Options, Size: -1}
	s, err := v.admit(d)
	switch {
	case err != nil:
		v.bad(d.Addr, err)
		return
	case s == nil:
		return
	}
	sctx, cancel := context.WithCancelCause(ctx)
	s.cancel = cancel
	if v.server.SinglePort {
		s.branch = newBranch(sctx, v, d.Addr)
	}
	v.mu.Lock()
	v.sessions[d.Addr] = s
	v.mu.Unlock()
	wg.Go(func() {
		defer cancel(nil)
		defer v.forget(s)
		v.run(sctx, s, r)
	})
}

// restartable is how long a client must not have been heard in its transfer for the
// same request to begin another one: what is repeated by the network comes sooner.
const restartable = 2 * time.Second

// admit makes a session for a request; nil if it repeats that of a session, be it one
// that only lingers; ErrBusy if there is no room.
func (v *serving) admit(d datagram.Packet) (*session, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if old := v.sessions[d.Addr]; old != nil {
		if bytes.Equal(old.asked, d.Data) && old.idle() < restartable {
			old.again.Store(true)
			return nil, nil
		}
		// Its Handler may take its time to end, and counts meanwhile.
		v.detach(old)
		old.cancel(ErrReplaced)
	}
	if v.active >= v.most() ||
		v.perAddr[d.Addr.Addr()] >= orDefault(v.server.MaxPerAddress, DefaultMaxPerAddress) {
		return nil, ErrBusy
	}
	v.active++
	v.perAddr[d.Addr.Addr()]++
	return &session{client: d.Addr, asked: bytes.Clone(d.Data), began: time.Now(), counted: true}, nil
}

func (v *serving) most() int { return orDefault(v.server.MaxTransfers, DefaultMaxTransfers) }

// uncount lets another transfer take the place of one that is over, or only lingers.
// v.mu is held.
func (v *serving) uncount(s *session) {
	if !s.counted {
		return
	}
	s.counted = false
	v.active--
	a := s.client.Addr()
	if v.perAddr[a]--; v.perAddr[a] == 0 {
		delete(v.perAddr, a)
	}
}

// detach lets another session of the same client take the place of one. v.mu is held.
func (v *serving) detach(s *session) {
	if s.lingers {
		s.lingers = false
		v.lingering--
	}
	if v.sessions[s.client] == s {
		delete(v.sessions, s.client)
	}
}

// forget removes a session whose goroutine ends.
func (v *serving) forget(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.uncount(s)
	v.detach(s)
	if len(v.sessions) == 0 && v.closed() {
		select {
		case v.drained <- struct{}{}:
		default:
		}
	}
}

// settled notes that a transfer is over, but for lingering, and reports whether there
// is room for that: a flood of small files must not leave a conn each behind.
func (v *serving) settled(s *session) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.uncount(s)
	if v.sessions[s.client] != s || v.lingering >= v.most() {
		return false
	}
	s.lingers = true
	v.lingering++
	return true
}

// refuse answers a request that cannot be served. The answer is never longer than is
// needed to say why.
func (v *serving) refuse(to netip.AddrPort, err error) {
	v.bad(to, err)
	v.say(to, tell(err))
}

// say writes one packet to a client.
func (v *serving) say(to netip.AddrPort, p Packet) {
	b, err := p.AppendBinary(nil)
	if err == nil {
		_, err = v.write([]datagram.Packet{{Data: b, Addr: to}})
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

// blockLimit is the largest block size that is granted to a client.
func (v *serving) blockLimit(client netip.Addr) int {
	return fitting(orDefault(v.server.MTU, DefaultMTU), client, v.server.Wide)
}
