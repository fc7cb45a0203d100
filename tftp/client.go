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
	// DefaultBlockSize fits the MTU of Ethernet over IPv4 and IPv6, and most tunnels.
	DefaultBlockSize  = 1428
	DefaultWindowSize = 16
	DefaultGiveUp     = 10 * time.Second // of Get
	// DefaultPutGiveUp is long enough for a device that erases its flash first.
	DefaultPutGiveUp = 30 * time.Second
)

// A Client reads files from servers and writes files to them. The zero value is ready to use.
// A Client may run several transfers at the same time, each on another conn.
type Client struct {
	// Mode is Octet by default.
	Mode Mode
	// BlockSize is the payload of a block in bytes, 8 to MaxBlockSize, that the client asks
	// for (RFC 2348). The server may lower it. 0 means DefaultBlockSize, or less if the
	// system knows that the path takes less. Negative means not to ask, which results in 512
	// bytes. Datagrams that are longer than the path takes (1468 bytes of payload on Ethernet
	// with IPv4) are fragmented.
	BlockSize int
	// WindowSize is the number of blocks for each ACK that the client asks for (RFC 7440), at
	// most MaxWindowSize. The server may lower it. The client lowers it to what fits a
	// receive buffer: its own for Get, one of the usual size for Put. 0 means
	// DefaultWindowSize. Negative means not to ask, which results in 1.
	WindowSize int
	// Timeout, if positive, asks the server to wait as long before it retransmits (RFC 2349).
	// It has full seconds, from 1 to 255. Servers of this package do not grant it: their
	// timers follow the round trip, as the client's do.
	Timeout time.Duration
	// GiveUp is how long the server may make no progress, before its first answer and later.
	// 0 means DefaultGiveUp for Get and DefaultPutGiveUp for Put. Negative means that only
	// the context ends a transfer.
	GiveUp time.Duration
	// Linger is how long a repeated last block is acknowledged again after the last ACK of a
	// Get, because that ACK may be lost. 0 means eight retransmission timeouts, or two if at
	// least 200 blocks arrived without a loss, and at most two seconds; if no round trip was
	// measured, it means one second. Negative means not at all.
	Linger time.Duration
	// MaxSize is the largest file that Get accepts, in bytes. 0 means no limit.
	MaxSize int64
	// IgnoreSize accepts a file that is shorter or longer than the server announced
	// (RFC 2349), for servers that announce a wrong size. Otherwise Get fails with
	// [ferry.ErrSize].
	IgnoreSize bool
	// RollToOne has block 1 follow block 65535, as some servers do. The default is block 0.
	RollToOne bool
	// Wide uses block numbers of four bytes, as in the UDP file delivery assignment, and
	// acknowledges each block separately. The assignment has no options: with BlockSize 0
	// the client asks for none, and WindowSize is ignored.
	Wide bool
	// Strategy decides how a Wide client sends. Nil means Adaptive.
	Strategy Strategy
	// NoOffload reads and writes each packet separately. Otherwise the system may handle
	// several packets in one piece (on Linux), which a packet filter on this host may see
	// as one packet. The packets on the wire are the same. If another program reads conn
	// afterwards, it may then read several late packets as one.
	NoOffload bool
	// Trace observes the transfers. It may be nil.
	Trace *Trace
}

// Get reads the file name from a server over conn.
//
// The caller closes conn. Nothing else may read from conn during the call, which sets read
// deadlines and clears them before it returns. A late packet of an earlier transfer could be
// taken for one of this transfer, so a new conn for each call is best. Its port does not
// matter.
//
// h decides what happens to the bytes: [ferry.SaveAs] keeps them as a file that appears when
// it is whole, [ferry.To] writes them to an io.Writer as they arrive. Get calls h before it
// sends the request. It calls Commit before it acknowledges the last block.
//
// The error wraps:
//   - an [*Error] if the server sent one; errors.Is finds fs.ErrNotExist and others in it;
//   - [ferry.ErrNoAnswer] or [ferry.ErrSilent] if the server did not answer;
//   - [ferry.ErrSize] or [ferry.ErrTooLarge] if the size is wrong or too large;
//   - the cause of ctx if ctx ended before the file was whole;
//   - the error of the sink or of conn if one of them failed.
//
// The end of ctx also ends the lingering, and is not an error then. The Report is filled in
// every case.
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

// Put writes the bytes of src to a server as the file name, over conn; see [Client.Get] for
// both. If the error is nil the server has the whole file. If the error wraps
// [ferry.ErrUnconfirmed] the server has all except the last block, and perhaps also that.
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
		return Report{}, errors.New("tftp: source without a reader")
	}
	t.open(ctx, conn, datagram.Config{ReadSize: smallPacket, Batch: batchFor(t.want.WindowSize, c.Wide), NoOffload: c.NoOffload})
	defer t.link.Release()
	t.want.WindowSize = min(t.want.WindowSize, windowFor(usualBuffer, t.want.BlockSize))
	_, _, _ = t.link.SetBuffers(t.ackBuffer(), t.want.WindowSize*footprint(t.want.BlockSize))
	return t.end(t.put(src))
}

const (
	// smallPacket is longer than any valid OACK or ERROR.
	smallPacket = 1024
	// wideBuffer is the size of the receive buffer that a Wide receiver asks for, in bytes.
	// A Wide sender, which gets an ACK of each block, asks for it too.
	wideBuffer = 1 << 20
)

// batchFor returns how many packets to read at once.
func batchFor(window int, wide bool) int {
	if wide {
		return 32
	}
	return min(max(window, 4), 32)
}

// worthJoining reports whether enough packets arrive at once to make longer buffers faster.
func worthJoining(window int, wide bool) bool { return wide || window >= 8 }

// spinTime returns how long a client polls for the next window before it sleeps: about the
// time to fall asleep and wake up. A single block arrives sooner, or much later.
func spinTime(window int, wide bool) time.Duration {
	if window > 1 || wide {
		return 50 * time.Microsecond
	}
	return 0
}

// A clientTransfer is one call of Get or Put.
type clientTransfer struct {
	transfer
	client *Client
	want   Settings
}

// begin checks the options and prepares a call. size is announced to the server, unless it is
// negative.
func (c *Client) begin(op Opcode, conn net.PacketConn, server netip.AddrPort, name string, size int64) (*clientTransfer, error) {
	server = datagram.Canonical(server)
	want, err := c.wants(op, size, datagram.Overhead(conn))
	switch {
	case err != nil:
		return nil, err
	case !server.IsValid() || server.Addr().IsUnspecified() || server.Port() == 0:
		return nil, fmt.Errorf("tftp: invalid server address %v", server)
	case strings.IndexByte(name, 0) >= 0:
		return nil, errors.New("tftp: name with a zero byte")
	case len(name) > maxName:
		return nil, fmt.Errorf("tftp: name of %d bytes, want at most %d", len(name), maxName)
	}
	t := &clientTransfer{client: c, want: want}
	t.budget.Prove() // the caller gave the address
	t.server = server
	t.peer = netip.AddrPortFrom(server.Addr(), 0)
	t.num = numbering{wide: c.Wide, toOne: c.RollToOne}
	t.giveUp = waitTime(c.GiveUp, DefaultGiveUp)
	if op == WRQ {
		t.giveUp = waitTime(c.GiveUp, DefaultPutGiveUp)
	}
	t.joinTimeout = t.giveUp
	t.start = time.Now()
	t.heard = t.start
	t.request = &Request{Op: op, Name: name, Mode: c.Mode, Addr: server, Size: size, client: true}
	t.report.Size = -1
	if c.Trace != nil {
		t.trace = *c.Trace
	}
	return t, nil
}

// maxName is the longest name of a request. With it, the request and its options fit the
// datagram that every host accepts (576 bytes; RFC 1122, section 3.3.2).
const maxName = 400

// wants returns the settings that the client asks for, over a conn that adds overhead bytes to
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
	if !c.Wide && c.WindowSize >= 0 {
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
		return s, fmt.Errorf("tftp: MaxSize of %d bytes, want 0 or more", c.MaxSize)
	case s.WindowSize > MaxWindowSize:
		return s, fmt.Errorf("tftp: window of %d blocks, want 1 to %d", s.WindowSize, MaxWindowSize)
	case s.Timeout < 0 || s.Timeout > maxTimeout*time.Second || s.Timeout%time.Second != 0:
		return s, fmt.Errorf("tftp: timeout of %v, want full seconds from 1 to %d", s.Timeout, maxTimeout)
	}
	return s, nil
}

// open ties conn to the call. If the block size is left to the client, it must fit the path.
func (t *clientTransfer) open(ctx context.Context, conn net.PacketConn, cfg datagram.Config) {
	c := datagram.Open(ctx, conn, cfg)
	t.ctx, t.link = ctx, c
	if t.client.BlockSize == 0 && !t.client.Wide {
		t.want.BlockSize = min(t.want.BlockSize, fitting(pathMTU(c, netip.Addr{}, t.server)-c.Overhead(), t.server.Addr(), false))
	}
}

// ask sends the request until the server answers with a packet that fits. If the server
// refuses a request with options, ask sends one without them (RFC 2347, "Negotiation
// Protocol": the client may "re-try without options").
func (t *clientTransfer) ask(fits func(Packet) (bool, error)) (Packet, *handshake, error) {
	t.request.Options = ask(t.want)
	p, h, err := t.askOnce(fits)
	if len(t.request.Options) == 0 || t.peerErr == nil || !aboutOptions(t.peerErr.Code) {
		return p, h, err
	}
	// The first request may have been sent several times, and each copy be refused.
	t.refused, t.refusals = *t.peerErr, h.tries-1
	t.peerErr, t.heard = nil, time.Now()
	t.request.Options, t.want = nil, plain()
	p, h, err = t.askOnce(fits)
	t.refusals = 0
	return p, h, err
}

// aboutOptions reports whether an ERROR with the code may mean that the server rejects
// requests with options. Not all servers use code 8 for that.
func aboutOptions(c Code) bool { return c == CodeOption || c == CodeIllegal || c == CodeUndefined }

// askOnce sends one request until the server answers.
func (t *clientTransfer) askOnce(fits func(Packet) (bool, error)) (Packet, *handshake, error) {
	b, err := Packet{Op: t.request.Op, Name: t.request.Name, Mode: t.request.Mode.String(), Options: t.request.Options}.AppendBinary(nil)
	if err != nil {
		return Packet{}, nil, err
	}
	h := &handshake{budget: &t.budget, length: len(b)}
	h.timer.Config = senderTimer(plain())
	p, err := t.handshake(h, b, fits)
	return p, h, err
}

// agree returns the settings that the first answer puts in force. An answer that is not an
// OACK means that the server ignores options.
func (t *clientTransfer) agree(p Packet) (Settings, error) {
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
	if limit := t.client.MaxSize; limit > 0 && t.request.Op == RRQ && s.Size > limit {
		return s, tooLarge(limit)
	}
	t.accepted(s)
	return s, nil
}

// get is the part of Get after the conn is open.
func (t *clientTransfer) get(sink ferry.Sink) error {
	p, h, err := t.ask(t.fitsGet)
	if err != nil {
		sink.Abort(err)
		return err
	}
	s, err := t.agree(p)
	if err != nil {
		sink.Abort(err)
		return err
	}
	r := newReceiver(&t.transfer, sink, s, nil)
	r.max = t.client.MaxSize
	if t.client.IgnoreSize {
		r.size = -1
	}
	r.in.timer.Sample(h.rtt())
	if p.Op == DATA {
		now := time.Now()
		if err := r.arrived(now, p); err != nil {
			r.abort(err)
			return err
		}
		t.addOwnTime(now, time.Now())
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
func (t *clientTransfer) fitsGet(p Packet) (bool, error) {
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

// put is the part of Put after the conn is open.
func (t *clientTransfer) put(src ferry.Source) error {
	p, h, err := t.ask(func(p Packet) (bool, error) {
		return p.Op == OACK || p.Op == ACK && p.Block == 0, nil
	})
	if err != nil {
		return err
	}
	s, err := t.agree(p)
	if err != nil {
		return err
	}
	r := newSender(&t.transfer, src, strategyFor(t.num.wide, t.client.Strategy, s), s)
	if d := h.rtt(); d >= 0 {
		r.out.timer.Sample(d)
	}
	return r.run()
}

// end tells the server of an error, and returns the results of Get and Put.
func (t *clientTransfer) end(err error) (Report, error) {
	if err != nil {
		err = fmt.Errorf("tftp: %s: %w", t.request.Name, t.fail(err))
	}
	t.finish(err)
	return t.report, err
}
