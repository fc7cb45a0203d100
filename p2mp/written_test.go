package p2mp

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A troubledItem is a Sink that fails with err, if there is one, and notes the lengths that
// it was given.
type troubledItem struct {
	err     error
	lengths []int
}

func (*troubledItem) Commit() error { return nil }
func (*troubledItem) Abort(error)   {}

func (s *troubledItem) Write(b []byte) (int, error) {
	s.lengths = append(s.lengths, len(b))
	return len(b), s.err
}

// Chunks that arrive together are written in one piece of at most 64 KiB, after the polls
// are answered. If the write fails, the sender is told.
func TestWrittenTogether(t *testing.T) {
	from := netip.MustParseAddrPort("10.0.0.9:9")
	for _, tt := range []struct {
		chunks  int
		poll    bool // follows them
		err     error
		lengths string
		said    string
	}{
		{chunks: 3, lengths: "[3000]"},
		{chunks: 70, lengths: "[65000 5000]"},
		{chunks: 130, lengths: "[65000 65000]"},
		{chunks: 3, poll: true, lengths: "[3000]", said: "REPORT"},
		{chunks: 3, err: errBroken, lengths: "[3000]", said: "ABORT"},
		{chunks: 3, poll: true, err: errBroken, lengths: "[3000]", said: "REPORT ABORT"},
		{chunks: 70, poll: true, err: errBroken, lengths: "[65000]", said: "ABORT ABORT"},
	} {
		sink := &troubledItem{err: tt.err}
		var report Report
		trace := Trace{Finished: func(e TransferEvent) { report = e.Report }}
		v, in := served(t, Receiver{Trace: &trace}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) { return sink, nil }))
		h := offerOf("f", 1e6)
		h.mss = 1000
		in(CategoryHello, &h)
		for seq := range tt.chunks {
			b, _ := Packet{Session: testSession, Seq: uint32(seq + 1), Category: CategoryData, Payload: make([]byte, 1000)}.MarshalBinary()
			v.arrived(time.Now(), datagram.Packet{Data: b, Addr: from})
		}
		if tt.poll {
			b := appendMessage(nil, CategoryPoll, &poll{session: testSession, number: 1, highest: 3})
			v.arrived(time.Now(), datagram.Packet{Data: b, Addr: from})
		}
		v.saveAll(time.Now())
		var said []string
		for _, o := range v.out {
			q, _ := ParsePacket(o.Data)
			said = append(said, q.Category.String())
		}
		if got := strings.Join(said, " "); got != tt.said || fmt.Sprint(sink.lengths) != tt.lengths {
			t.Errorf("%+v: wrote %v, said %q", tt, sink.lengths, got)
		}
		if report.Bytes != 0 || report.Chunks != 0 {
			t.Errorf("%+v: %d bytes in %d chunks are reported, and none could be written", tt, report.Bytes, report.Chunks)
		}
	}
}

// Chunks that arrive just before the end are written before the file is verified. Their
// buffers are not changed during that time.
func TestEndWithItsData(t *testing.T) {
	from := netip.MustParseAddrPort("10.0.0.9:9")
	sink := new(troubledItem)
	v, in := served(t, Receiver{}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) { return sink, nil }))
	h := offerOf("f", 100)
	in(CategoryHello, &h)
	data := make([]byte, 100)
	b, _ := Packet{Session: testSession, Seq: 1, Category: CategoryData, Payload: data}.MarshalBinary()
	v.arrived(time.Now(), datagram.Packet{Data: b, Addr: from})
	f := fin{session: testSession, number: 1, size: 100, digest: sha256.Sum256(data)}
	v.arrived(time.Now(), datagram.Packet{Data: appendMessage(nil, CategoryFin, &f), Addr: from})
	v.saveAll(time.Now()) // which the race detector looks at
	if len(v.committing) != 1 {
		t.Fatal("nothing is checked")
	}
	if err := <-v.committing[0].result; err != nil || fmt.Sprint(sink.lengths) != "[100]" {
		t.Errorf("%v, wrote %v", err, sink.lengths)
	}
}

// A slow sink does not delay the answer to a POLL that arrived with the chunks.
func TestAnsweredBeforeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		var written atomic.Bool
		m := p.serve(Receiver{}, ferry.To(writerFunc(func(b []byte) (int, error) {
			time.Sleep(time.Second)
			written.Store(true)
			return len(b), nil
		})))
		h := offerOf("f", 250)
		p.postTo(CategoryHello, &h)
		p.answer()
		b, _ := Packet{Session: testSession, Seq: 1, Category: CategoryData, Payload: make([]byte, 100)}.MarshalBinary()
		p.sender.WriteTo(b, m.conn.LocalAddr())
		p.postTo(CategoryPoll, &poll{session: testSession, number: 1, highest: 1})
		if got := p.answer(); got != "REPORT 1: 1 held, gathering" || written.Load() {
			t.Errorf("%s, written: %v", got, written.Load())
		}
		p.stop()
		if !written.Load() {
			t.Error("not written")
		}
	})
}

// What nothing follows is written all the same, and so is what is followed by the end.
func TestWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		m := p.serve(Receiver{}, s)
		h := offerOf("f", 250)
		p.postTo(CategoryHello, &h)
		p.answer()
		write := func(seq uint32) {
			b, _ := Packet{Session: testSession, Seq: seq, Category: CategoryData, Payload: make([]byte, 100)}.MarshalBinary()
			p.sender.WriteTo(b, m.conn.LocalAddr())
		}
		write(1)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := s.items[0].Len(); n != 100 {
			t.Errorf("%d bytes written of a chunk that came alone", n)
		}
		write(2)
		p.postTo(CategoryAbort, &abort{session: testSession, reason: ReasonCanceled})
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if i := s.items[0]; i.Len() != 200 || i.ended == "" {
			t.Errorf("%d bytes written of what came before the end; %q", i.Len(), i.ended)
		}
		p.stop()
	})
}
