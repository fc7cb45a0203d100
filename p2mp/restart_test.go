package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

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
					(&Receiver{Trace: &Trace{Received: func(PacketEvent) {
						if n++; n > after {
							kill()
						}
					}}}).Serve(ctx, silent, &ferry.Dir{Root: root})
				}
				return (&Receiver{}).Serve(last, m.conn, &ferry.Dir{Root: root})
			})
			_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f"})
			p.stop()
			b, readErr := os.ReadFile(filepath.Join(dir, "f"))
			switch {
			case readErr == nil && !bytes.Equal(b, data):
				t.Errorf("after %d packets: a wrong file of %d bytes", after, len(b))
			case err == nil && readErr != nil:
				t.Errorf("after %d packets: the sender believes in a file that is not there", after)
			case err != nil && !errors.Is(err, ferry.ErrRestarted) && !errors.Is(err, ferry.ErrUnconfirmed) && !errors.Is(err, fs.ErrExist):
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
		for after := 0; after < 100; after += thorough() {
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
				m := p.serve(Receiver{Transfers: 1}, &ferry.Dir{Root: root, Resume: resume})
				s := Sender{MSS: 100, GiveUp: time.Second, JoinTimeout: 3 * time.Second}
				src := ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f", SHA256: &digest}
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

// A copy of the HELLO that reaches a receiver after it was started again makes a session
// with the old number: the sender notices by the receiver's id, and ends.
func TestRestartAndLateHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		m := p.receivers[0]
		var hello []byte
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if hello == nil {
				hello = bytes.Clone(b)
			}
			return p.sender.WriteTo(b, to)
		}}
		s := &shelf{t: t}
		ctx, kill := context.WithCancel(context.Background())
		dead := false
		silent := plainConn{m.conn, func(b []byte, to net.Addr) (int, error) {
			if dead {
				return len(b), nil
			}
			return m.conn.WriteTo(b, to)
		}}
		m.start(func(last context.Context) error {
			(&Receiver{}).Serve(ctx, silent, s)
			p.sender.WriteTo(hello, m.conn.LocalAddr()) // a copy that the network delayed
			return (&Receiver{}).Serve(last, m.conn, s)
		})
		tr := &Trace{Acked: func(e PacketEvent) {
			if e.Seq > 50 && !dead {
				dead = true
				kill()
			}
		}}
		data := noise(1, 100000)
		r, err, hung := p.sendFor(t, 10*time.Minute, conn, Sender{MSS: 100, Window: 50, Trace: tr}, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if hung {
			t.Errorf("Send still ran after ten minutes: %v; %+v", err, r.Peers)
		}
		if !errors.Is(err, ferry.ErrRestarted) {
			t.Errorf("Send = %v, want ErrRestarted", err)
		}
		p.stop()
	})
}

// The same, where that copy is the only packet that waits in the socket, and the old
// receiver had much of the file.
func TestRestartAndHelloInTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		m := p.receivers[0]
		var hello []byte
		conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if hello == nil {
				hello = bytes.Clone(b)
			}
			return p.sender.WriteTo(b, to)
		}}
		s := &shelf{t: t}
		ctx, kill := context.WithCancel(context.Background())
		dead := false
		silent := plainConn{m.conn, func(b []byte, to net.Addr) (int, error) {
			if dead {
				return len(b), nil
			}
			return m.conn.WriteTo(b, to)
		}}
		again := plainConn{m.conn, m.conn.WriteTo}
		m.start(func(last context.Context) error {
			first := &Receiver{Trace: &Trace{Received: func(e PacketEvent) {
				if e.Seq > 50 && !dead {
					dead = true
					kill()
				}
			}}}
			first.Serve(ctx, silent, s)
			// The socket of the new process holds only a late HELLO.
			for {
				m.conn.SetReadDeadline(time.Now().Add(time.Microsecond))
				if _, _, err := m.conn.ReadFrom(make([]byte, 2000)); err != nil {
					break
				}
			}
			q, _ := ParsePacket(hello)
			h, _ := parseHello(q.Payload)
			v := (&Receiver{}).newLoop(s)
			v.hello(time.Now(), datagram.Packet{Data: hello, Addr: addrOf(p.sender)}, &h)
			v.out, v.bytes = nil, nil
			return v.run(last, again)
		})
		data := noise(1, 100000)
		r, err, hung := p.sendFor(t, 10*time.Minute, conn, Sender{MSS: 100, Window: 200}, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		if hung {
			t.Errorf("Send still ran after ten minutes: %v; %+v", err, r.Peers)
		}
		if !dead || !errors.Is(err, ferry.ErrRestarted) {
			t.Errorf("killed: %v; Send = %v, want ErrRestarted", dead, err)
		}
		p.stop()
	})
}

// TestSenderRestartsExtended: a sender that was killed in mid-file and offers the file
// again, from the same port, does not wait until it is given up.
func TestSenderRestartsExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		m := p.receivers[0]
		var first error
		m.start(func(ctx context.Context) error {
			_, first = (&Receiver{}).Receive(ctx, m.conn, io.Discard)
			_, err := (&Receiver{}).Receive(ctx, m.conn, &m.got)
			return err
		})
		data := noise(1, 100000)
		src := ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))}
		ctx, kill := context.WithCancel(t.Context())
		dead := false
		silent := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
			if dead {
				return len(b), nil
			}
			return p.sender.WriteTo(b, to)
		}}
		s := Sender{MSS: 100, Trace: &Trace{Acked: func(e PacketEvent) {
			if e.Seq > 50 {
				dead = true
				kill()
			}
		}}}
		if _, err := s.Send(ctx, silent, p.to, src); !dead {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, src); err != nil || time.Since(start) > 5*time.Second {
			t.Errorf("the second time, after %v: %v", time.Since(start), err)
		}
		p.stop()
		if !errors.Is(first, ferry.ErrRestarted) {
			t.Errorf("the first Receive: %v, want ErrRestarted", first)
		}
		p.check(data)
	})
}

// TestOffersWhileReceiving: any other offer leaves Receive's transfer alone.
func TestOffersWhileReceiving(t *testing.T) {
	greeted := func(p *party) {
		h := offerOf("f", 100)
		p.postTo(CategoryHello, &h)
		p.answer()
	}
	ended := func(p *party) {
		b, _ := Packet{Session: testSession, Seq: 1, Category: CategoryData, Payload: make([]byte, 100)}.MarshalBinary()
		p.sender.WriteTo(b, p.at())
		p.postTo(CategoryFin, &fin{session: testSession, number: 1, size: 100, digest: sha256.Sum256(make([]byte, 100))})
		p.answer() // checking
		if got, want := p.answer(), "REPORT 1: 1 held, kept"; got != want {
			p.t.Errorf("%s, want %s", got, want)
		}
	}
	for name, tt := range map[string]struct {
		before   func(*party)
		stranger bool
		mss      int
		want     string
		after    func(*party)
	}{
		"a stranger's":                    {greeted, true, 100, "ABORT: too many transfers", ended},
		"a malformed one of the sender's": {greeted, false, 0, "nothing", ended},
		"the sender's next":               {func(p *party) { greeted(p); ended(p) }, false, 100, "nothing", nil},
		"a stranger's, at the end":        {func(p *party) { greeted(p); ended(p) }, true, 100, "nothing", nil},
		"a late one of a classic sender": {
			func(p *party) { p.write(chunk(1, "ab")); p.read() }, false, 100, "nothing",
			func(p *party) { p.write(chunk(2, "")); p.read() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1)
				p.receive(Receiver{GiveUp: time.Hour, Linger: time.Hour})
				tt.before(p)
				from := p.sender
				if tt.stranger {
					from = p.listen()
					defer from.Close()
				}
				h := offerOf("g", 100)
				h.session++
				h.mss = tt.mss
				from.WriteTo(appendMessage(nil, CategoryHello, &h), p.at())
				if got := p.answerTo(from); got != tt.want {
					t.Errorf("it drew %s, want %s", got, tt.want)
				}
				if tt.after != nil {
					tt.after(p)
				}
				p.stop()
				if err := p.receivers[0].err; err != nil {
					t.Errorf("Receive: %v", err)
				}
			})
		})
	}
}
