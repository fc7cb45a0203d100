package p2mp

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestEndIsRemembered: for a minute after the last question, or GiveUp.
func TestEndIsRemembered(t *testing.T) {
	for _, tt := range []struct{ giveUp, memory time.Duration }{
		{0, sessionMemory},
		{time.Second, sessionMemory},
		{2 * time.Minute, 2 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1)
			p.serve(Receiver{GiveUp: tt.giveUp}, &shelf{t: t})
			h := offerOf("f", 0)
			p.postTo(CategoryHello, &h)
			p.answer()
			f := fin{session: h.session, number: 1, digest: sha256.Sum256(nil)}
			p.postTo(CategoryFin, &f)
			p.answer()
			p.answer()
			for range 3 {
				pause(tt.memory - time.Second)
				f.number++
				p.postTo(CategoryFin, &f)
				if got, want := p.answer(), fmt.Sprintf("REPORT %d: 0 held, kept", f.number); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
			pause(tt.memory + time.Second)
			p.postTo(CategoryFin, &f)
			if got, want := p.answer(), "ABORT: "+ReasonUnknown.String(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			p.stop()
		})
	}
}

// TestKeptAndForgotten: the path is cut when the file is kept, and the sender has patience.
// It is told that the file is there as long as the receiver knows; after that, nothing
// untrue.
func TestKeptAndForgotten(t *testing.T) {
	for _, outage := range []time.Duration{sessionMemory - 2*time.Second, sessionMemory + 2*time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var cut atomic.Int64
			p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.DropIf(func(lossy.Packet) bool {
				at := cut.Load()
				return at != 0 && time.Since(time.Unix(0, at)) < outage
			}))
			s := &shelf{t: t}
			// It takes its time, so that the answer to the FIN has left when the outage begins.
			slow := ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
				_, err := s.Accept(o)
				return slowCommit{s.items[0]}, err
			})
			p.serve(Receiver{Trace: &Trace{Finished: func(TransferEvent) { cut.Store(time.Now().UnixNano()) }}}, slow)
			_, err := (&Sender{Policy: Wait}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(noise(1, 3000)), Size: 3000})
			p.stop()
			if s.items[0].ended != "committed" {
				t.Fatal(s.items[0].ended)
			}
			known := outage < sessionMemory
			if told := errors.Is(err, ferry.ErrUnconfirmed) && errors.Is(err, ferry.ErrRestarted); (err == nil) != known || told == known {
				t.Errorf("after an outage of %v: %v", outage, err)
			}
			if want := "10.0.0.2:7735: sent, not confirmed: after chunk 3, the last, it knows nothing of the transfer"; !known && !strings.Contains(err.Error(), want) {
				t.Errorf("error %q", err)
			}
		})
	}
}

// TestMemoryIsBounded: as many ended sessions as there may be transfers are remembered, the
// latest ones, and nothing of the others.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, in := served(t, Receiver{MaxTransfers: 3}, &shelf{t: t})
		h := offerOf("f", 0)
		h.session &^= 0xffff
		for i := range 20 {
			h.session++
			h.size = int64(i%2) * 10000
			in(CategoryHello, &h)
			if i%2 == 1 { // and this one fails
				in(CategoryAbort, &abort{session: h.session, reason: ReasonCanceled})
				continue
			}
			in(CategoryFin, &fin{session: h.session, number: 1, digest: sha256.Sum256(nil)})
			time.Sleep(time.Millisecond)
			synctest.Wait()
			v.committed(time.Now())
		}
		if len(v.all) != 6 || len(v.whole) != 3 || len(v.failed) != 3 || len(v.committing) != 0 || len(v.active) != 0 {
			t.Errorf("%d transfers, %d whole, %d failed, %d committing, %d under way", len(v.all), len(v.whole), len(v.failed), len(v.committing), len(v.active))
		}
		if len(v.bySum) > 6 || len(v.latest) != 1 || len(v.hosts) != 0 {
			t.Errorf("%d sums, %d senders, %d hosts", len(v.bySum), len(v.latest), len(v.hosts))
		}
		for i := range uint64(6) {
			s := v.all[transferKey{v.whole[0].key.from, h.session - i}]
			if s == nil || s.sink != nil || s.hash != nil || s.chunks.(*reassembly).slots != nil || (s.state == whole) != (i%2 == 1) {
				t.Errorf("the %d-th from the end: %+v", i, s)
			}
		}
		v.expire(time.Now().Add(2 * sessionMemory))
		if len(v.all)+len(v.whole)+len(v.failed)+len(v.bySum)+len(v.latest) != 0 {
			t.Errorf("%d transfers, %d whole, %d failed, %d sums, %d senders are never forgotten", len(v.all), len(v.whole), len(v.failed), len(v.bySum), len(v.latest))
		}
	})
}
