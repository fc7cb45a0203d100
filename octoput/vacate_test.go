package octoput

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
)

// Who has sent nothing but an OPEN makes room after a second, without a word, and may
// open again; who has gone on keeps its place.
func TestReceiverMakesRoom(t *testing.T) {
	for name, r := range map[string]Receiver{"at once": {MaxTransfers: 2}, "in all": {Transfers: 2}} {
		synctest.Test(t, func(t *testing.T) {
			var ended []ferry.Offer
			r.Trace = &Trace{Finished: func(o ferry.Offer, _ Report, err error) {
				if errors.Is(err, ferry.ErrBusy) {
					ended = append(ended, o)
				}
			}}
			var s sinks
			p, h := newHand(t, r, &s)
			h.begin(7, make([]byte, 100), 0)
			h.begin(8, make([]byte, 100), 0)
			time.Sleep(unvouched - 100*time.Millisecond)
			h.writes(open(9, Opening{}))
			h.wantsCode(CodeBusy)
			time.Sleep(100 * time.Millisecond)
			h.begin(9, make([]byte, 100), 1) // the oldest one's place
			h.drain()
			if len(ended) != 1 || ended[0].Session != 7 || !errors.Is(s.all[0].aborted, ferry.ErrBusy) {
				t.Errorf("%s: ended for want of room: %v", name, ended)
			}
			time.Sleep(2 * time.Second)
			h.begin(7, make([]byte, 100), 1) // again, in the place of the other
			h.drain()
			time.Sleep(2 * time.Second)
			h.writes(open(10, Opening{}))
			h.wantsCode(CodeBusy)
			p.stop()
		})
	}
}

// What a receiver's own sinks take is not held against who has just opened.
func TestReceiverMakesNoRoomForItsOwnStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []slowly
		slow := ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) {
			all = append(all, slowly{memorySink: new(memorySink), commit: unvouched * 3 / 2})
			return all[len(all)-1], nil
		})
		p, h := newHand(t, Receiver{MaxTransfers: 2}, slow)
		for session := range uint32(2) {
			h.begin(session+1, nil, 0)
		}
		h.writes(fin(1, nil))
		synctest.Wait()                      // it stands still
		h.writes(open(3, Opening{Size: 10})) // in the place of the first
		h.writes(fin(2, nil))                // for which it stands still again
		h.writes(open(4, Opening{Size: 10})) // in the place of the second
		h.writes(open(5, Opening{Size: 10})) // for which there is none
		h.until(Err, 0, 0)
		if all[2].aborted != nil {
			t.Errorf("put out: %v", all[2].aborted)
		}
		p.stop()
	})
}

// Clients that ask and do not go on make room after a second.
func TestServeMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int32
		fsys := countingFS{fstest.MapFS{"f": {Data: noise(1, 1000)}}, &opened}
		p, h := newClientHand(t, Sender{MaxTransfers: 2}, fsys)
		h.writes(asking(1, "f"))
		o := h.wants(Open, 0, 0)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: o.Session})
		h.drain()
		h.writes(asking(2, "f"))
		h.wants(Open, 0, 0)
		time.Sleep(unvouched - 100*time.Millisecond)
		h.writes(asking(3, "f"))
		h.until(Err, 0, 0)
		time.Sleep(100 * time.Millisecond)
		h.writes(asking(3, "f"))
		h.until(Open, 0, 0)
		synctest.Wait()
		if opened.Load() != 2 {
			t.Errorf("%d files are open, want 2", opened.Load())
		}
		for n := range plan(1000).count() { // the first goes on
			h.writes(Packet{Type: Ack, Flags: AllLegs, Session: o.Session, Block: n + 1})
			h.drain()
		}
		h.until(Fin, plan(1000).count()+1, 0)
		p.stop()
		if opened.Load() != 0 {
			t.Errorf("%d files are open at the end", opened.Load())
		}
	})
}

// A lateFS takes its time to open a file, as a disk does that has to spin up.
type lateFS struct{ fs.FS }

func (f lateFS) Open(name string) (fs.File, error) {
	time.Sleep(unvouched * 3 / 2)
	return f.FS.Open(name)
}

// What a server's own disk takes is not held against who has just asked.
func TestServeMakesNoRoomForItsOwnStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newClientHand(t, Sender{MaxTransfers: 1}, lateFS{fstest.MapFS{"f": {Data: noise(1, 1000)}}})
		h.writes(asking(1, "f"))
		time.Sleep(unvouched) // meanwhile it stands still
		h.writes(asking(2, "f"))
		o := h.wants(Open, 0, 0)
		h.wantsCode(CodeBusy)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: o.Session})
		h.wants(Leg, 1, 1<<(LegsPerBlock-1))
		p.stop()
	})
}
