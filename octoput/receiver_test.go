package octoput

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// hand in hand: a whole transfer, by hand.
func TestReceiverByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{}, &s)
		data := noise(1, BlockSize+8*3+2)
		legs := pieces(7, data)

		h.writes(open(7, Opening{Size: int64(len(data)), Name: "n"}))
		h.wants(Ack, 0, AllLegs)
		for _, leg := range legs[:8] {
			h.writes(leg)
		}
		h.wants(Ack, 1, AllLegs)
		h.writes(legs[9]) // the second octoleg of the partial one: a gap
		h.wants(Ack, 2, 0b01000000)
		h.wants(Ack, 2, 0b01000000) // said twice now
		for _, leg := range legs[8:16] {
			if leg.Flags != legs[9].Flags {
				h.writes(leg)
			}
		}
		for _, leg := range legs[16:] {
			h.writes(leg)
		}
		for got := (Packet{}); got.Block != 3 || got.Flags != AllLegs; {
			got, _ = h.reads()
			if got.Type != Ack {
				t.Fatalf("got %v", got.Type)
			}
		}
		h.conn.SetReadDeadline(time.Now())
		if s.all[0].committed != 0 {
			t.Error("committed before the FIN")
		}
		h.writes(fin(7, data))
		h.until(Ack, 4, AllLegs)
		if m := s.all[0]; m.committed != 1 || m.aborted != nil || !bytes.Equal(m.Bytes(), data) {
			t.Errorf("committed %d times, aborted: %v, %d bytes", m.committed, m.aborted, m.Len())
		}
		if got, want := s.all[0].offer, (ferry.Offer{Addr: h.conn.AddrPort(), Session: 7, Name: "n", Size: int64(len(data))}); got != want {
			t.Errorf("offer %+v, want %+v", got, want)
		}
		p.stop()
	})
}

// until reads packets up to this one.
func (h *hand) until(typ Type, block uint64, flags Legs) {
	h.t.Helper()
	for range 100 {
		if p, ok := h.reads(); !ok || p.Type == typ && p.Block == block && p.Flags == flags {
			if !ok {
				break
			}
			return
		}
	}
	h.t.Fatalf("no %v %d %v came", typ, block, flags)
}

// drain reads what is there.
func (h *hand) drain() {
	for {
		h.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, _, err := h.conn.ReadFromUDPAddrPort(make([]byte, 2048)); err != nil {
			return
		}
	}
}

// start opens a transfer of data and sends its first n octolegs.
func (h *hand) begin(session uint32, data []byte, n int) (legs []Packet) {
	h.t.Helper()
	h.writes(open(session, Opening{Size: int64(len(data)), Name: "f"}))
	h.until(Ack, 0, AllLegs)
	legs = pieces(session, data)
	for _, leg := range legs[:n] {
		h.writes(leg)
	}
	h.drain()
	return legs
}

// Late and repeated octolegs are acknowledged, and never written.
func TestReceiverRepetitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{}, &s)
		data := noise(1, 2*BlockSize)
		legs := h.begin(7, data, 8+3)

		wrong := legs[10]
		wrong.Payload = make([]byte, MaxLegSize)
		h.writes(wrong)
		h.wants(Ack, 2, 0b11100000)
		h.drain()
		late := legs[0]
		late.Payload = make([]byte, MaxLegSize)
		h.writes(late)
		h.wants(Ack, 1, AllLegs)
		h.drain()
		h.writes(open(7, Opening{Size: int64(len(data)), Name: "f"}))
		h.wants(Ack, 0, AllLegs)
		h.drain()
		for _, leg := range legs[11:] {
			h.writes(leg)
		}
		h.writes(fin(7, data))
		h.until(Ack, 3, AllLegs)
		h.drain()
		h.writes(legs[5])
		h.wants(Ack, 1, AllLegs)
		h.drain()
		for range 3 { // alike
			h.writes(fin(7, data))
			h.wants(Ack, 3, AllLegs)
			h.drain()
		}
		p.stop()
		if m := s.all[0]; len(s.all) != 1 || m.committed != 1 || !bytes.Equal(m.Bytes(), data) {
			t.Errorf("%d transfers, committed %d times, %d bytes", len(s.all), m.committed, m.Len())
		}
	})
}

// A receiver ignores and counts wrong packets, and continues the transfer.
func TestReceiverIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		var bad []error
		var report Report
		trace := &Trace{
			Ignored:  func(e PacketEvent) { err := e.Err; bad = append(bad, err) },
			Finished: func(e TransferEvent) { r := e.Report; report = r },
		}
		p, h := newHand(t, Receiver{Trace: trace}, &s)
		data := noise(1, 2*BlockSize)
		legs := h.begin(7, data, 3)

		for _, tt := range badPackets {
			h.writes(tt.p)
		}
		corrupt := raw(legs[3])
		corrupt[30] ^= 1
		h.raw(corrupt)
		h.raw(corrupt[:20])
		h.raw(nil)
		h.raw(make([]byte, 3000))
		count := len(badPackets) + 4

		short := legs[3]
		short.Payload = short.Payload[:1110]
		for _, p := range []Packet{
			short,
			legs[8], // from the future
			{Type: Leg, Session: 7, Block: 3, Flags: 1, Payload: []byte{0}},
			open(7, Opening{Size: 5, Name: "f"}),                                // contradicts
			open(7, Opening{Size: int64(len(data)), Name: "g"}),                 // contradicts
			open(8, Opening{Size: 5, Answers: 9}),                               // an answer that nobody asked for
			{Type: Open, Flags: ask, Session: 9, Payload: legs[0].Payload[:12]}, // a question: this is no server
			{Type: Ack, Session: 7, Block: 1, Flags: 1},
			fin(7, data), // too early
			{Type: Fin, Session: 7, Block: 1, Payload: make([]byte, 32)},
			{Type: Err, Session: 8, Payload: []byte{1}}, // of a session that nobody has
		} {
			h.writes(p)
			count++
		}
		h.wantsNothing()
		if len(bad) != count {
			t.Errorf("%d bad packets traced, want %d: %v", len(bad), count, bad)
		}
		for _, leg := range legs[3:] {
			h.writes(leg)
		}
		h.drain()
		late := fin(7, data)
		late.Block++ // of a longer file
		h.writes(late)
		h.wantsNothing()
		h.writes(fin(7, data))
		h.until(Ack, 3, AllLegs)
		p.stop()
		if m := s.all[0]; len(s.all) != 1 || m.committed != 1 || !bytes.Equal(m.Bytes(), data) {
			t.Errorf("%d transfers, committed %d times, %d bytes", len(s.all), m.committed, m.Len())
		}
		if report.Unexpected == 0 {
			t.Error("none is in the report")
		}
	})
}

// A size of 2^63-1 is one that a file may have; it costs an octoblock of memory.
func TestReceiverHugeOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{}, &s)
		h.writes(open(7, Opening{Size: math.MaxInt64, Name: "n"}))
		h.wants(Ack, 0, AllLegs)
		h.writes(Packet{Type: Leg, Session: 7, Flags: 1, Block: plan(math.MaxInt64).count(), Payload: []byte{0}})
		h.wantsNothing()
		p.stop()
	})
}

// ERR in answer to what belongs to no transfer, never longer than what it answers; and
// none to an ERR or an ACK.
func TestReceiverUnknownSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{}, &sinks{})
		h.writes(Packet{Type: Leg, Session: 7, Flags: 1, Block: 1, Payload: []byte{0}})
		h.wantsCode(CodeUnknown)
		h.writes(fin(7, nil))
		h.wantsCode(CodeUnknown)
		h.writes(Packet{Type: Err, Session: 7, Payload: []byte{6}})
		h.writes(Packet{Type: Ack, Session: 7, Flags: AllLegs})
		h.wantsNothing()
		p.stop()
	})
}

func TestReceiverWrongDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{}, &s)
		data := noise(1, 100)
		h.begin(7, data, 16)
		wrong := fin(7, data)
		wrong.Payload[31] ^= 1
		h.writes(wrong)
		h.wantsCode(CodeDigest)
		h.writes(fin(7, data)) // too late
		h.wantsCode(CodeDigest)
		p.stop()
		if m := s.all[0]; m.committed != 0 || !errors.Is(m.aborted, ferry.ErrDigest) {
			t.Errorf("committed %d times, aborted: %v", m.committed, m.aborted)
		}
	})
}

// A sender that vanishes in mid-block is given up; meanwhile and after it others are
// served.
func TestReceiverGivesUpAndServesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		var ended []error
		trace := &Trace{Finished: func(e TransferEvent) { err := e.Err; ended = append(ended, err) }}
		p, h := newHand(t, Receiver{Trace: trace, MaxTransfers: 2}, &s)
		data := noise(1, 2*BlockSize)
		h.begin(7, data, 11)
		if _, err := p.send(Sender{}, data); err != nil {
			t.Error(err)
		}
		time.Sleep(DefaultGiveUp)
		synctest.Wait()
		if len(ended) != 2 || ended[0] != nil || !errors.Is(ended[1], ferry.ErrSilent) || !errors.Is(s.all[0].aborted, ferry.ErrSilent) {
			t.Errorf("ended: %v; aborted: %v", ended, s.all[0].aborted)
		}
		for range 3 {
			if _, err := p.send(Sender{}, data); err != nil {
				t.Error(err)
			}
		}
		p.stop()
		if s.all[4].committed != 1 {
			t.Error("the last one is not there")
		}
	})
}

// Several senders at once, two of them at one address, are kept apart.
func TestReceiverManySenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{}, &s)
		other := &hand{t: t, conn: p.listen(), to: p.to}
		files := [][]byte{noise(1, 100), noise(2, 100), noise(3, 100)}
		var legs [3][]Packet
		for i, to := range []*hand{h, h, other} {
			session := []uint32{7, 8, 7}[i]
			legs[i] = to.begin(session, files[i], 0)
		}
		for n := range 16 {
			h.writes(legs[0][n])
			other.writes(legs[2][n])
			h.writes(legs[1][15-n^8]) // the other way round in each block
		}
		h.drain()
		other.drain()
		h.writes(fin(7, files[0]))
		h.until(Ack, 3, AllLegs)
		h.writes(fin(8, files[1]))
		h.until(Ack, 3, AllLegs)
		other.writes(fin(7, files[2]))
		other.until(Ack, 3, AllLegs)
		p.stop()
		for i, m := range s.all {
			if m.committed != 1 || !bytes.Equal(m.Bytes(), files[i]) {
				t.Errorf("transfer %d: committed %d times, %d bytes", i, m.committed, m.Len())
			}
		}
	})
}

func TestReceiverBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{MaxTransfers: 2}, &sinks{})
		h.begin(7, make([]byte, 100), 0)
		h.begin(8, make([]byte, 100), 0)
		h.writes(open(9, Opening{}))
		h.wantsCode(CodeBusy)
		h.writes(Packet{Type: Err, Session: 8, Payload: []byte{byte(CodeStopped)}})
		h.begin(9, nil, 0)
		p.stop()
	})
}

// Finished transfers are remembered, but not without limit.
func TestReceiverRememberedTransfersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		v := (&Receiver{MaxTransfers: 3}).newRecvCall(&sinks{})
		p.start(func(ctx context.Context) error { return v.serve(ctx, p.receiver) })
		h := &hand{t: t, conn: p.sender, to: p.to}
		for session := range uint32(100) {
			h.begin(session+1, nil, 0)
			h.writes(fin(session+1, nil))
			h.until(Ack, 1, AllLegs)
			h.drain()
		}
		p.stop()
		if len(v.transfers) > 6 {
			t.Errorf("%d transfers are remembered, want at most 6", len(v.transfers))
		}
	})
}

// Whoever refuses is asked once, however often the sender tries; and says why only in a
// code.
func TestReceiverRefuses(t *testing.T) {
	for err, want := range map[error]Code{errBroken: CodeRefused, fs.ErrExist: CodeExists, fs.ErrInvalid: CodeName, fs.ErrPermission: CodeRefused} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			p, h := newHand(t, Receiver{}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) {
				asked++
				return nil, &fs.PathError{Op: "create", Path: "/secret", Err: err}
			}))
			for range 3 {
				h.writes(open(7, Opening{Size: 9}))
				h.wantsCode(want)
			}
			_, sent := p.send(Sender{}, nil)
			p.stop()
			if asked != 2 {
				t.Errorf("asked %d times, want once for each session", asked)
			}
			var said *RemoteError
			if !errors.As(sent, &said) || said.Code != want {
				t.Errorf("Send: %v", sent)
			}
		})
	}
}

func TestReceiverSinkFails(t *testing.T) {
	for name, s := range map[string]*sinks{"Write": {full: BlockSize}, "Commit": {fail: errBroken}} {
		synctest.Test(t, func(t *testing.T) {
			var ended error
			p := newPair(t, lossy.Delay(time.Millisecond))
			p.serve(Receiver{Trace: &Trace{Finished: func(e TransferEvent) { err := e.Err; ended = err }}}, s)
			_, err := p.send(Sender{}, noise(1, 2*BlockSize))
			p.stop()
			var said *RemoteError
			if !errors.As(err, &said) || said.Code != CodeFailed {
				t.Errorf("%s: Send: %v", name, err)
			}
			// Exactly one of the two, also when it fails.
			aborted := errors.Is(s.all[0].aborted, errBroken)
			if !errors.Is(ended, errBroken) || aborted == (name == "Commit") || s.all[0].committed != 0 {
				t.Errorf("%s: ended: %v; aborted: %v; committed %d times", name, ended, s.all[0].aborted, s.all[0].committed)
			}
		})
	}
}

// A Handler that returns neither a sink nor an error has refused.
func TestReceiverNoSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) { return nil, nil }))
		h.writes(open(7, Opening{Size: 8}))
		h.wantsCode(CodeRefused)
		p.stop()
	})
}

// An answer is never longer than the packet that it answers.
func TestReceiverDoesNotAmplify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{}, &sinks{})
		in, out := 0, 0
		say := func(q Packet) {
			in += len(raw(q))
			h.writes(q)
			for {
				h.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
				n, _, err := h.conn.ReadFromUDPAddrPort(make([]byte, 2048))
				if err != nil {
					break
				}
				out += n
			}
		}
		say(open(7, Opening{Size: 8}))
		for range 1000 {
			say(pieces(7, noise(1, 8))[0])
		}
		p.stop()
		if out > in || out < in/2 {
			t.Errorf("%d bytes were sent in answer to %d", out, in)
		}
	})
}
