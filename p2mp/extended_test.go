package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// postTo sends a packet of the extended mode from the party's sender to its receiver.
func (p *party) postTo(c Category, m message) {
	p.sender.WriteTo(appendMessage(nil, c, m), p.receivers[0].conn.LocalAddr())
}

// answer reads the next packet that reaches the party's sender; "nothing" if none does
// within a minute.
func (p *party) answer() string {
	b := make([]byte, 2000)
	p.sender.SetReadDeadline(time.Now().Add(time.Minute))
	n, _, err := p.sender.ReadFrom(b)
	if err != nil {
		return "nothing"
	}
	q, err := ParsePacket(b[:n])
	if err != nil {
		p.t.Error(err)
	}
	switch m, err := parseMessage(q.Category, q.Payload); m := m.(type) {
	case *status:
		return fmt.Sprintf("REPORT %d: %d held, %v", m.number, m.cum, m.progress)
	case *abort:
		return fmt.Sprintf("ABORT: %v", m.reason)
	default:
		return fmt.Sprint(q.Category, q.Seq, err)
	}
}

func (p progress) String() string {
	return [...]string{"gathering", "checking", "kept"}[p]
}

// offerOf is a HELLO as a sender would send it.
func offerOf(name string, size int64) hello {
	return hello{session: testSession, version: version, name: name, size: size, mss: 100, kind: digestSHA256}
}

// TestRefusedOffers: each is refused with a reason that the sender is told, and none
// leaves a file.
func TestRefusedOffers(t *testing.T) {
	group := func(s string) func(*hello) {
		return func(h *hello) { h.group = netip.MustParseAddrPort(s) }
	}
	name := func(s string) func(*hello) {
		return func(h *hello) { h.name = s }
	}
	for _, tt := range []struct {
		name   string
		change func(*hello)
		want   Reason
	}{
		{"leaves the directory", name("../x"), ReasonName},
		{"absolute", name("/etc/passwd"), ReasonName},
		{"of Windows, absolute", name(`C:\x`), ReasonName},
		{"no name", name(""), ReasonName},
		{"a device of Windows", name("CON"), ReasonName},
		{"hidden", name(".profile"), ReasonName},
		{"too long", name(strings.Repeat("x", 256)), ReasonName},
		{"taken", name("taken"), ReasonExists},
		{"a directory's", name("folder"), ReasonExists},
		{"10^18 bytes", func(h *hello) { h.size = 1e18 }, ReasonTooLarge},
		{"more than the handler takes", func(h *hello) { h.size = 1001 }, ReasonTooLarge},
		{"a later version", func(h *hello) { h.version = 2 }, ReasonVersion},
		{"an unknown capability", func(h *hello) { h.needs = 1 }, ReasonUnsupported},
		{"parity", func(h *hello) { h.fec = 16 }, ReasonUnsupported},
		{"another digest", func(h *hello) { h.kind = 2 }, ReasonUnsupported},
		{"an MSS of 0", func(h *hello) { h.mss = 0 }, ReasonMalformed},
		{"an MSS of 65535", func(h *hello) { h.mss = 65535 }, ReasonUnsupported},
		{"no session", func(h *hello) { h.session = 0 }, ReasonMalformed},
		{"a group that is none", group("10.1.2.3:7735"), ReasonGroup},
		{"a group without a port", group("239.1.2.3:0"), ReasonGroup},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := openRoot(t)
			if err := errors.Join(os.WriteFile(filepath.Join(dir, "taken"), nil, 0o600), os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1)
				p.serve(Receiver{}, &DirHandler{Root: root, MaxSize: 1000})
				h := offerOf("f", 10)
				tt.change(&h)
				for range 2 { // and again, when the answer was lost
					p.postTo(CategoryHello, &h)
					if got, want := p.answer(), "ABORT: "+tt.want.String(); got != want {
						t.Errorf("%s, want %s", got, want)
					}
				}
				p.stop()
				if got := names(t, dir); len(got) != 2 {
					t.Errorf("files %q", got)
				}
			})
		})
	}
}

// The sender reports the reason, once, and goes on with the others.
func TestSenderReportsRefusal(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receivers[0].start(func(ctx context.Context) error {
			return (&Receiver{}).Serve(ctx, p.receivers[0].conn, Dir(root))
		})
		m := p.receivers[1]
		m.start(func(ctx context.Context) error {
			_, err := (&Receiver{}).Receive(ctx, m.conn, &m.got)
			return err
		})
		data := noise(1, 1000)
		_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewReader(data), Size: 1000, Name: "../x"})
		p.stop()
		if got, want := fmt.Sprint(err), "p2mp: 1 of 2 receivers have the whole file; 10.0.0.2:7735: refused the name"; got != want || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("error %q, want %q", got, want)
		}
		if !bytes.Equal(m.got.Bytes(), data) || len(names(t, dir)) != 0 {
			t.Errorf("%d bytes at the other receiver, files %q", m.got.Len(), names(t, dir))
		}
	})
}

// TestDirExtended: name, mode and contents arrive; a second file of that name is
// refused unless it may replace the first.
func TestDirExtended(t *testing.T) {
	root, dir := openRoot(t)
	for i, overwrite := range []bool{false, false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Loss(0.2))
			p.serve(Receiver{}, &DirHandler{Root: root, Overwrite: overwrite})
			data := noise(uint64(i), 5000)
			_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewReader(data), Size: 5000, Name: "f", Mode: 0o640})
			p.stop()
			if refused := errors.Is(err, fs.ErrExist); refused != (i == 1) || err != nil && !refused {
				t.Errorf("file %d: %v", i, err)
			}
			b, _ := os.ReadFile(filepath.Join(dir, "f"))
			info, err := os.Stat(filepath.Join(dir, "f"))
			if i != 1 && (!bytes.Equal(b, data) || err != nil || info.Mode() != 0o640) {
				t.Errorf("file %d: %d bytes, mode %v", i, len(b), info.Mode())
			}
			if got := names(t, dir); len(got) != 1 {
				t.Errorf("files %q", got)
			}
		})
	}
}

// Two senders that offer the same name at once: one file is kept, whole, and one sender
// hears why not.
func TestSameNameAtOnce(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Loss(0.1))
		p.serve(Receiver{}, Dir(root))
		other := p.listen()
		defer other.Close()
		errs := make(chan error)
		files := [][]byte{noise(1, 10000), noise(2, 10000)}
		for i, conn := range []*lossy.Conn{p.sender, other} {
			go func() {
				_, err := (&Sender{MSS: 100}).Send(t.Context(), conn, p.to, Source{R: bytes.NewReader(files[i]), Size: 10000, Name: "f"})
				errs <- err
			}()
		}
		a, b := <-errs, <-errs
		p.stop()
		if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), fs.ErrExist) {
			t.Errorf("one should have been refused: %v; %v", a, b)
		}
		got, _ := os.ReadFile(filepath.Join(dir, "f"))
		if !bytes.Equal(got, files[0]) && !bytes.Equal(got, files[1]) {
			t.Errorf("f is neither file: %d bytes", len(got))
		}
	})
}

func TestUnknownSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{}, &shelf{t: t})
		for c, m := range map[Category]message{CategoryPoll: &poll{session: 5, number: 1}, CategoryFin: &fin{session: 5, number: 1}} {
			p.postTo(c, m)
			if got, want := p.answer(), "ABORT: "+ReasonUnknown.String(); got != want {
				t.Errorf("%v of an unknown session: %s, want %s", c, got, want)
			}
		}
		// No ABORT, REPORT or ACK is answered: nothing loops.
		for c, m := range map[Category]message{CategoryAbort: &abort{session: 5}, CategoryReport: &status{session: 5}} {
			p.postTo(c, m)
			if got := p.answer(); got != "nothing" {
				t.Errorf("%v drew %s", c, got)
			}
		}
		p.stop()
	})
}

// TestSessionByHand walks through one session at a receiver.
func TestSessionByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		m := p.serve(Receiver{Transfers: 1}, s)
		data := noise(1, 250)
		h := offerOf("f", 250)
		expect := func(want string) {
			t.Helper()
			if got := p.answer(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		write := func(session uint64, seq uint32) {
			b, _ := Packet{Session: session, Seq: seq, Category: CategoryData, Payload: data[(seq-1)*100 : min(250, seq*100)]}.MarshalBinary()
			p.sender.WriteTo(b, m.conn.LocalAddr())
		}
		p.postTo(CategoryHello, &h)
		expect("REPORT 0: 0 held, gathering")
		p.postTo(CategoryHello, &h)
		expect("REPORT 0: 0 held, gathering")
		write(0, 1) // of the classic mode: a sender that has not heard the answer
		expect("REPORT 0: 0 held, gathering")
		write(testSession, 3)
		write(testSession, 2)
		write(testSession+1, 1) // of another session
		p.postTo(CategoryPoll, &poll{session: testSession, number: 1, highest: 3})
		expect("REPORT 1: 0 held, gathering")
		f := fin{session: testSession, number: 2, rto: 50 * time.Millisecond, size: 250, digest: sha256.Sum256(data)}
		p.postTo(CategoryFin, &f)
		expect("REPORT 2: 0 held, gathering")
		write(testSession, 1)
		write(testSession, 1)
		f.number = 3
		p.postTo(CategoryFin, &f)
		expect("REPORT 3: 3 held, checking")
		expect("REPORT 3: 3 held, kept")
		f.number = 4
		p.postTo(CategoryFin, &f)
		expect("REPORT 4: 3 held, kept")
		last := time.Now()
		<-m.done
		if d := time.Since(last).Round(time.Millisecond); m.err != nil || d != 8*f.rto {
			t.Errorf("Serve returned after %v, %v; want eight timers of the sender", d, m.err)
		}
		if i := s.items[0]; !bytes.Equal(i.Bytes(), data) || i.ended != "committed" || i.offer.Name != "f" || i.offer.Size != 250 || !i.offer.Extended {
			t.Errorf("%d bytes, %s, %+v", i.Len(), i.ended, i.offer)
		}
		p.stop()
	})
}

// What arrives is another file than was announced: refused, and told.
func TestWrongDigest(t *testing.T) {
	root, dir := openRoot(t)
	for _, resume := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond))
			var ended error
			trace := &Trace{Finished: func(_ Offer, _ Report, err error) { ended = err }}
			p.serve(Receiver{Trace: trace}, &DirHandler{Root: root, Resume: resume})
			wrong := sha256.Sum256([]byte("another file"))
			_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewReader(noise(1, 5000)), Size: 5000, Name: "f", SHA256: &wrong})
			p.stop()
			if !errors.Is(err, ErrDigest) || !errors.Is(ended, ErrDigest) || len(names(t, dir)) != 0 {
				t.Errorf("sender: %v; receiver: %v; files %q", err, ended, names(t, dir))
			}
		})
	}
}

// TestSenderIgnoresNonsense: reports that cannot be true, from strangers and of other
// sessions.
func TestSenderIgnoresNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		stranger := p.listen()
		defer stranger.Close()
		m := p.receivers[0]
		var session uint64
		var v *sending
		injected := false
		bad := make(map[error]int)
		s := Sender{MSS: 100, Window: 50, Trace: &Trace{Bad: func(_ netip.AddrPort, err error) { bad[err]++ }, Acked: func(_ netip.AddrPort, seq uint32, _ int64, _ time.Duration) {
			if seq < 20 || injected {
				return
			}
			injected = true
			post := func(from *lossy.Conn, c Category, m message) {
				from.WriteTo(appendMessage(nil, c, m), p.sender.LocalAddr())
			}
			conn := m.conn.(*lossy.Conn)
			post(conn, CategoryReport, &status{session: session, id: v.peers[0].id, number: 1 << 31, cum: 50})                                  // not asked yet
			post(conn, CategoryReport, &status{session: session, id: v.peers[0].id, number: 1, cum: 1 << 31})                                   // not sent yet
			post(conn, CategoryReport, &status{session: session, id: v.peers[0].id, number: 1, cum: 50, held: bytes.Repeat([]byte{255}, 1000)}) // likewise
			post(conn, CategoryReport, &status{session: session + 1, number: 1, cum: 100, progress: kept})
			post(conn, CategoryAbort, &abort{session + 1, ReasonRefused})
			post(conn, CategoryHello, &hello{session: session, version: 1, mss: 1})
			post(conn, CategoryPoll, &poll{session: session})
			post(conn, CategoryFin, &fin{session: session})
			post(stranger, CategoryReport, &status{session: session, number: 1, cum: 100, progress: kept})
			post(stranger, CategoryAbort, &abort{session, ReasonRefused})
		}}}
		p.receive(Receiver{})
		data := noise(1, 100*100)
		var err error
		v, err = s.newSending(p.to, Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if err != nil {
			t.Fatal(err)
		}
		session = v.session
		report, err := v.send(t.Context(), p.sender)
		p.stop()
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if report.Foreign != 2 || report.Bad != 8 || bad[ErrSession] != 2 || bad[ErrSequence] != 3 || bad[ErrCategory] != 3 {
			t.Errorf("%d foreign, %d bad: %v", report.Foreign, report.Bad, bad)
		}
	})
}

// TestDiskFullExtended: at any chunk, the sender hears of it and nothing is left.
func TestDiskFullExtended(t *testing.T) {
	root, dir := openRoot(t)
	for full := range 12 {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 2, lossy.Delay(time.Millisecond), lossy.Loss(0.2), lossy.Seed(uint64(full)))
			var ended error
			r := Receiver{Trace: &Trace{Finished: func(_ Offer, _ Report, err error) { ended = err }}}
			p.serve(r, HandlerFunc(func(o Offer) (Sink, error) {
				sink, err := Dir(root).Accept(o)
				return &fullDisk{Sink: sink, room: 100 * full}, err
			}))
			m := p.receivers[1]
			m.start(func(ctx context.Context) error {
				_, err := (&Receiver{}).Receive(ctx, m.conn, &m.got)
				return err
			})
			data := noise(1, 1150)
			_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewReader(data), Size: 1150, Name: "f"})
			p.stop()
			var a *AbortError
			if !errors.As(err, &a) || a.Reason != ReasonStorage || !errors.Is(ended, syscall.ENOSPC) {
				t.Errorf("full after %d bytes: the sender %v, the receiver %v", 100*full, err, ended)
			}
			if got := names(t, dir); len(got) != 0 || !bytes.Equal(m.got.Bytes(), data) {
				t.Errorf("full after %d bytes: files %q are left, the other receiver has %d bytes", 100*full, got, m.got.Len())
			}
		})
	}
}

// TestReceiverRestarts kills a receiver after any number of packets and starts it again
// at the same address: it ends with the whole file or none, and the sender knows which.
func TestReceiverRestarts(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 3050)
	for after := range 45 {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Loss(0.1), lossy.Seed(uint64(after)))
			m := p.receivers[0]
			ctx, kill := context.WithCancel(context.Background())
			n := 0
			// A killed process says nothing: not even the ABORT of one that is told to
			// stop.
			silent := plainConn{m.conn, func(b []byte, to net.Addr) (int, error) {
				if n++; n > after/4 {
					kill()
					return len(b), nil
				}
				return m.conn.WriteTo(b, to)
			}}
			m.start(func(last context.Context) error {
				for ctx.Err() == nil && last.Err() == nil {
					(&Receiver{Trace: &Trace{Received: func(netip.AddrPort, uint32, int, bool) {
						if n++; n > after {
							kill()
						}
					}}}).Serve(ctx, silent, Dir(root))
				}
				return (&Receiver{}).Serve(last, m.conn, Dir(root))
			})
			_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f"})
			p.stop()
			b, readErr := os.ReadFile(filepath.Join(dir, "f"))
			switch {
			case readErr == nil && !bytes.Equal(b, data):
				t.Errorf("after %d packets: a wrong file of %d bytes", after, len(b))
			case err == nil && readErr != nil:
				t.Errorf("after %d packets: the sender believes in a file that is not there", after)
			case err != nil && !errors.Is(err, ErrRestarted) && !errors.Is(err, ErrUnconfirmed) && !errors.Is(err, fs.ErrExist):
				t.Errorf("after %d packets: %v", after, err)
			}
			if got := names(t, dir); len(got) > 1 {
				t.Errorf("after %d packets: files %q", after, got)
			}
			os.Remove(filepath.Join(dir, "f"))
		})
	}
}

// TestSenderKilled: the receiver gives up in bounded time and leaves nothing behind,
// unless it may resume.
func TestSenderKilled(t *testing.T) {
	data := noise(1, 10050)
	digest := sha256.Sum256(data)
	for _, resume := range []bool{false, true} {
		root, dir := openRoot(t)
		for after := range 100 {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1, lossy.Delay(time.Millisecond))
				n := 0
				// A killed process says nothing more.
				conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
					if n++; n > after {
						return len(b), nil
					}
					return p.sender.WriteTo(b, to)
				}}
				m := p.serve(Receiver{Transfers: 1}, &DirHandler{Root: root, Resume: resume})
				s := Sender{MSS: 100, GiveUp: time.Second, JoinTimeout: 3 * time.Second}
				src := Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f", SHA256: &digest}
				if _, err := s.Send(t.Context(), conn, p.to, src); err == nil {
					os.Remove(filepath.Join(dir, "f"))
				}
				time.Sleep(2 * DefaultReceiverGiveUp)
				got := names(t, dir)
				if !resume && len(got) != 0 {
					t.Errorf("killed after %d packets: files %q are left", after, got)
				}
				// The same file once more: with what was kept it goes faster, and is
				// right.
				src.R = bytes.NewReader(data)
				report, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, src)
				b, _ := os.ReadFile(filepath.Join(dir, "f"))
				if err != nil || !bytes.Equal(b, data) {
					t.Errorf("killed after %d packets, then again: %v, %d bytes", after, err, len(b))
				}
				if resume && len(got) == 1 && report.Peers[0].Sent >= 101 {
					t.Errorf("killed after %d packets: all %d chunks were sent again", after, report.Peers[0].Sent)
				}
				<-m.done
				p.stop()
				if got := names(t, dir); len(got) != 1 {
					t.Errorf("files %q", got)
				}
				os.Remove(filepath.Join(dir, "f"))
			})
		}
	}
}

// TestResumedFileIsVerified: what was kept is not believed, only compared.
func TestResumedFileIsVerified(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 10000)
	digest := sha256.Sum256(data)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &DirHandler{Root: root, Resume: true})
		ctx, cancel := context.WithCancel(t.Context())
		s := Sender{MSS: 100, Window: 20, Trace: &Trace{Acked: func(_ netip.AddrPort, seq uint32, _ int64, _ time.Duration) {
			if seq >= 40 {
				cancel()
			}
		}}}
		src := Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f", SHA256: &digest}
		if _, err := s.Send(ctx, p.sender, p.to, src); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		kept := names(t, dir)
		if len(kept) != 1 {
			t.Fatalf("files %q, want a partial one", kept)
		}
		name := filepath.Join(dir, kept[0])
		b, err := os.ReadFile(name)
		if err != nil || len(b) < 4000 {
			t.Fatalf("%d bytes are kept, %v", len(b), err)
		}
		b[1234] ^= 1
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, src); !errors.Is(err, ErrDigest) {
			t.Errorf("a damaged beginning: %v", err)
		}
		if got := names(t, dir); len(got) != 0 {
			t.Errorf("files %q are left", got)
		}
		if _, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, src); err != nil {
			t.Errorf("from the start: %v", err)
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
		s := Sender{MSS: 100, Window: 10, Trace: &Trace{Acked: func(_ netip.AddrPort, seq uint32, _ int64, _ time.Duration) { cancel() }}}
		_, err := s.Send(ctx, p.sender, p.to, Source{R: bytes.NewReader(noise(1, 100000)), Size: 100000})
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
		s := Sender{MSS: 100, Window: 10, Trace: &Trace{Acked: func(_ netip.AddrPort, seq uint32, _ int64, _ time.Duration) {
			if seq == 20 {
				p.receivers[0].cancel()
			}
		}}}
		data := noise(1, 100000)
		report, err := s.Send(t.Context(), p.sender, p.to, Source{R: bytes.NewReader(data), Size: 100000})
		if want := "10.0.0.2:7735: canceled"; !strings.Contains(fmt.Sprint(err), want) || report.Elapsed > 5*time.Second {
			t.Errorf("after %v: %v", report.Elapsed, err)
		}
		if !bytes.Equal(p.receivers[1].got.Bytes(), data) {
			t.Error("the other receiver lacks the file")
		}
		p.stop()
	})
}

// TestOneOfFourKilled: the others finish as if it had not been there, and the sender
// names it.
func TestOneOfFourKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := noise(1, 2_000_000)
		finished := func(receivers int) time.Duration {
			var last time.Duration
			started := time.Now()
			p := newParty(t, receivers, lossy.Delay(5*time.Millisecond), lossy.Loss(0.01), lossy.Seed(3), lossy.DropIf(func(q lossy.Packet) bool {
				// The first receiver is there for a while.
				return receivers == 4 && q.From == firstReceiver && time.Since(started) > 60*time.Millisecond
			}))
			p.receive(Receiver{})
			report, err := p.send(Sender{MSS: 1000}, data)
			for i, peer := range report.Peers {
				if receivers == 4 && i == 0 {
					if peer.State != Dropped || !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "10.0.0.2:7735: silent for 10s") {
						t.Errorf("the dead receiver: %v, %v", peer.State, err)
					}
					continue
				}
				if peer.State != Complete {
					t.Errorf("receiver %d: %v", i, peer.Err)
				}
				last = max(last, peer.Elapsed)
			}
			return last
		}
		with, without := finished(4), finished(3)
		t.Logf("with the dead one %v, without %v", with, without)
		if with > without*5/4 {
			t.Errorf("the others took %v, and %v without the dead one", with, without)
		}
	})
}

// TestFailAndWait: the other two policies in the extended mode.
func TestFailAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		silence := time.Now().Add(20 * time.Millisecond)
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if time.Now().After(silence) && to.String() == p.to[0].String() {
				return len(b), nil
			}
			return p.sender.WriteTo(b, to)
		}}
		data := noise(1, 1_000_000)
		report, err := (&Sender{Policy: Fail, Rate: 10e6}).Send(t.Context(), conn, p.to, Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "stopped for all: 10.0.0.2:7735: silent") || report.Peers[0].State != Dropped {
			t.Errorf("%v, %+v", err, report.Peers)
		}
		p.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		open := time.Now().Add(time.Hour)
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.DropIf(func(q lossy.Packet) bool {
			since := time.Until(open)
			return since > 0 && since < time.Hour-20*time.Millisecond
		}))
		aside := 0
		p.receive(Receiver{GiveUp: 2 * time.Hour})
		data := noise(1, 1_000_000)
		report, err := p.send(Sender{Policy: Wait, Rate: 10e6, Trace: &Trace{SetAside: func(netip.AddrPort) { aside++ }}}, data)
		p.check(data)
		if err != nil || report.Elapsed < time.Hour || aside != 1 {
			t.Errorf("after %v: %v, set aside %d times", report.Elapsed, err, aside)
		}
	})
}

// TestRate: the cap holds.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 1_000_000)
		report, err := p.send(Sender{Rate: 8e6}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		// Three times 1 MB and the headers, at 1 MB/s.
		if s := report.Elapsed.Seconds(); s < 2.95 || s > 3.2 {
			t.Errorf("took %v, want about 3 s", report.Elapsed)
		}
	})
}

// TestLateChunks: a chunk that another transfer left behind, or that a bystander hears,
// starts nothing.
func TestLateChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		p.serve(Receiver{}, s)
		b, _ := Packet{Session: testSession, Seq: 1, Category: CategoryData, Payload: []byte("ab")}.MarshalBinary()
		p.sender.WriteTo(b, p.receivers[0].conn.LocalAddr())
		if got := p.answer(); got != "nothing" || len(s.items) != 0 {
			t.Errorf("it drew %s, and began %d transfers", got, len(s.items))
		}
		p.stop()
	})
}

// A receiver that answers a HELLO with ACK 0 is served as classic at once.
func TestAckOfHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		m := p.receivers[0]
		inner := m.conn
		m.forgetExtended()
		classic := m.conn
		m.start(func(ctx context.Context) error {
			b := make([]byte, 2000)
			n, from, err := inner.ReadFrom(b)
			if q, e := ParsePacket(b[:n]); err != nil || e != nil || q.Category != CategoryHello {
				t.Errorf("%v, %v, %v", q.Category, err, e)
			}
			ack, _ := Packet{Category: CategoryAck}.MarshalBinary()
			inner.WriteTo(ack, from)
			_, err = (&Receiver{}).Receive(ctx, classic, &m.got)
			return err
		})
		data := noise(1, 1000)
		report, err := p.send(Sender{MSS: 100}, data)
		p.check(data)
		if err != nil || report.Peers[0].Extended || report.Elapsed > time.Second {
			t.Errorf("%v, extended %v, after %v", err, report.Peers[0].Extended, report.Elapsed)
		}
	})
}
