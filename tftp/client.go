package tftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// The defaults of a Client.
const (
	// DefaultBlockSize fits the Ethernet MTU over IPv4 and IPv6, most tunnels included.
	DefaultBlockSize  = 1428
	DefaultWindowSize = 16
	DefaultGiveUp     = 10 * time.Second // of Get
	// DefaultPutGiveUp is long enough for a device that erases its flash first.
	DefaultPutGiveUp = 30 * time.Second
)

// A Client reads files from servers and writes files to them. The zero value is ready
// to use. One Client may run several transfers at the same time, each on a conn of its
// own.
type Client struct {
	// Mode is Octet by default.
	Mode Mode
	// BlockSize is the payload of a block in bytes, 8 to MaxBlockSize, that is asked
	// for (RFC 2348); the server may lower it. 0 means DefaultBlockSize. Negative does
	// not ask, which means 512. Above what the path takes (1468 on Ethernet with IPv4)
	// each datagram is cut into fragments.
	BlockSize int
	// WindowSize is the number of blocks for each ACK that is asked for (RFC 7440), at
	// most MaxWindowSize; the server may lower it. So that none is lost there it is
	// lowered to what a receive buffer holds: when reading the conn's own, when writing
	// the one that most systems have. 0 means DefaultWindowSize, negative does not ask,
	// which means 1.
	WindowSize int
	// Timeout, if positive, asks the server to wait that long at most before it sends
	// again (RFC 2349), in full seconds from 1 to 255. The timers of both sides
	// follow the round trip all the same, if they are ours.
	Timeout time.Duration
	// GiveUp is how long the server may make no progress: before its first answer, and
	// later. 0 means DefaultGiveUp for Get and DefaultPutGiveUp for Put; negative means
	// that only the context ends a transfer.
	GiveUp time.Duration
	// Linger is how long, after the last ACK of a read, a repeated last block
	// is acknowledged again, because that ACK may be lost. 0 means eight
	// retransmission timeouts of the measured round trip, or two after 200 blocks and
	// more of which none was lost, two seconds at most; negative means not at all.
	Linger time.Duration
	// MaxSize is the largest file that Get accepts, in bytes; 0 means no limit.
	MaxSize int64
	// IgnoreSize accepts a file that is shorter or longer than the server announced
	// (RFC 2349). It is for servers whose answer is wrong. Otherwise Get fails with
	// [ferry.ErrSize].
	IgnoreSize bool
	// RollToOne lets block 1 follow block 65535, as some servers have it. The default
	// is 0.
	RollToOne bool
	// Wide counts blocks in four bytes, as the UDP file delivery assignment does, and
	// acknowledges each block by itself. Then BlockSize 0 does not ask, WindowSize
	// means nothing, and the file's size is only asked for if BlockSize is not 0: the
	// assignment has no options.
	Wide bool
	// Strategy is how a Wide client sends. Nil means Adaptive.
	Strategy Strategy
	// NoOffload hands each packet to the system, and takes it, by itself. Otherwise
	// several go in one piece where the system cuts them apart (Linux): the same on the
	// wire, but a filter in this host may take a piece for one packet, and whoever
	// reads conn afterwards without ferry may find several packets that were late in one.
	NoOffload bool
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace
}

// Get reads the file name from a server over conn.
//
// conn stays the caller's: Get neither closes it nor keeps it. It sets read deadlines,
// and clears them before it returns. Nothing else may read from conn meanwhile. A late
// packet of an earlier transfer could be taken for one of this, so a conn of its own
// for each call is best; it needs no fixed port.
//
// h decides what happens to the bytes: [ferry.SaveAs] keeps them as a file that appears
// whole or not at all, [ferry.To] writes them to an io.Writer as they arrive. h is asked
// before the request is sent. Get calls the sink's Commit before it acknowledges the last
// block.
//
// The error wraps an [*Error] if the server sent one (errors.Is finds fs.ErrNotExist
// and the like in it), [ferry.ErrNoAnswer] or [ferry.ErrSilent], ctx's cause when ctx ended before
// the file was whole, and the error of the sink or conn when one of them failed. ctx's end
// cuts the linger time short and is then no error. The Report is filled in every case.
func (c *Client) Get(ctx context.Context, conn net.PacketConn, server netip.AddrPort, name string, h ferry.Handler) (Report, error) {
	t, err := c.begin(RRQ, conn, server, name, -1)
	if err != nil {
		return Report{}, err
	}
	sink, err := h.Accept(ferry.Offer{Addr: server, Name: name, Size: -1})
	if err != nil {
		return Report{}, err
	}
	want := t.want
	t.open(ctx, conn, datagram.Config{
		ReadSize: headerLen(c.Wide) + max(want.BlockSize, smallPacket),
		Batch:    batchFor(want.WindowSize, c.Wide),
		Join:     worthJoining(want.WindowSize, c.Wide), NoOffload: c.NoOffload,
		Spin: spinTime(want.WindowSize, c.Wide),
	})
	defer t.link.Release()
	if !c.Wide {
		read, _, _ := t.link.SetBuffers(want.WindowSize*footprint(want.BlockSize), 0)
		t.want.WindowSize = min(want.WindowSize, windowFor(read, want.BlockSize))
	} else {
		_, _, _ = t.link.SetBuffers(wideBuffer, 0)
	}
	return t.end(t.get(sink))
}

// Put writes what src holds to a server as the file name, over conn, which stays the
// caller's as with Get. The server has the whole file when the error is nil. An error
// that wraps [ferry.ErrUnconfirmed] says that it has all but the last block, and maybe that,
// too.
func (c *Client) Put(ctx context.Context, conn net.PacketConn, server netip.AddrPort, name string, src ferry.Source) (Report, error) {
	size := src.Size
	if c.Mode == Netascii {
		size = -1
	}
	t, err := c.begin(WRQ, conn, server, name, size)
	switch {
	case err != nil:
		return Report{}, err
	case src.R == nil:
		return Report{}, errors.New("tftp: no source")
	}
	t.open(ctx, conn, datagram.Config{ReadSize: smallPacket, Batch: batchFor(t.want.WindowSize, c.Wide), NoOffload: c.NoOffload})
	defer t.link.Release()
	t.want.WindowSize = min(t.want.WindowSize, windowFor(usualBuffer, t.want.BlockSize))
	_, _, _ = t.link.SetBuffers(t.ackBuffer(), t.want.WindowSize*footprint(t.want.BlockSize))
	return t.end(t.put(src))
}

const (
	// smallPacket is more than any OACK or ERROR that makes sense.
	smallPacket = 1024
	// wideBuffer is the receive buffer that a Wide receiver would like to have, in
	// bytes, and a Wide sender, to which an ACK of each block comes.
	wideBuffer = 1 << 20
)

// batchFor is how many packets to read at once.
func batchFor(window int, wide bool) int {
	if wide {
		return 32
	}
	return min(max(window, 4), 32)
}

// worthJoining reports whether so much arrives at once that longer buffers pay.
func worthJoining(window int, wide bool) bool { return wide || window >= 8 }

// spinTime is how long a client looks for the next window before it sleeps: about what it
// takes to fall asleep and to be woken up. A single block is there sooner, or much later.
func spinTime(window int, wide bool) time.Duration {
	if window > 1 || wide {
		return 50 * time.Microsecond
	}
	return 0
}

// An asking is one call of Get or Put.
type asking struct {
	conversation
	client *Client
	want   Settings
}

// begin checks the options and prepares a call. size is what is told to the server, -1
// if there is nothing to tell.
func (c *Client) begin(op Opcode, conn net.PacketConn, server netip.AddrPort, name string, size int64) (*asking, error) {
	server = datagram.Canonical(server)
	want, err := c.wants(op, size, datagram.Overhead(conn))
	switch {
	case err != nil:
		return nil, err
	case !server.IsValid() || server.Addr().IsUnspecified() || server.Port() == 0:
		return nil, fmt.Errorf("tftp: invalid server address %v", server)
	case strings.IndexByte(name, 0) >= 0 || len(name) > longestName:
		return nil, errors.New("tftp: name with a zero byte, or too long for a packet")
	}
	t := &asking{client: c, want: want}
	t.budget.Prove() // the caller gave the address
	t.server = server
	t.peer = netip.AddrPortFrom(server.Addr(), 0)
	t.num = numbering{wide: c.Wide, toOne: c.RollToOne}
	t.giveUp = patience(c.GiveUp, DefaultGiveUp)
	if op == WRQ {
		t.giveUp = patience(c.GiveUp, DefaultPutGiveUp)
	}
	t.answerIn = t.giveUp
	t.start = time.Now()
	t.heard = t.start
	t.request = &Request{Op: op, Name: name, Mode: c.Mode, Addr: server, Size: size, client: true}
	t.report.Size = -1
	if c.Trace != nil {
		t.trace = *c.Trace
	}
	return t, nil
}

// longestName keeps a request within the datagram that every host takes (576 bytes, RFC
// 1122, section 3.3.2), its options included.
const longestName = 400

// wants are the settings that the client asks for, over a conn that adds overhead bytes to
// each packet.
func (c *Client) wants(op Opcode, size int64, overhead int) (Settings, error) {
	s := plain()
	s.Timeout = c.Timeout
	switch {
	case c.BlockSize > 0:
		s.BlockSize = c.BlockSize
	case c.BlockSize == 0 && !c.Wide:
		s.BlockSize = DefaultBlockSize - overhead
	}
	switch {
	case c.Wide || c.WindowSize < 0:
	default:
		s.WindowSize = cmp.Or(c.WindowSize, DefaultWindowSize)
	}
	if s.Size = size; op == RRQ && c.Mode == Octet {
		s.Size = 0 // "0" asks for it (RFC 2349)
	}
	if c.Wide && c.BlockSize == 0 || c.BlockSize < 0 && c.WindowSize < 0 {
		s.Size = -1 // no options at all
	}
	switch {
	case s.BlockSize < minBlockSize || s.BlockSize > MaxBlockSize:
		return s, fmt.Errorf("tftp: block size of %d bytes, want %d to %d", s.BlockSize, minBlockSize, MaxBlockSize)
	case c.MaxSize < 0:
		return s, fmt.Errorf("tftp: largest size of %d bytes, want 0 or more", c.MaxSize)
	case s.WindowSize > MaxWindowSize:
		return s, fmt.Errorf("tftp: window of %d blocks, want 1 to %d", s.WindowSize, MaxWindowSize)
	case s.Timeout < 0 || s.Timeout > maxTimeout*time.Second || s.Timeout%time.Second != 0:
		return s, fmt.Errorf("tftp: timeout of %v, want full seconds from 1 to %d", s.Timeout, maxTimeout)
	}
	return s, nil
}

func (t *asking) open(ctx context.Context, conn net.PacketConn, cfg datagram.Config) {
	t.ctx, t.link = ctx, datagram.Open(ctx, conn, cfg)
}

// ask sends the request until the server answers with a packet that fits. A server that
// refuses a request with options is asked once more without them (RFC 2347, "Negotiation
// Protocol": the client may "re-try without options").
func (t *asking) ask(fits func(Packet) (bool, error)) (Packet, *knock, error) {
	t.request.Options = ask(t.want)
	p, k, err := t.askOnce(fits)
	if len(t.request.Options) == 0 || t.said == nil || !aboutOptions(t.said.Code) {
		return p, k, err
	}
	// The first request may have been sent several times, and each copy be refused.
	t.refused, t.refusals = *t.said, k.tries-1
	t.said, t.heard = nil, time.Now()
	t.request.Options, t.want = nil, plain()
	p, k, err = t.askOnce(fits)
	t.refusals = 0
	return p, k, err
}

// aboutOptions reports whether an ERROR with the code may mean that the server rejects
// requests with options: not all servers that know none use code 8.
func aboutOptions(c Code) bool { return c == CodeOption || c == CodeIllegal || c == CodeUndefined }

// askOnce sends one request until the server answers.
func (t *asking) askOnce(fits func(Packet) (bool, error)) (Packet, *knock, error) {
	b, err := Packet{Op: t.request.Op, Name: t.request.Name, Mode: t.request.Mode.String(), Options: t.request.Options}.AppendBinary(nil)
	if err != nil {
		return Packet{}, nil, err
	}
	k := &knock{budget: &t.budget, length: len(b)}
	k.timer.Config = senderTimer(plain())
	p, err := t.knock(k, b, fits)
	return p, k, err
}

// settle puts in force what the first answer says: an OACK, or anything else, which
// means that the server knows no options.
func (t *asking) settle(p Packet) (Settings, error) {
	s := plain()
	if t.request.Op == WRQ {
		s.Size = t.request.Size
	}
	if p.Op == OACK {
		var err error
		if s, err = accept(t.request.Options, t.want, t.request.Op, p.Options); err != nil {
			return s, err
		}
	}
	t.adopt(s)
	return s, nil
}

// get is what Get does once the conn is open.
func (t *asking) get(sink ferry.Sink) error {
	p, k, err := t.ask(t.fitsGet)
	if err != nil {
		sink.Abort(err)
		return err
	}
	s, err := t.settle(p)
	if err != nil {
		sink.Abort(err)
		return err
	}
	if limit := t.client.MaxSize; limit > 0 && s.Size > limit {
		err := tooLarge(limit)
		sink.Abort(err)
		return err
	}
	r := newReceiving(&t.conversation, sink, s, nil)
	r.max = t.client.MaxSize
	if t.client.IgnoreSize {
		r.size = -1
	}
	r.in.timer.Sample(k.rtt())
	if p.Op == DATA {
		now := time.Now()
		if err := r.arrived(now, p); err != nil {
			r.abort(err)
			return err
		}
		t.excuse(now, time.Now())
	}
	if err := r.run(); err != nil {
		return err
	}
	t.finish(nil)
	switch {
	case t.client.Linger > 0:
		r.linger(t.client.Linger)
	case t.client.Linger == 0:
		r.linger(r.lingerTime())
	}
	return nil
}

// fitsGet reports whether p can be the first answer to an RRQ.
func (t *asking) fitsGet(p Packet) (bool, error) {
	switch {
	case p.Op == OACK:
		return true, nil
	case p.Op != DATA:
		return false, nil
	case t.num.wide && p.Block>>16 == 1, !t.num.wide && p.Block == 0 && len(p.Payload) >= 2:
		return false, t.wrongWidth()
	case t.num.wide:
		return p.Block >= 1 && p.Block <= wideWindow, nil
	}
	return p.Block == 1, nil
}

// put is what Put does once the conn is open.
func (t *asking) put(src ferry.Source) error {
	p, k, err := t.ask(func(p Packet) (bool, error) {
		return p.Op == OACK || p.Op == ACK && p.Block == 0, nil
	})
	if err != nil {
		return err
	}
	s, err := t.settle(p)
	if err != nil {
		return err
	}
	r := newSending(&t.conversation, src, strategyFor(t.num.wide, t.client.Strategy, s), s)
	if d := k.rtt(); d >= 0 {
		r.out.timer.Sample(d)
	}
	return r.run()
}

// finish notes how the transfer ended, once.
func (t *conversation) finish(err error) {
	if t.finished {
		return
	}
	t.finished = true
	t.report.Peer = t.peer
	t.report.Elapsed = time.Since(t.start)
	if t.trace.Finished != nil {
		t.trace.Finished(t.request, t.report, err)
	}
}

// end tells the server of an error, and returns what Get and Put return.
func (t *asking) end(err error) (Report, error) {
	if err != nil {
		err = fmt.Errorf("tftp: %s: %w", t.request.Name, t.fail(err))
	}
	t.finish(err)
	return t.report, err
}
