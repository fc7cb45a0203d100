package tftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// A service is one transfer at a server, from the request to its end. Its methods run
// in the transfer's goroutine.
type service struct {
	conversation
	v     *serving
	close func() // of the transfer's own conn

	opening rtt.Estimator // what was learned about the round trip before the first block
}

// run serves one request.
func (v *serving) run(ctx context.Context, s *session, r *Request) {
	t := &service{v: v, close: func() {}}
	t.conversation = conversation{
		ctx: ctx, peer: s.client, num: numbering{wide: v.server.Wide, toOne: v.server.RollToOne},
		trace: v.trace, request: r, session: s, start: s.began, heard: s.began,
		giveUp: patience(v.server.GiveUp, DefaultServerGiveUp),
		report: Report{Peer: s.client, Size: -1},
	}
	t.budget.Grant(unprovenPackets, unprovenBytes)
	t.answerIn = min(t.giveUp, orDefault(max(0, v.server.GiveUp), DefaultServerGiveUp)) / 3
	defer func() { t.close() }()
	err := t.guard(t.serve)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ErrReplaced) && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err) // a Handler may say in its own words that it was ended
	}
	if t.link == nil && isShortage(err) {
		v.shortage(s.client, err)
		return
	}
	if err != nil {
		err = fmt.Errorf("tftp: %v: %w", r.Op, err)
		if t.link != nil {
			t.fail(err)
		} else if !errors.Is(err, ErrReplaced) {
			v.say(s.client, s.local, tell(err))
		}
	}
	t.finish(err)
}

// guard calls f and makes a panic of the Handler's an error.
func (t *service) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("tftp: panic in a handler: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

func (t *service) serve() error {
	if t.request.Op == WRQ {
		return t.write()
	}
	return t.read()
}

// use has the transfer go over a link, which a repeated request wakes.
func (t *service) use(l link) {
	t.link = l
	wake := l.Wake
	t.session.wake.Store(&wake)
}

// open opens the transfer's conn.
func (t *service) open(cfg datagram.Config, buffer int) error {
	t.heard = time.Now() // the Handler may have taken its time
	defer t.session.opened.Store(true)
	if b := t.session.branch; b != nil {
		t.use(b)
		return nil
	}
	pc, err := t.v.server.listen(t.ctx, t.v.localFor(t.session))
	if err != nil {
		return fmt.Errorf("tftp: opening a port for a transfer: %w", err)
	}
	cfg.NoOffload = t.v.server.NoOffload
	conn := datagram.Open(t.ctx, pc, cfg)
	_, _, _ = conn.SetBuffers(buffer, 0)
	t.use(conn)
	t.close = func() {
		conn.Release()
		_ = pc.Close()
	}
	return nil
}

// read serves an RRQ. The file is opened before anything is answered: clients take an
// error after the OACK badly.
func (t *service) read() error {
	if t.v.server.Opener == nil {
		return fmt.Errorf("tftp: the server sends no files: %w", fs.ErrPermission)
	}
	src, err := t.v.server.Opener.Open(t.ctx, ferry.Request{Addr: t.request.Addr, Name: t.request.Name})
	if err != nil {
		return err
	}
	if c, ok := src.R.(io.Closer); ok {
		defer c.Close()
	}
	if src.R == nil {
		return errors.New("tftp: the handler returned no reader")
	}
	s, answer := grant(t.request.Options, limits{
		blockSize: t.v.blockLimit(t.peer, t.session.local, t.request.Options),
		window:    func(blockSize int) int { return min(t.v.maxWindow(), windowFor(usualBuffer, blockSize)) },
		size:      src.Size, op: RRQ, netascii: t.request.Mode == Netascii,
	})
	if err := t.open(datagram.Config{ReadSize: smallPacket, Batch: batchFor(s.WindowSize, t.num.wide)}, t.ackBuffer()); err != nil {
		return err
	}
	t.adopt(s)
	if len(answer) > 0 {
		if err := t.offer(s, answer); err != nil || t.report.Probe {
			return err
		}
	}
	out := newSending(&t.conversation, src, strategyFor(t.num.wide, t.v.server.Strategy, s), s)
	if t.opening.Measured() {
		out.out.timer.Sample(t.opening.SRTT())
	}
	return out.run()
}

// offer sends an OACK until the client acknowledges it as block 0. Some ask only for
// the size of a file, and end with error 8 what they never wanted to begin.
func (t *service) offer(s Settings, answer []Option) error {
	b, err := Packet{Op: OACK, Options: answer}.AppendBinary(nil)
	if err != nil {
		return err
	}
	k := &knock{budget: &t.budget, length: len(b)}
	k.timer.Config = senderTimer(s)
	_, err = t.knock(k, b, func(p Packet) (bool, error) { return p.Op == ACK && p.Block == 0, nil })
	if t.said != nil && t.said.Code == CodeOption {
		t.report.Probe = true
		return nil
	}
	t.opening = k.timer
	t.touch()
	return err
}

// write serves a WRQ.
func (t *service) write() error {
	if n := wishes(t.request.Options)[optSize]; n > 0 {
		t.request.Size = n // some clients announce 0 where they do not know the size
	}
	if t.v.server.Handler == nil {
		return fmt.Errorf("tftp: the server takes no files: %w", fs.ErrPermission)
	}
	sink, err := t.v.accept(ferry.Offer{Addr: t.request.Addr, Name: t.request.Name, Size: t.request.Size})
	if err != nil {
		return err
	}
	buffer, window := usualBuffer, t.v.maxWindow()
	if t.session.branch != nil {
		buffer, window = t.v.buffer, min(window, branchQueue)
	}
	s, answer := grant(t.request.Options, limits{
		blockSize: t.v.blockLimit(t.peer, t.session.local, t.request.Options),
		window:    func(blockSize int) int { return min(window, windowFor(buffer, blockSize)) },
		op:        WRQ, netascii: t.request.Mode == Netascii,
	})
	readSize := headerLen(t.num.wide) + max(s.BlockSize, smallPacket)
	cfg := datagram.Config{
		ReadSize: readSize, Batch: batchFor(s.WindowSize, t.num.wide), Join: worthJoining(s.WindowSize, t.num.wide),
	}
	if err := t.open(cfg, t.writeBuffer(s)); err != nil {
		sink.Abort(err)
		return err
	}
	t.adopt(s)
	var opener []byte
	if len(answer) > 0 {
		opener, _ = Packet{Op: OACK, Options: answer}.AppendBinary(nil)
	}
	in := newReceiving(&t.conversation, sink, s, opener)
	in.size = t.request.Size
	if t.request.Mode == Netascii {
		in.size = -1
	}
	in.in.budget = &t.v.held
	defer in.in.release()
	if err := in.run(); err != nil {
		return err
	}
	t.finish(nil)
	room := t.v.settled(t.session)
	if d := orDefault(t.v.server.Linger, DefaultServerLinger); d > 0 && room {
		in.linger(d)
	}
	return nil
}

// writeBuffer is the receive buffer that a write would like to have.
func (t *service) writeBuffer(s Settings) int {
	if t.num.wide {
		return wideBuffer
	}
	return s.WindowSize * footprint(s.BlockSize)
}

func (v *serving) maxWindow() int {
	return max(1, orDefault(v.server.MaxWindow, DefaultMaxWindow))
}
