package octoput

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// newServer runs Sender.Serve on the pair's sending side.
func newServer(t testing.TB, s Sender, fsys fs.FS, options ...lossy.Option) *pair {
	p := newPair(t, options...)
	p.start(func(ctx context.Context) error { return s.Serve(ctx, p.sender, ferry.FS(fsys)) })
	return p
}

// get asks the server for a file.
func (p *pair) get(r Receiver, name string, h ferry.Handler) (Report, error) {
	return r.Get(context.Background(), p.receiver, p.sender.AddrPort(), name, h)
}

func TestGet(t *testing.T) {
	for _, loss := range []float64{0, 0.3} {
		synctest.Test(t, func(t *testing.T) {
			files := fstest.MapFS{"empty": {}, "f": {Data: noise(1, 1000)}, "a/b/c": {Data: noise(2, 3*BlockSize+13)}}
			p := newServer(t, Sender{GiveUp: time.Hour}, files, lossy.Seed(3), lossy.Loss(loss), lossy.Jitter(time.Millisecond, 5*time.Millisecond))
			for name, f := range files {
				var s sinks
				report, err := p.get(Receiver{JoinTimeout: time.Hour, Linger: time.Minute}, name, &s)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				m := s.all[0]
				if m.committed != 1 || !bytes.Equal(m.Bytes(), f.Data) || m.offer.Name != name || report.Bytes != int64(len(f.Data)) {
					t.Errorf("%s: committed %d times, %d bytes, report %+v", name, m.committed, m.Len(), report)
				}
			}
			p.stop()
			if !errors.Is(p.err, context.Canceled) {
				t.Errorf("Serve: %v", p.err)
			}
		})
	}
}

// A server refuses names that lead out of the directory, and everything except regular
// files.
func TestGetRefused(t *testing.T) {
	root, dir := openRoot(t)
	for name, data := range map[string]string{"f": "inside", "../outside": "outside"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Remove(filepath.Join(dir, "../outside"))
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	makeTraps(t, dir)
	synctest.Test(t, func(t *testing.T) {
		p := newServer(t, Sender{}, root.FS())
		for name, want := range map[string]error{
			"nonsuch":                fs.ErrNotExist,
			"sub":                    fs.ErrPermission,
			".":                      fs.ErrInvalid,
			"pipe":                   fs.ErrPermission,
			"f/":                     fs.ErrInvalid,
			"":                       fs.ErrInvalid,
			"/etc/passwd":            fs.ErrInvalid,
			"../outside":             fs.ErrInvalid,
			"sub/../f":               fs.ErrInvalid,
			"\xff":                   fs.ErrInvalid,
			"f\x00":                  nil, // which error is the system's to say
			"link":                   nil,
			strings.Repeat("x", 255): nil,
		} {
			var s sinks
			start := time.Now()
			_, err := p.get(Receiver{}, name, &s)
			var said *RemoteError
			if !errors.As(err, &said) || want != nil && !errors.Is(err, want) || len(s.all) != 0 || time.Since(start) > time.Second {
				t.Errorf("%q: %v, %d transfers, after %v", name, err, len(s.all), time.Since(start))
			}
			if err != nil && (strings.Contains(err.Error(), dir) || !strings.HasPrefix(err.Error(), "octoput: 10.0.0.1:8888: refused: ")) {
				t.Errorf("%q: %v", name, err)
			}
		}
		p.stop()
	})
}

// A server does not open a name that is not a valid path.
func TestGetNoPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newServer(t, Sender{}, anyFS{})
		for _, name := range []string{"", "/f", "../f", "a/../f", "f/"} {
			if _, err := p.get(Receiver{}, name, &sinks{}); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%q: %v", name, err)
			}
		}
		p.stop()
	})
}

// An anyFS has a file for every name, also for invalid paths.
type anyFS struct{}

func (anyFS) Open(string) (fs.File, error) { return fstest.MapFS{"f": {}}.Open("f") }

func TestGetFromNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		start := time.Now()
		_, err := p.get(Receiver{}, "f", &sinks{})
		if !errors.Is(err, ferry.ErrNoAnswer) || err.Error() != "octoput: 10.0.0.1:8888: no answer in 5s" || time.Since(start) != 5*time.Second {
			t.Errorf("Get: %v after %v", err, time.Since(start))
		}
		if _, err := p.get(Receiver{}, strings.Repeat("x", 256), &sinks{}); !errors.Is(err, ErrLength) {
			t.Errorf("a name of 256 bytes: %v", err)
		}
		if _, err := (&Receiver{}).Get(context.Background(), p.receiver, netip.AddrPort{}, "f", &sinks{}); err == nil {
			t.Error("no server: no error")
		}
		p.stop()
	})
}

// newClientHand plays the client against a server that runs.
func newClientHand(t *testing.T, s Sender, fsys fs.FS) (*pair, *hand) {
	p := newServer(t, s, fsys)
	return p, &hand{t: t, conn: p.receiver, to: p.sender.AddrPort()}
}

func asking(session uint32, name string) Packet {
	p := open(session, Opening{Name: name})
	p.Flags = ask
	return p
}

// To an address that has not shown that it asked, the server sends a packet for each
// that it gets, none longer.
func TestServeDoesNotAmplify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newClientHand(t, Sender{}, fstest.MapFS{"f": {Data: noise(1, 1000)}})
		q := asking(7, "f")
		for range 3 {
			h.writes(q)
			o := h.wants(Open, 0, 0)
			if got, err := ParseOpening(o.Payload); err != nil || got != (Opening{Size: 1000, Answers: 7, Name: "f"}) {
				t.Errorf("the answer is %+v, %v", got, err)
			}
			if len(o.Payload) > len(q.Payload) {
				t.Errorf("an answer of %d bytes to %d", len(o.Payload), len(q.Payload))
			}
			if o.Session == 7 {
				t.Error("whoever asks knows the session of the answer before he gets it")
			}
			h.wantsNothing()
		}
		// A forger who does not see the answer must guess its session.
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: 7})
		if _, ok := h.reads(); ok {
			t.Error("the file is sent to somebody who did not get the answer")
		}
		h.writes(asking(8, "nonsuch"))
		h.wantsCode(CodeAbsent)
		h.wantsNothing()
		p.stop()
	})
}

// A question has no size, and answers none.
func TestServeOddQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newClientHand(t, Sender{}, fstest.MapFS{"f": {Data: noise(1, 10)}})
		for _, o := range []Opening{{Name: "f", Answers: 9}, {Name: "f", Size: 1}} {
			q := open(7, o)
			q.Flags = ask
			h.writes(q)
			h.wantsNothing()
		}
		p.stop()
	})
}

// A forged question starts nothing between a server and a receiver, two servers, or one
// and itself.
func TestServersDoNotTalkToEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newServer(t, Sender{}, fstest.MapFS{"f": {Data: noise(1, 1000)}})
		server := p.sender.AddrPort()
		packets := 0
		for _, run := range []func(context.Context) error{
			func(ctx context.Context) error { return (&Receiver{}).Serve(ctx, p.receiver, &sinks{}) },
			func(ctx context.Context) error {
				return (&Sender{}).Serve(ctx, p.receiver, ferry.FS(fstest.MapFS{"f": {}}))
			},
		} {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				run(ctx)
				close(done)
			}()
			before := p.net.Stats().Packets
			p.receiver.WriteToUDPAddrPort(raw(asking(7, "f")), server)
			time.Sleep(time.Minute)
			packets += p.net.Stats().Packets - before
			cancel()
			<-done
		}
		if packets != 4 { // twice the question and its answer, which nobody answers
			t.Errorf("%d packets, want 4", packets)
		}
		p.stop()
	})
}

// The question is repeated until the server has the acknowledgement of its answer.
func TestGetLosesAnything(t *testing.T) {
	for n := 1; n <= 6; n++ {
		synctest.Test(t, func(t *testing.T) {
			data := noise(1, 1000)
			p := newServer(t, Sender{}, fstest.MapFS{"f": {Data: data}}, lossy.DropNth(n), lossy.Delay(time.Millisecond))
			var s sinks
			if _, err := p.get(Receiver{}, "f", &s); err != nil || !bytes.Equal(s.all[0].Bytes(), data) || s.all[0].committed != 1 {
				t.Errorf("the packets number %d are lost: %v", n, err)
			}
			p.stop()
		})
	}
}

// What the server calls the file is not the client's to keep.
func TestGetOtherThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.sender, to: p.to}
		stranger := &hand{t: t, conn: p.listen(), to: p.to}
		var s sinks
		var err error
		p.start(func(context.Context) error {
			_, err = p.get(Receiver{}, "f", &s)
			return nil
		})
		q := h.wants(Open, 0, ask)
		h.writes(open(8, Opening{Answers: q.Session, Name: "../f"}))
		h.writes(open(8, Opening{Answers: q.Session + 1, Name: "f"}))
		h.writes(open(8, Opening{Name: "f"}))
		stranger.writes(open(8, Opening{Answers: q.Session, Name: "f"}))
		stranger.writes(Packet{Type: Err, Session: q.Session, Payload: []byte{1}})
		h.wantsNothing()
		stranger.wantsNothing()
		h.writes(open(8, Opening{Answers: q.Session, Name: "f"}))
		h.wants(Ack, 0, AllLegs)
		h.writes(fin(8, nil))
		h.wants(Ack, 1, AllLegs)
		p.wait()
		if err != nil || len(s.all) != 1 || s.all[0].committed != 1 {
			t.Errorf("Get: %v, %d transfers", err, len(s.all))
		}
		stranger.conn.Close()
	})
}

// When the server sends there is nothing left to ask.
func TestGetAsksNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.sender, to: p.to}
		p.start(func(context.Context) error {
			_, err := p.get(Receiver{}, "f", &sinks{})
			return err
		})
		q := h.wants(Open, 0, ask)
		h.wants(Open, 0, ask)
		h.writes(open(8, Opening{Size: 8, Answers: q.Session, Name: "f"}))
		h.wants(Ack, 0, AllLegs)
		h.wants(Open, 0, ask) // for all that it knows, that was lost
		h.writes(Packet{Type: Leg, Session: 8, Flags: 0b10000000, Block: 1, Payload: []byte{0}})
		h.wantsCode(CodeStopped) // after DefaultGiveUp
		p.wait()
		if !errors.Is(p.err, ferry.ErrSilent) {
			t.Errorf("Get: %v", p.err)
		}
	})
}

// A server that has offered the file and then falls silent has answered.
func TestGetServerFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.sender, to: p.to}
		p.start(func(context.Context) error {
			_, err := p.get(Receiver{}, "f", &sinks{})
			return err
		})
		q := h.wants(Open, 0, ask)
		h.writes(open(8, Opening{Size: 8, Answers: q.Session, Name: "f"}))
		start := time.Now()
		p.wait()
		if took := time.Since(start); !errors.Is(p.err, ferry.ErrSilent) || took < DefaultGiveUp || took > DefaultGiveUp+time.Second {
			t.Errorf("Get: %v after %v", p.err, took)
		}
	})
}

func TestGetCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := (&Receiver{}).Get(ctx, p.receiver, p.sender.AddrPort(), "f", &sinks{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: %v", err)
		}
		p.stop()
	})
}

// Clients that vanish cost a place for a time, and then none; beyond the places a
// client is told that the server is busy.
func TestServeBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int32
		fsys := countingFS{fstest.MapFS{"f": {Data: noise(1, 1000)}}, &opened}
		p, h := newClientHand(t, Sender{MaxTransfers: 2}, fsys)
		for session := range uint32(2) {
			h.writes(asking(session+1, "f"))
			h.wants(Open, 0, 0)
		}
		h.writes(asking(3, "f"))
		h.wantsCode(CodeBusy)
		synctest.Wait()
		if opened.Load() != 2 {
			t.Errorf("%d files are open, want 2", opened.Load())
		}
		time.Sleep(DefaultJoinTimeout)
		h.writes(asking(3, "f"))
		h.wants(Open, 0, 0)
		synctest.Wait()
		if opened.Load() != 1 {
			t.Errorf("%d files are open, want 1", opened.Load())
		}
		p.stop()
		if opened.Load() != 0 {
			t.Errorf("%d files are open at the end", opened.Load())
		}
	})
}

// A call whose context has ended sends nothing.
func TestEndedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.receiver}
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errBroken)
		if _, err := new(Sender).Send(ctx, p.sender, p.to, ferry.Source{R: strings.NewReader("text"), Size: 4}); !errors.Is(err, errBroken) {
			t.Errorf("Send: %v", err)
		}
		if _, err := new(Receiver).Get(ctx, p.sender, p.to, "f", &sinks{}); !errors.Is(err, errBroken) {
			t.Errorf("Get: %v", err)
		}
		h.wantsNothing()
		p.sender.Close()
		p.receiver.Close()
	})
}

// A countingFS counts the files that are open.
type countingFS struct {
	fs.FS
	open *atomic.Int32
}

type countedFile struct {
	fs.File
	open *atomic.Int32
}

func (c countingFS) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return countedFile{f, c.open}, nil
}

func (c countedFile) Close() error {
	c.open.Add(-1)
	return c.File.Close()
}

// Many clients are served at once.
func TestServeManyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 20
		data := noise(1, 5*BlockSize+3)
		p := newServer(t, Sender{}, fstest.MapFS{"f": {Data: data}}, lossy.Seed(1), lossy.Loss(0.05), lossy.Delay(10*time.Millisecond))
		start := time.Now()
		done := make(chan error, clients)
		for range clients {
			conn := p.listen()
			go func() {
				defer conn.Close()
				var s sinks
				_, err := (&Receiver{Linger: -1}).Get(context.Background(), conn, p.sender.AddrPort(), "f", &s)
				if err == nil && !bytes.Equal(s.all[0].Bytes(), data) {
					err = errBroken
				}
				done <- err
			}()
		}
		for range clients {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v, as if one came after the other", took)
		}
		p.stop()
	})
}
