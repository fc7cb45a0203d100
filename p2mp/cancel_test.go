package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A context may end with a cause that looks like a timeout of the conn.
func TestCauseLooksLikeATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(fmt.Errorf("elsewhere: %w", os.ErrDeadlineExceeded)) })
		_, err := (&Sender{Policy: Wait}).Send(ctx, p.sender, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3})
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
			if _, err := (&Sender{Classic: classic}).Send(ctx, p.sender, p.to, ferry.Source{R: src, Size: -1}); !errors.Is(err, context.Canceled) || src.n != 5 {
				t.Errorf("%v, %d bytes unread", err, src.n)
			}
		}
		p.stop()
	})
}

// TestCancelIsTold: the receivers of the extended mode need not wait for their timers.
func TestCancelIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		ctx, cancel := context.WithCancel(t.Context())
		s := Sender{MSS: 100, Window: 10, Trace: &Trace{Acked: func(PacketEvent) { cancel() }}}
		_, err := s.Send(ctx, p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 100000)), Size: 100000})
		start := time.Now()
		for _, m := range p.receivers {
			<-m.done
			var a *AbortError
			if !errors.As(m.err, &a) || a.Reason != ReasonCanceled || time.Since(start) > time.Second {
				t.Errorf("after %v: %v", time.Since(start), m.err)
			}
		}
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		p.stop()
	})
}

// TestReceiverStops: the sender hears at once of a receiver that is told to stop.
func TestReceiverStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		s := Sender{MSS: 100, Window: 10, Trace: &Trace{Acked: func(e PacketEvent) {
			if e.Seq == 20 {
				p.receivers[0].cancel()
			}
		}}}
		data := noise(1, 100000)
		report, err := s.Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: 100000})
		if want := "10.0.0.2:7735: canceled"; !strings.Contains(fmt.Sprint(err), want) || report.Elapsed > 5*time.Second {
			t.Errorf("after %v: %v", report.Elapsed, err)
		}
		if !bytes.Equal(p.receivers[1].got.Bytes(), data) {
			t.Error("the other receiver lacks the file")
		}
		p.stop()
	})
}

// A deadline is told as what it is for the receiver: somebody stopped the transfer.
func TestDeadlineReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := (&Sender{MSS: 100, Rate: 8e5}).Send(ctx, p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 100000)), Size: 100000})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		m := p.receivers[0]
		<-m.done
		var a *AbortError
		if !errors.As(m.err, &a) || a.Reason != ReasonCanceled {
			t.Errorf("the receiver was told: %v, want canceled", m.err)
		}
		p.stop()
	})
}

// A receiver whose answer to the HELLO has not arrived is told as well.
func TestCancelWhileJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond), dropCategory(netip.MustParseAddrPort("10.0.0.1:7735"), CategoryReport))
		p.receive(Receiver{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		(&Sender{MSS: 100}).Send(ctx, p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 1000)), Size: 1000})
		<-p.receivers[0].done
		if d := time.Since(start); d > time.Second {
			t.Errorf("the receiver heard of it after %v: %v", d, p.receivers[0].err)
		}
		p.stop()
	})
}

// A receiver that is told to stop while it checks a file ends that first, and the sender
// hears of it.
func TestStopWhileChecking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		var told []error
		r := Receiver{Trace: &Trace{Finished: func(e TransferEvent) { told = append(told, e.Err) }}}
		m := p.serve(r, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			i, err := s.Accept(o)
			return slowCommit{i.(*item)}, err
		}))
		h := offerOf("f", 0)
		p.postTo(CategoryHello, &h)
		p.answer()
		p.postTo(CategoryFin, &fin{session: h.session, number: 1, digest: sha256.Sum256(nil)})
		p.answer()
		start := time.Now()
		m.cancel()
		<-m.done
		if d := time.Since(start).Round(time.Millisecond); d != time.Second || !errors.Is(m.err, context.Canceled) {
			t.Errorf("Serve returned after %v, %v", d, m.err)
		}
		if s.items[0].ended != "committed" || len(told) != 1 || told[0] != nil {
			t.Errorf("%s; Finished was told %v", s.items[0].ended, told)
		}
		if got := p.answer(); got != "REPORT 1: 0 held, kept" {
			t.Errorf("the sender was told %s", got)
		}
		p.stop()
	})
}

// A receiver that is told to stop while it reads a resumed file again, which may be
// very long, does not read all of it; the file is kept for the next time.
func TestStopWhileReadingAgain(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 1_000_000)
	h := offerOf("f", int64(len(data)))
	digest := sha256.Sum256(data)
	h.digest = &digest
	part := fmt.Sprintf(".f.%x.%d.part", digest[:8], len(data))
	if err := root.WriteFile(part, data, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		var told []error
		r := Receiver{Trace: &Trace{Finished: func(e TransferEvent) { told = append(told, e.Err) }}}
		m := p.serve(r, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			sink, err := (&ferry.Dir{Root: root, Resume: true}).Accept(o)
			return slowResumer{sink.(ferry.Resumer)}, err
		}))
		p.postTo(CategoryHello, &h)
		p.answer()
		p.postTo(CategoryFin, &fin{session: h.session, number: 1, size: h.size, digest: digest})
		if got, want := p.answer(), "REPORT 1: 10000 held, checking"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		pause(1500 * time.Millisecond)
		start := time.Now()
		m.cancel()
		<-m.done
		if d := time.Since(start); d > time.Second || !errors.Is(m.err, context.Canceled) {
			t.Errorf("Serve returned after %v, %v", d, m.err)
		}
		if len(told) != 1 || !errors.Is(told[0], context.Canceled) {
			t.Errorf("Finished was told %v", told)
		}
		if got, want := p.answer(), "ABORT: canceled"; got != want {
			t.Errorf("the sender was told %s", got)
		}
		p.stop()
	})
	if got := names(t, dir); len(got) != 1 || got[0] != part {
		t.Errorf("files %q, want what was held", got)
	}
}

type slowResumer struct{ ferry.Resumer }

func (s slowResumer) ReadAt(b []byte, offset int64) (int, error) {
	time.Sleep(time.Second)
	return s.Resumer.ReadAt(b, offset)
}
