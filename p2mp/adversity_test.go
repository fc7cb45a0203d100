package p2mp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A source that says that it was cut off is not one that ends, however it says it; and
// one that never says anything is given up.
func TestSourceCutOff(t *testing.T) {
	for name, tt := range map[string]struct {
		end  error
		want error
	}{
		"unexpected EOF": {io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
		"a wrapped EOF":  {fmt.Errorf("connection lost: %w", io.EOF), io.EOF},
		"nothing":        {nil, io.ErrNoProgress},
	} {
		for _, classic := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, classic %v", name, classic), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newParty(t, 1, lossy.Delay(time.Millisecond))
					s := &shelf{t: t}
					p.serve(Receiver{}, s)
					_, err := (&Sender{MSS: 100, Classic: classic}).Send(t.Context(), p.sender, p.to, Source{R: &failingReader{n: 250, err: tt.end}, Size: -1})
					pause(2 * DefaultReceiverGiveUp)
					p.stop()
					if !errors.Is(err, tt.want) {
						t.Errorf("Send: %v", err)
					}
					for _, i := range s.items {
						if i.ended != "aborted" {
							t.Errorf("a part was %s as the whole", i.ended)
						}
					}
				})
			})
		}
	}
}

// What comes after an end of file is not read: a terminal may have more.
func TestSourceAfterItsEnd(t *testing.T) {
	r := io.MultiReader(strings.NewReader("ab"), &failingReader{err: io.EOF}, strings.NewReader("more"))
	lengths, data, err := cut(Source{R: &pausingReader{r: r}, Size: -1}, 500)
	if fmt.Sprint(lengths) != "[2 0]" || string(data) != "ab" || err != nil {
		t.Errorf("chunks of %v, %q, %v", lengths, data, err)
	}
}

// A pausingReader says that it is at its end, once, between two reads.
type pausingReader struct {
	r     io.Reader
	reads int
}

func (r *pausingReader) Read(b []byte) (int, error) {
	if r.reads++; r.reads == 2 {
		return 0, io.EOF
	}
	return r.r.Read(b)
}

// A context may end with a cause that looks like a timeout of the conn.
func TestCauseLooksLikeATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(fmt.Errorf("elsewhere: %w", os.ErrDeadlineExceeded)) })
		_, err := (&Sender{Policy: Wait}).Send(ctx, p.sender, p.to, Source{R: strings.NewReader("abc"), Size: 3})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Send: %v", err)
		}
		if err := (&Receiver{}).Serve(ctx, p.receivers[0].conn, &shelf{t: t}); !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		p.stop()
	})
}

// A context that has ended sends nothing.
func TestCanceledBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.WithTrace(&lossy.Trace{Judged: func(lossy.Event) { t.Error("a packet was sent") }}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, classic := range []bool{false, true} {
			src := &failingReader{n: 5, err: errBroken}
			if _, err := (&Sender{Classic: classic}).Send(ctx, p.sender, p.to, Source{R: src, Size: -1}); !errors.Is(err, context.Canceled) || src.n != 5 {
				t.Errorf("%v, %d bytes unread", err, src.n)
			}
		}
		p.stop()
	})
}

// TestNoMixture: a classic sender that begins again from its port, in mid-file, with a
// file that is alike in places, ends with an error or with its file delivered, not with
// a mixture.
func TestNoMixture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		x := bytes.Repeat([]byte{0}, 1000) // a sparse file
		y := bytes.Clone(x)
		y[250], y[950] = 1, 1
		ctx, cancel := context.WithCancel(t.Context())
		first := Sender{MSS: 100, Classic: true, Trace: &Trace{Acked: func(_ netip.AddrPort, seq uint32, _ int64, _ time.Duration) {
			if seq == 5 {
				cancel()
			}
		}}}
		if _, err := first.Send(ctx, p.sender, p.to, Source{R: bytes.NewReader(x), Size: 1000}); err == nil {
			t.Fatal("not canceled")
		}
		err := p.sendFrom(p.sender, y)
		pause(2 * DefaultReceiverGiveUp)
		p.stop()
		for _, i := range s.items {
			if i.ended == "committed" && !bytes.Equal(i.Bytes(), y) {
				t.Error("a mixture of two files was committed")
			}
		}
		if last := s.items[len(s.items)-1]; err == nil && last.ended != "committed" {
			t.Error("the sender believes in a file that is not there")
		}
	})
}

// TestLateFirstChunk: a copy of an earlier transfer's chunk 1 that comes in the middle
// of the next one disturbs nothing.
func TestLateFirstChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		for _, c := range []Packet{chunk(1, "ab"), chunk(2, "c"), chunk(1, "vw"), chunk(1, "ab"), chunk(2, "xy"), chunk(1, "ab"), chunk(3, "z"), chunk(1, "ab")} {
			p.write(c)
			pause(time.Millisecond)
		}
		p.stop()
		if len(s.items) != 2 || s.items[0].String() != "abc" || s.items[1].String() != "vwxyz" || s.items[1].ended != "committed" {
			t.Errorf("%d transfers: %v", len(s.items), s.items)
		}
	})
}

// TestStaleAcknowledgement: one that waits in the conn since an earlier transfer is not
// taken for this one's.
func TestStaleAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		ack, _ := Packet{Seq: 1, Category: CategoryAck}.MarshalBinary()
		p.receivers[0].conn.WriteTo(ack, p.sender.LocalAddr())
		pause(time.Millisecond)
		if err := p.sendFrom(p.sender, nil); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("Send with nobody there: %v", err)
		}
		p.stop()
	})
}

// TestTwoForOnePlace: the first of two senders to complete wins; the other is told.
func TestTwoForOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		m := p.serve(Receiver{Transfers: 1}, s)
		p.write(chunk(1, "ab")) // a sender that then dies
		slow := p.listen()
		defer slow.Close()
		errs := make(chan error)
		go func() {
			_, err := (&Sender{Rate: 1e5}).Send(t.Context(), slow, p.to, Source{R: bytes.NewReader(noise(1, 50000)), Size: 50000})
			errs <- err
		}()
		pause(100 * time.Millisecond)
		quick := p.listen()
		defer quick.Close()
		if _, err := (&Sender{}).Send(t.Context(), quick, p.to, Source{R: strings.NewReader("abc"), Size: 3}); err != nil {
			t.Error(err)
		}
		if err := <-errs; !errors.Is(err, ErrBusy) {
			t.Errorf("the slow sender: %v", err)
		}
		<-m.done
		var whole int
		for _, i := range s.items {
			if i.ended == "committed" {
				whole++
			}
		}
		if m.err != nil || whole != 1 || len(s.items) != 3 {
			t.Errorf("Serve = %v with %d whole of %d", m.err, whole, len(s.items))
		}
		p.stop()
	})
}

// A sender that says the same again and again is not silent.
func TestRepetitionIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{})
		for range 60 {
			p.write(chunk(1, "ab"))
			pause(time.Second)
		}
		p.write(chunk(2, "c"))
		<-p.receivers[0].done
		if m := p.receivers[0]; m.err != nil || m.got.String() != "abc" {
			t.Errorf("%q, %v", m.got.String(), m.err)
		}
		p.stop()
	})
}

// Lingering ends, though the other side never hears an answer.
func TestLingerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{})
		start := time.Now()
		p.write(chunk(1, ""))
		for time.Since(start) < time.Minute {
			p.write(chunk(1, ""))
			pause(time.Second)
		}
		select {
		case <-p.receivers[0].done:
		default:
			t.Error("it lingers still")
		}
		p.stop()
	})
}

// Late copies of all chunks do not end the linger time, when there is no room for
// another transfer.
func TestLingerIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{Transfers: 1}, &shelf{t: t})
		for _, c := range []Packet{chunk(1, "ab"), chunk(2, "cd"), chunk(3, ""), chunk(1, "ab"), chunk(2, "cd")} {
			p.write(c)
			pause(time.Millisecond)
		}
		for range 4 { // ACKs 1, 2, 3 and 1
			p.read()
		}
		p.sender.SetReadDeadline(time.Now().Add(time.Millisecond))
		p.sender.ReadFrom(make([]byte, 10)) // that of chunk 2, if there was one
		p.write(chunk(3, ""))
		if got := p.read(); got != "ACK 3" {
			t.Errorf("the last chunk again drew %s", got)
		}
		p.stop()
	})
}

// A conn that cannot write one answer writes the others; one that is closed ends Serve.
func TestAnswersThatCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		m := p.receivers[0]
		blocked := p.listen()
		defer blocked.Close()
		failed := 0
		closed := false
		conn := plainConn{m.conn, func(b []byte, to net.Addr) (int, error) {
			switch {
			case closed:
				return 0, net.ErrClosed
			case to.String() == blocked.LocalAddr().String():
				return 0, errBroken
			}
			return m.conn.WriteTo(b, to)
		}}
		r := Receiver{Trace: &Trace{WriteFailed: func(to netip.AddrPort, err error) {
			if failed++; to != addrOf(blocked) || !errors.Is(err, errBroken) {
				t.Errorf("to %v: %v", to, err)
			}
		}}}
		m.start(func(ctx context.Context) error { return r.Serve(ctx, conn, &shelf{t: t}) })
		b, _ := chunk(1, "ab").MarshalBinary()
		third := p.listen()
		defer third.Close()
		for _, c := range []*lossy.Conn{p.sender, blocked, third} {
			c.WriteTo(b, m.conn.LocalAddr())
		}
		pause(time.Millisecond)
		if got := p.read(); got != "ACK 1" || failed != 1 {
			t.Errorf("the first drew %s, %d failures", got, failed)
		}
		third.SetReadDeadline(time.Now().Add(time.Second))
		if n, _, err := third.ReadFrom(make([]byte, 10)); n != headerLen || err != nil {
			t.Errorf("the third drew %d bytes, %v", n, err)
		}
		closed = true
		p.write(chunk(2, "cd"))
		<-m.done
		if !errors.Is(m.err, net.ErrClosed) {
			t.Errorf("Serve = %v", m.err)
		}
		p.stop()
	})
}

// A sink that takes its time, or none, or no bounds.
func TestOddHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{MaxTransfers: math.MaxInt}, HandlerFunc(func(Offer) (Sink, error) { return nil, nil }))
		_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, Source{R: strings.NewReader("abc"), Size: 3})
		if a, ok := errors.AsType[*AbortError](err); !ok || a.Reason != ReasonRefused {
			t.Errorf("a handler without a sink: %v", err)
		}
		p.stop()
	})
	synctest.Test(t, func(t *testing.T) { // a disk that stands still for longer than anybody may be silent
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		stall := 2 * DefaultReceiverGiveUp
		p.serve(Receiver{}, HandlerFunc(func(o Offer) (Sink, error) {
			sink, err := s.Accept(o)
			if len(s.items) == 1 {
				sink = &stallingSink{sink, stall}
			}
			return sink, err
		}))
		other := p.listen()
		defer other.Close()
		go p.sendFrom(p.sender, noise(1, 300))
		pause(3 * time.Millisecond)
		data := noise(2, 3000)
		_, err := (&Sender{MSS: 100, Classic: true, GiveUp: time.Hour, JoinTimeout: time.Hour}).Send(t.Context(), other, p.to, Source{R: bytes.NewReader(data), Size: 3000})
		if err != nil {
			t.Errorf("the other sender: %v", err)
		}
		pause(stall)
		p.stop()
	})
}

type stallingSink struct {
	Sink
	stall time.Duration
}

func (s *stallingSink) Write(b []byte) (int, error) {
	time.Sleep(s.stall)
	s.stall = 0
	return s.Sink.Write(b)
}

// What a Trace was told stays as it was.
func TestFinishedReportIsACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		var told Report
		p.receive(Receiver{Trace: &Trace{Finished: func(_ Offer, r Report, _ error) { told = r }}})
		for range 3 {
			p.write(chunk(1, ""))
			pause(time.Millisecond)
		}
		p.stop()
		if d := told.Peers[0].Duplicates; d != 0 {
			t.Errorf("the report that Finished got counts %d duplicates that came later", d)
		}
		if d := p.receivers[0].report.Peers[0].Duplicates; d != 2 {
			t.Errorf("%d duplicates in the final report, want 2", d)
		}
	})
}

// Under the policy Fail the error names the receiver that fell silent, not the first.
func TestFailNamesTheRightOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := netip.MustParseAddrPort("10.0.0.3:7735")
		p := newParty(t, 2, lossy.Delay(time.Millisecond), dropData(second, 5))
		p.receive(Receiver{})
		_, err := p.send(Sender{Classic: true, MSS: 100, Policy: Fail}, noise(1, 1000))
		var peer *PeerError
		if !errors.As(err, &peer) || peer.Peer != second || peer.Seq != 5 {
			t.Errorf("error %v", err)
		}
	})
}

func TestFileSourceBehindItsEnd(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("abc")
	f.Seek(10, io.SeekStart)
	if src, err := FileSource(f); err != nil || src.Size != 0 {
		t.Errorf("%+v, %v; want size 0", src, err)
	}
}
