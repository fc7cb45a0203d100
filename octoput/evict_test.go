package octoput

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
)

// A sender that has sent nothing but an OPEN loses its place after a second, without a
// word, and may open again. One that has sent more is told.
func TestReceiverMakesRoom(t *testing.T) {
	for name, r := range map[string]Receiver{"at once": {MaxTransfers: 2}, "in all": {Transfers: 2}} {
		synctest.Test(t, func(t *testing.T) {
			var ended []ferry.Offer
			r.Trace = &Trace{Finished: func(e TransferEvent) {
				o, err := e.Offer, e.Err
				if errors.Is(err, ferry.ErrBusy) {
					ended = append(ended, o)
				}
			}}
			var s sinks
			p, h := newHand(t, r, &s)
			h.begin(7, make([]byte, 100), 0)
			h.begin(8, make([]byte, 100), 0)
			time.Sleep(halfOpen - 100*time.Millisecond)
			h.writes(open(9, Opening{}))
			h.wantsCode(CodeBusy)
			time.Sleep(100 * time.Millisecond)
			h.begin(9, make([]byte, 100), 1) // the oldest one's place
			h.drain()
			if len(ended) != 1 || ended[0].Session != 7 || !errors.Is(s.all[0].aborted, ferry.ErrBusy) {
				t.Errorf("%s: ended for want of maxTransfers: %v", name, ended)
			}
			time.Sleep(2 * time.Second)
			h.begin(7, make([]byte, 100), 1) // again, in the place of the other
			h.drain()
			time.Sleep(halfOpen)
			h.writes(open(10, Opening{}))
			if p := h.wants(Err, 1, 0); p.Session != 9 || Code(p.Payload[0]) != CodeBusy {
				t.Errorf("%s: %v to session %d", name, Code(p.Payload[0]), p.Session)
			}
			h.wants(Ack, 0, AllLegs)
			p.stop()
		})
	}
}

// What a receiver's own sinks take is not held against who has just opened.
func TestReceiverMakesNoRoomForItsOwnStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []slowly
		slow := ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) {
			all = append(all, slowly{memorySink: new(memorySink), commit: halfOpen * 3 / 2})
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
		time.Sleep(halfOpen - 100*time.Millisecond)
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
	time.Sleep(halfOpen * 3 / 2)
	return f.FS.Open(name)
}

// What a server's own disk takes is not held against who has just asked.
func TestServeMakesNoRoomForItsOwnStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newClientHand(t, Sender{MaxTransfers: 1}, lateFS{fstest.MapFS{"f": {Data: noise(1, 1000)}}})
		h.writes(asking(1, "f"))
		time.Sleep(halfOpen) // meanwhile it stands still
		h.writes(asking(2, "f"))
		o := h.wants(Open, 0, 0)
		h.wantsCode(CodeBusy)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: o.Session})
		h.wants(Leg, 1, 1<<(LegsPerBlock-1))
		p.stop()
	})
}

// A place is kept by progress alone: by an octoblock per second, not by an octoleg now and
// then, and not by repeated packets.
func TestPlacesAreKeptByProgress(t *testing.T) {
	for _, tt := range []struct {
		name   string
		legs   int  // new ones in each half second
		repeat bool // the same one
		keeps  bool
	}{
		{"octoblocks", LegsPerBlock, false, true},
		{"octolegs", 1, false, false},
		{"repeated octolegs", 1, true, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, h := newHand(t, Receiver{MaxTransfers: 1}, &sinks{})
			data := noise(1, 10*BlockSize)
			legs := pieces(7, data)
			h.begin(7, data, 1)
			for next := 1; next < 6*tt.legs+1; next += tt.legs {
				for i := range tt.legs {
					if tt.repeat {
						h.writes(legs[0])
					} else {
						h.writes(legs[next+i])
					}
				}
				time.Sleep(500 * time.Millisecond)
			}
			h.drain()
			h.writes(open(8, Opening{Size: 1}))
			got, ok := h.reads()
			if kept := got.Session == 8 && got.Type == Err; !ok || kept != tt.keeps {
				t.Errorf("%s: kept its place: %v, want %v; %v %d", tt.name, kept, tt.keeps, got.Type, got.Session)
			}
			p.stop()
		})
	}
}

// One address does not take the places of the others.
func TestPlacesPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{MaxTransfers: 4, MaxPerAddress: 2}, &sinks{})
		h.begin(1, make([]byte, 100), 1)
		h.begin(2, make([]byte, 100), 1)
		h.writes(open(3, Opening{Size: 1}))
		h.wantsCode(CodeBusy)
		other := &hand{t: t, conn: p.listen(), to: p.to}
		other.begin(1, make([]byte, 100), 1)
		time.Sleep(halfOpen)
		other.begin(2, make([]byte, 100), 1)
		h.begin(3, make([]byte, 100), 1) // in the place of the address's own first
		h.writes(pieces(1, make([]byte, 100))[1])
		h.wantsCode(CodeBusy)
		p.stop()
	})
}

// A sender and a client that get the code for busy repeat their OPEN.
func TestBusyIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{MaxTransfers: 1}, &sinks{})
		h.begin(7, make([]byte, 100), 0)
		start := time.Now()
		conn := p.listen()
		src := source(noise(1, 1000))
		if _, err := new(Sender).Send(t.Context(), conn, p.to, src); err != nil || time.Since(start) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		conn.Close()
		p.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		p, h := newClientHand(t, Sender{MaxTransfers: 1}, fstest.MapFS{"f": {Data: noise(1, 1000)}})
		h.writes(asking(1, "f"))
		h.wants(Open, 0, 0)
		conn := p.listen()
		if _, err := new(Receiver).Get(t.Context(), conn, p.sender.AddrPort(), "f", &sinks{}); err != nil {
			t.Error(err)
		}
		conn.Close()
		p.stop()
	})
}

// Many refused offers do not make a receiver forget a file that it has.
func TestRefusedOffersAreForgottenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{MaxTransfers: 3}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			if o.Size == 1 {
				return nil, fs.ErrPermission
			}
			return s.Accept(o)
		}))
		h.begin(7, nil, 0)
		h.writes(fin(7, nil))
		h.until(Ack, 1, AllLegs)
		for session := range uint32(50) {
			h.writes(open(session+100, Opening{Size: 1}))
			h.wantsCode(CodeRefused)
		}
		h.writes(fin(7, nil))
		h.wants(Ack, 1, AllLegs)
		p.stop()
	})
}

// A shortage of file descriptors or memory is told as busy: the sender or client repeats its
// OPEN, and the transfer completes when the shortage is over.
func TestShortageIsAskedAgain(t *testing.T) {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		tries := 0
		short := func() error {
			if tries++; tries <= 2 {
				return &fs.PathError{Op: "open", Path: "f", Err: os.NewSyscallError("openat", lack)}
			}
			return nil
		}
		synctest.Test(t, func(t *testing.T) {
			var s sinks
			tries = 0
			p, _ := newHand(t, Receiver{}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
				if err := short(); err != nil {
					return nil, err
				}
				return s.Accept(o)
			}))
			if _, err := p.send(Sender{}, noise(1, 1000)); err != nil || tries < 3 {
				t.Errorf("send, %v: %v after %d tries", lack, err, tries)
			}
			p.stop()
		})
		synctest.Test(t, func(t *testing.T) {
			tries = 0
			p, _ := newClientHand(t, Sender{}, shortFS{fstest.MapFS{"f": {Data: noise(1, 1000)}}, short})
			conn := p.listen()
			if _, err := new(Receiver).Get(t.Context(), conn, p.sender.AddrPort(), "f", &sinks{}); err != nil || tries < 3 {
				t.Errorf("get, %v: %v after %d tries", lack, err, tries)
			}
			conn.Close()
			p.stop()
		})
	}
}

// A shortFS fails to open files while short returns an error.
type shortFS struct {
	fs.FS
	short func() error
}

func (f shortFS) Open(name string) (fs.File, error) {
	if err := f.short(); err != nil {
		return nil, err
	}
	return f.FS.Open(name)
}

// A negative MaxTransfers means no limit.
func TestUnlimitedTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{MaxTransfers: -1}, &sinks{})
		for session := range uint32(DefaultMaxTransfers + 10) {
			h.begin(session+1, make([]byte, 100), 1)
		}
		p.stop()
	})
}
