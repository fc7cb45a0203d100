package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A puppet is the other side of a conversation, moved by hand.
type puppet struct {
	t    *testing.T
	conn *lossy.Conn
}

func (p *stage) puppet() *puppet { return &puppet{p.t.(*testing.T), p.client()} }

func (u *puppet) send(to netip.AddrPort, b []byte) {
	u.t.Helper()
	if _, err := u.conn.WriteToUDPAddrPort(b, to); err != nil {
		u.t.Fatal(err)
	}
}

func (u *puppet) packet(to netip.AddrPort, p Packet) {
	u.t.Helper()
	b, err := p.MarshalBinary()
	if err != nil {
		u.t.Fatal(err)
	}
	u.send(to, b)
}

// within returns what arrives in d, in words such as "DATA 1".
func (u *puppet) within(d time.Duration, wide bool) (said []string, from netip.AddrPort) {
	end := time.Now().Add(d)
	u.conn.SetReadDeadline(end)
	buf := make([]byte, 65536)
	for {
		n, a, err := u.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return said, from
		}
		from = a
		p, err := ParsePacket(buf[:n], wide)
		switch {
		case err != nil:
			said = append(said, err.Error())
		case p.Op == DATA || p.Op == ACK:
			said = append(said, fmt.Sprintf("%v %d", p.Op, p.Block))
		case p.Op == ERROR:
			said = append(said, fmt.Sprintf("ERROR %d", p.Code))
		default:
			said = append(said, fmt.Sprintf("%v%v", p.Op, p.Options))
		}
	}
}

func (u *puppet) expect(d time.Duration, wide bool, want ...string) netip.AddrPort {
	u.t.Helper()
	said, from := u.within(d, wide)
	if strings.Join(said, "; ") != strings.Join(want, "; ") {
		u.t.Errorf("got %q, want %q", said, want)
	}
	return from
}

// onStage runs f with a server that has the file "file" of size bytes.
func onStage(t *testing.T, size int, setup func(*stage), f func(p *stage, u *puppet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newStage(t)
		p.files.files["file"] = noise(1, size)
		if setup != nil {
			setup(p)
		}
		p.start()
		u := p.puppet()
		f(p, u)
		u.conn.Close()
		p.end()
	})
}

func rrq(options ...Option) Packet {
	return Packet{Op: RRQ, Name: "file", Mode: "octet", Options: options}
}

const ms = time.Millisecond

// TestSorcerersApprentice: a repeated ACK draws no second DATA (RFC 1123, section 4.2.3.1), nor
// does one from the future.
func TestSorcerersApprentice(t *testing.T) {
	onStage(t, 2000, nil, func(p *stage, u *puppet) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		u.packet(from, Packet{Op: ACK, Block: 7}) // of a block that was not sent
		u.expect(ms, false)
		for range 5 {
			u.packet(from, Packet{Op: ACK, Block: 1})
		}
		u.expect(ms, false, "DATA 2")
		for range 5 {
			u.packet(from, Packet{Op: ACK, Block: 1})
		}
		u.expect(ms, false)
		u.packet(from, Packet{Op: ACK, Block: 2})
		u.expect(ms, false, "DATA 3")
	})
}

// TestGapRestartsTheWindow (RFC 7440, section 4), and ACKs repeated in succession draw one answer.
func TestGapRestartsTheWindow(t *testing.T) {
	onStage(t, 8*512, nil, func(p *stage, u *puppet) {
		u.packet(p.addr, rrq(Option{"WindowSize", "4"}))
		from := u.expect(ms, false, "OACK[{WindowSize 4}]")
		u.packet(from, Packet{Op: ACK, Block: 0})
		u.expect(3*ms, false, "DATA 1", "DATA 2", "DATA 3", "DATA 4")
		u.packet(from, Packet{Op: ACK, Block: 2}) // 3 was lost
		u.expect(ms, false, "DATA 3", "DATA 4", "DATA 5", "DATA 6")
		for range 4 {
			u.packet(from, Packet{Op: ACK, Block: 2}) // 3 was lost again
		}
		u.expect(ms, false, "DATA 3", "DATA 4", "DATA 5", "DATA 6")
		u.packet(from, Packet{Op: ACK, Block: 6})
		u.expect(ms, false, "DATA 7", "DATA 8", "DATA 9")
	})
}

// TestSameRequestTwice is one transfer, and so are four.
func TestSameRequestTwice(t *testing.T) {
	for _, single := range []bool{false, true} {
		onStage(t, 2000, func(p *stage) { p.server.SinglePort = single }, func(p *stage, u *puppet) {
			for range 4 {
				u.packet(p.addr, rrq())
			}
			from := u.expect(ms, false, "DATA 1")
			u.packet(p.addr, rrq())
			u.expect(ms, false)
			u.packet(from, Packet{Op: ACK, Block: 1})
			u.expect(ms, false, "DATA 2")
			u.packet(p.addr, rrq()) // late, by the network
			u.expect(ms, false)
			if single != (from == p.addr) {
				t.Errorf("single port %v: answers come from %v", single, from)
			}
		})
	}
}

// TestAnotherRequestFromThePort begins another transfer and ends the one before.
func TestAnotherRequestFromThePort(t *testing.T) {
	onStage(t, 2000, nil, func(p *stage, u *puppet) {
		u.packet(p.addr, rrq())
		old := u.expect(ms, false, "DATA 1")
		u.packet(p.addr, rrq(Option{"tsize", "0"}))
		u.expect(ms, false, "OACK[{tsize 2000}]")
		u.packet(old, Packet{Op: ACK, Block: 1})
		u.expect(ms, false)
	})
}

// TestUnprovenAddress: at most three packets and 4 KB go to an address that has not answered.
func TestUnprovenAddress(t *testing.T) {
	for _, tt := range []struct {
		name    string
		wide    bool
		request Packet
	}{
		{"DATA", false, rrq()},
		{"OACK", false, rrq(Option{"blksize", "1400"}, Option{"windowsize", "16"})},
		{"wide DATA", true, rrq()},
		{"wide OACK", true, rrq(Option{"blksize", "1400"})},
		{"ACK", false, Packet{Op: WRQ, Name: "new", Mode: "octet"}},
		{"write OACK", false, Packet{Op: WRQ, Name: "new", Mode: "octet", Options: []Option{{"tsize", "5"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onStage(t, 100_000, func(p *stage) { p.server.Wide = tt.wide }, func(p *stage, u *puppet) {
				u.packet(p.addr, tt.request)
				said, _ := u.within(time.Minute, tt.wide)
				if len(said) != 3 {
					t.Errorf("%d packets: %q", len(said), said)
				}
			})
		})
	}
}

// TestUnprovenAddressAsksAgain: then it gets another three.
func TestUnprovenAddressAsksAgain(t *testing.T) {
	onStage(t, 100, nil, func(p *stage, u *puppet) {
		u.packet(p.addr, rrq())
		u.expect(5*time.Second, false, "DATA 1", "DATA 1", "DATA 1")
		u.packet(p.addr, rrq())
		if said, _ := u.within(5*time.Second, false); len(said) < 1 || len(said) > 3 {
			t.Errorf("%q", said)
		}
	})
}

// TestWrongTransferID draws error 5 and disturbs nothing; an ERROR, and what is nothing at all, draw no answer.
func TestWrongTransferID(t *testing.T) {
	onStage(t, 2000, nil, func(p *stage, u *puppet) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		stranger := p.puppet()
		stranger.packet(from, Packet{Op: ACK, Block: 1})
		stranger.expect(ms, false, "ERROR 5")
		stranger.packet(from, Packet{Op: ERROR, Code: 1})
		stranger.send(from, []byte{0, 9, 0, 0})
		stranger.expect(ms, false)
		for range 3 * mostStrays {
			stranger.packet(from, Packet{Op: DATA, Block: 1})
		}
		if said, _ := stranger.within(ms, false); len(said) != mostStrays-1 {
			t.Errorf("%d answers to a flood, want %d in all", len(said), mostStrays)
		}
		stranger.conn.Close()
		u.packet(from, Packet{Op: ACK, Block: 1})
		u.expect(ms, false, "DATA 2")
	})
}

// TestMalformedPacket from the peer's own port draws an ERROR and ends the transfer (UDP file
// delivery assignment, "About TFTP").
func TestMalformedPacket(t *testing.T) {
	for name, b := range map[string][]byte{
		"opcode":     {0, 9, 0, 1},
		"short":      {0, 4, 0},
		"empty":      {},
		"trailing":   {0, 4, 0, 1, 0},
		"wide ACK":   {0, 4, 0, 0, 0, 1},
		"no options": {0, 6, 'a', 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got error
			onStage(t, 2000, func(p *stage) {
				p.server.Trace = &Trace{Finished: func(_ *Request, _ Report, err error) { got = err }}
			}, func(p *stage, u *puppet) {
				u.packet(p.addr, rrq())
				from := u.expect(ms, false, "DATA 1")
				u.send(from, b)
				u.expect(time.Minute, false, "ERROR 4")
				u.packet(from, Packet{Op: ACK, Block: 1})
				u.expect(ms, false)
			})
			want := ErrMalformed
			if name == "wide ACK" {
				want = ErrWidth
			}
			if !errors.Is(got, want) {
				t.Errorf("error %v, want %v", got, want)
			}
		})
	}
}

// TestErrorIsNeverAnswered, neither in a transfer nor at the server's port, nor is anything but a request there.
func TestErrorIsNeverAnswered(t *testing.T) {
	onStage(t, 2000, nil, func(p *stage, u *puppet) {
		for _, k := range []Packet{{Op: ERROR, Code: 4}, {Op: DATA, Block: 1}, {Op: ACK, Block: 0}, {Op: OACK}} {
			u.packet(p.addr, k)
		}
		u.send(p.addr, nil)
		u.send(p.addr, []byte{0, 77, 1, 1})
		u.expect(time.Second, false)
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		u.packet(from, Packet{Op: ERROR, Code: 0})
		u.expect(time.Minute, false)
	})
}

// TestBadRequests get the right code, and nothing about the machine.
func TestBadRequests(t *testing.T) {
	name := func(s string) []byte { return append([]byte("\x00\x01"+s), "\x00octet\x00"...) }
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"not there", name("nonsuch"), "ERROR 1"},
		{"mode", []byte("\x00\x01file\x00mail\x00"), "ERROR 4"},
		{"no mode", []byte("\x00\x01file\x00"), "ERROR 4"},
		{"no name", []byte("\x00\x01file"), "ERROR 4"},
		{"long", name(strings.Repeat("x", 10_000)), "ERROR 4"},
		{"half an option", []byte("\x00\x01file\x00octet\x00blksize\x00"), "ERROR 4"},
		{"exists", []byte("\x00\x02file\x00octet\x00"), "ERROR 6"},
		{"NETASCII", []byte("\x00\x01file\x00NetASCII\x00"), "DATA 1"},
		{"OCTET", []byte("\x00\x01file\x00OCTET\x00"), "DATA 1"},
		{"padded", []byte("\x00\x01file\x00octet\x00\x00\x00\x00"), "DATA 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onStage(t, 2000, nil, func(p *stage, u *puppet) {
				u.send(p.addr, tt.b)
				u.expect(ms, false, tt.want)
			})
		})
	}
}

// TestFiftyOptions: those that are known are answered, the first of a name, the others ignored.
func TestFiftyOptions(t *testing.T) {
	onStage(t, 2000, nil, func(p *stage, u *puppet) {
		options := []Option{{"BLKSIZE", "700"}, {"blksize", "9"}}
		for i := range 48 {
			options = append(options, Option{fmt.Sprint("x", i), "y"})
		}
		u.packet(p.addr, rrq(options...))
		u.expect(ms, false, "OACK[{BLKSIZE 700}]")
	})
}

// TestProbe: a client that learns the size and ends with error 8 has failed at nothing.
func TestProbe(t *testing.T) {
	var report Report
	got := errBroken
	onStage(t, 2000, func(p *stage) {
		p.server.Trace = &Trace{Finished: func(_ *Request, r Report, err error) { report, got = r, err }}
	}, func(p *stage, u *puppet) {
		u.packet(p.addr, rrq(Option{"tsize", "0"}))
		from := u.expect(ms, false, "OACK[{tsize 2000}]")
		u.packet(from, Packet{Op: ERROR, Code: CodeOption, Message: "thanks"})
		u.expect(time.Minute, false)
	})
	if got != nil || !report.Probe {
		t.Errorf("%+v, error %v", report, got)
	}
}

// TestWidths: a Wide and a plain end that meet fail with error 4, at once, and know why.
func TestWidths(t *testing.T) {
	for _, wide := range []bool{false, true} {
		for _, size := range []int{0, 1, 2000} {
			for _, options := range []bool{false, true} {
				c := Client{Wide: !wide, BlockSize: -1, WindowSize: -1}
				if options {
					c.BlockSize, c.WindowSize = 600, 0
				}
				onStage(t, size, func(p *stage) { p.server.Wide = wide }, func(p *stage, _ *puppet) {
					start := time.Now()
					_, _, getErr := p.get(c, "file")
					_, putErr := p.put(c, "new", noise(1, size))
					for _, err := range []error{getErr, putErr} {
						var said *Error
						told := errors.As(err, &said) && said.Code == CodeIllegal && strings.Contains(said.Message, "bytes here")
						if !errors.Is(err, ErrWidth) && !told {
							t.Errorf("server Wide %v, %d bytes, options %v: %v", wide, size, options, err)
						}
					}
					if d := time.Since(start); d > time.Second {
						t.Errorf("it took %v to notice", d)
					}
				})
			}
		}
	}
}

// brokenHandler does all that a Handler should not.
type brokenHandler struct{ gate chan struct{} }

func (h brokenHandler) Open(ctx context.Context, r *Request) (Source, error) {
	switch r.Name {
	case "panics":
		panic("at /home/secret")
	case "blocks":
		<-h.gate
	case "fails":
		return Source{R: &failingReader{1000, errBroken}, Size: -1}, nil
	case "nothing":
		return Source{}, nil
	case "panics later":
		return Source{R: panicReader{}, Size: -1}, nil
	case "hidden":
		return Source{}, errBroken
	}
	return Source{R: strings.NewReader("hello"), Size: 5}, nil
}

func (h brokenHandler) Create(_ context.Context, r *Request) (Sink, error) {
	return &brokenSink{name: r.Name}, nil
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("at /home/secret") }

type brokenSink struct{ name string }

func (s *brokenSink) Write(b []byte) (int, error) {
	switch s.name {
	case "full":
		return 0, &fs.PathError{Op: "write", Path: "/home/secret", Err: syscall.ENOSPC}
	case "panics":
		panic("at /home/secret")
	case "short":
		return 0, nil
	}
	return len(b), nil
}

func (s *brokenSink) Commit() error {
	if s.name == "late" {
		return fs.ErrExist
	}
	return nil
}

func (s *brokenSink) Abort(error) {}

// TestBrokenHandlers: the client gets the right code and nothing about the machine, and the server serves on.
func TestBrokenHandlers(t *testing.T) {
	gate := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		p := newStage(t)
		p.server.Handler = brokenHandler{gate}
		p.start()
		check := func(err error, code Code) {
			t.Helper()
			var said *Error
			if !errors.As(err, &said) || said.Code != code || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want code %d", err, code)
			}
		}
		for _, name := range []string{"panics", "fails", "nothing", "panics later", "hidden"} {
			_, _, err := p.get(Client{}, name)
			check(err, CodeUndefined)
		}
		for name, code := range map[string]Code{"full": CodeDiskFull, "panics": 0, "short": 0, "late": CodeExists} {
			_, err := p.put(Client{}, name, noise(1, 5000))
			check(err, code)
		}
		if _, _, err := p.get(Client{GiveUp: time.Second}, "blocks"); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("a handler that blocks: %v", err)
		}
		if got, _, err := p.get(Client{}, "fine"); string(got) != "hello" || err != nil {
			t.Errorf("afterwards: %q, %v", got, err)
		}
		close(gate)
		p.end()
	})
}

// TestLinger: a receiver whose last ACK was lost says it again.
func TestLinger(t *testing.T) {
	for _, wide := range []bool{false, true} {
		for _, write := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				lost := 0
				p := newStage(t, lossy.Delay(ms), lossy.DropIf(func(k lossy.Packet) bool {
					q, err := ParsePacket(k.Payload, wide)
					drop := err == nil && q.Op == ACK && q.Block == 3 && lost < 3
					if drop {
						lost++
					}
					return drop
				}))
				p.server.Wide = wide
				var failed error
				p.server.Trace = &Trace{Finished: func(_ *Request, _ Report, err error) { failed = err }}
				p.files.files["file"] = noise(1, 1100)
				p.start()
				c := Client{Wide: wide, BlockSize: -1, WindowSize: -1, Linger: 3 * time.Second}
				var err error
				if write {
					_, err = p.put(c, "new", noise(1, 1100))
				} else {
					_, _, err = p.get(c, "file")
				}
				if err != nil || failed != nil || lost != 3 {
					t.Errorf("wide %v, write %v: %v at the client, %v at the server, %d ACKs lost", wide, write, err, failed, lost)
				}
				p.end()
			})
		}
	}
}

// TestUnconfirmed: a last block that is never acknowledged is reported as sent, not confirmed.
func TestUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newStage(t, lossy.DropIf(func(k lossy.Packet) bool {
			q, err := ParsePacket(k.Payload, false)
			return err == nil && q.Op == ACK && q.Block == 2
		}))
		p.start()
		r, err := p.put(Client{BlockSize: -1, WindowSize: -1}, "new", noise(1, 600))
		if !errors.Is(err, ErrUnconfirmed) || r.Bytes != 512 {
			t.Errorf("%v, %d bytes", err, r.Bytes)
		}
		if _, ok := p.files.get("new"); !ok {
			t.Error("the server has no file")
		}
		p.end()
	})
}

// TestAbsentServer: an error and not a hang, with the request sent a few times only.
func TestAbsentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		conn, err := n.NewConn(clientAddr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&Client{}).Get(context.Background(), conn, netip.MustParseAddrPort("10.0.0.9:69"), "x", io.Discard)
		if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "10.0.0.9:69 in 10s") {
			t.Error(err)
		}
		if sent := n.Stats().Packets; sent < 5 || sent > 12 {
			t.Errorf("%d requests", sent)
		}
		conn.Close()
	})
}

// TestClientErrors: errors.Is knows the server's codes.
func TestClientErrors(t *testing.T) {
	onStage(t, 10, nil, func(p *stage, _ *puppet) {
		if _, _, err := p.get(Client{}, "nonsuch"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, err := p.put(Client{}, "file", nil); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
		p.files.write = false
		if _, err := p.put(Client{}, "new", nil); !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	})
}

// TestBusy: a request beyond the bounds waits for its client to repeat it; lingering does not count.
func TestBusy(t *testing.T) {
	for name, setup := range map[string]func(*Server){
		"in all":      func(s *Server) { s.MaxTransfers = 1 },
		"per address": func(s *Server) { s.MaxPerAddress = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 100, func(p *stage) { setup(&p.server) }, func(p *stage, u *puppet) {
				u.packet(p.addr, rrq())
				from := u.expect(ms, false, "DATA 1")
				other := p.puppet()
				other.packet(p.addr, rrq())
				other.expect(ms, false)
				u.packet(from, Packet{Op: ACK, Block: 1})
				u.expect(ms, false)
				other.packet(p.addr, rrq())
				from = other.expect(ms, false, "DATA 1")
				other.packet(from, Packet{Op: ACK, Block: 1})
				other.expect(ms, false)
				if _, err := p.put(Client{}, "a", noise(1, 9)); err != nil {
					t.Error(err)
				}
				if _, err := p.put(Client{}, "b", noise(1, 9)); err != nil { // while the other lingers
					t.Error(err)
				}
				other.conn.Close()
			})
		})
	}
}

// TestShutdown lets transfers end, takes no new ones, and returns when all is over.
func TestShutdown(t *testing.T) {
	for _, single := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newStage(t, lossy.Delay(10*ms))
			p.server.SinglePort = single
			p.files.files["file"] = noise(1, 100_000)
			p.start()
			done := make(chan error)
			go func() {
				got, _, err := p.get(Client{}, "file")
				if err == nil && len(got) != 100_000 {
					err = errBroken
				}
				done <- err
			}()
			<-time.After(30 * ms)
			short, cancel := context.WithTimeout(context.Background(), ms)
			if err := p.server.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown that may not wait: %v", err)
			}
			cancel()
			if _, _, err := p.get(Client{GiveUp: ms}, "file"); !errors.Is(err, ErrNoAnswer) {
				t.Errorf("a new transfer: %v", err)
			}
			if err := p.server.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if err := <-p.done; err != ErrServerClosed {
				t.Errorf("Serve: %v", err)
			}
			if err := <-done; err != nil {
				t.Errorf("the transfer under way: %v", err)
			}
			if err := p.server.Serve(context.Background(), p.conn); err != ErrServerClosed {
				t.Errorf("Serve after Shutdown: %v", err)
			}
			p.conn.Close()
		})
	}
}

// TestRollover: block numbers come again, to 0 or to 1, and each file is whole.
func TestRollover(t *testing.T) {
	for _, toOne := range []bool{false, true} {
		data := noise(1, 8*65536+8*40+3)
		onStage(t, 0, func(p *stage) {
			p.server.RollToOne = toOne
			p.files.files["file"] = data
		}, func(p *stage, _ *puppet) {
			c := Client{BlockSize: 8, WindowSize: 64, RollToOne: toOne}
			got, r, err := p.get(c, "file")
			if err != nil || !bytes.Equal(got, data) || r.Blocks != 65536+41 {
				t.Errorf("Get: %d bytes, %v", len(got), err)
			}
			if _, err := p.put(c, "new", data); err != nil || !p.has("new", data) {
				t.Errorf("Put: %v", err)
			}
		})
	}
}

// has reports whether the server has a file with that content.
func (p *stage) has(name string, data []byte) bool {
	b, ok := p.files.get(name)
	return ok && bytes.Equal(b, data)
}

// TestLossyTimes: timers follow the round trip, so that a lost packet costs little. The times are virtual.
func TestLossyTimes(t *testing.T) {
	mean := func(window, seeds int, options ...lossy.Option) time.Duration {
		var sum time.Duration
		for seed := range seeds {
			synctest.Test(t, func(t *testing.T) {
				p := newStage(t, append(options, lossy.Seed(uint64(seed+1)))...)
				p.files.files["file"] = noise(1, 256<<10)
				p.start()
				got, r, err := p.get(Client{BlockSize: 1468, WindowSize: window}, "file")
				if err != nil || len(got) != 256<<10 {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				sum += r.Elapsed
				p.end()
			})
		}
		return sum / time.Duration(seeds)
	}
	one := []lossy.Option{lossy.Loss(0.01), lossy.Delay(ms / 10)}
	jitter := []lossy.Option{lossy.Jitter(0, 10*ms)}
	w1, w16 := mean(1, 200, one...), mean(16, 200, one...)
	j4, j16 := mean(4, 20, jitter...), mean(16, 20, jitter...)
	t.Logf("1 %% loss: window 1 %v, window 16 %v; 10 ms jitter: window 4 %v, window 16 %v", w1, w16, j4, j16)
	if w1 > 200*ms || w16 > 50*ms {
		t.Errorf("1 %% loss: window 1 takes %v, window 16 %v", w1, w16)
	}
	if j16 >= j4 {
		t.Errorf("10 ms jitter: window 16 takes %v, window 4 %v", j16, j4)
	}
}

// TestDir serves files of a directory, and takes them if it may: whole, and local.
func TestDir(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "hello", "sub/b": "there", "../outside": "no"} {
		os.MkdirAll(dir+"/in/sub", 0o777)
		if err := os.WriteFile(dir+"/in/"+name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("../outside", dir+"/in/link")
	root, err := os.OpenRoot(dir + "/in")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx := context.Background()
	for _, h := range []Handler{Dir(root), FS(root.FS())} {
		for name, want := range map[string]error{
			"a": nil, "/a": nil, "//sub/b": nil, "sub": fs.ErrPermission, "": fs.ErrInvalid, "/": fs.ErrInvalid,
			"../outside": fs.ErrInvalid, "sub/../a": fs.ErrInvalid, "link": errAny, "nonsuch": fs.ErrNotExist,
			"a\xff": fs.ErrInvalid, "NUL": fs.ErrInvalid, "sub\\b": fs.ErrInvalid, "C:/a": fs.ErrInvalid, "a\n": fs.ErrInvalid,
			strings.Repeat("x", 10_000): fs.ErrInvalid,
		} {
			src, err := h.Open(ctx, &Request{Op: RRQ, Name: name})
			if want == errAny && err != nil {
				continue
			}
			if !errors.Is(err, want) {
				t.Errorf("Open(%.20q): %v, want %v", name, err, want)
			}
			if err == nil {
				src.R.(io.Closer).Close()
			}
		}
		if _, err := h.Create(ctx, &Request{Op: WRQ, Name: "new"}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Create: %v", err)
		}
	}
	for _, tt := range []struct {
		d    Directory
		name string
		want error
	}{
		{Directory{Root: root, Write: true}, "/sub/new", nil},
		{Directory{Root: root, Write: true}, "a", fs.ErrExist},
		{Directory{Root: root, Write: true, Overwrite: true}, "a", nil},
		{Directory{Root: root, Write: true, Overwrite: true}, "sub", fs.ErrExist},
		{Directory{Root: root, Write: true}, "../x", fs.ErrInvalid},
		{Directory{Root: root, Write: true}, "no/x", fs.ErrNotExist},
	} {
		sink, err := tt.d.Create(ctx, &Request{Op: WRQ, Name: tt.name})
		if !errors.Is(err, tt.want) {
			t.Errorf("Create(%q): %v, want %v", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		sink.Write([]byte("new"))
		if b, err := os.ReadFile(dir + "/in/" + strings.TrimLeft(tt.name, "/")); string(b) == "new" {
			t.Errorf("%s is there before it is whole, %v", tt.name, err)
		}
		if err := sink.Commit(); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(dir + "/in/" + strings.TrimLeft(tt.name, "/")); string(b) != "new" {
			t.Errorf("%s holds %q, %v", tt.name, b, err)
		}
	}
	sink, err := SaveAs(root, "aborted")
	if err != nil {
		t.Fatal(err)
	}
	sink.Write([]byte("half"))
	sink.Abort(errBroken)
	left, _ := os.ReadDir(dir + "/in")
	if len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
}

var errAny = errors.New("any error")

var _ net.PacketConn = (*lossy.Conn)(nil)

// TestRepeatedBlock is acknowledged again, at once; one before it is not, and one from beyond the window is ignored.
func TestRepeatedBlock(t *testing.T) {
	onStage(t, 0, nil, func(p *stage, u *puppet) {
		full := make([]byte, 512)
		u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet"})
		from := u.expect(ms, false, "ACK 0")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: full})
		u.expect(ms, false, "ACK 1")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: full})
		u.expect(ms, false, "ACK 1")
		u.packet(from, Packet{Op: DATA, Block: 3, Payload: full}) // beyond a window of 1
		u.expect(ms, false)
		u.packet(from, Packet{Op: DATA, Block: 2, Payload: full})
		u.expect(ms, false, "ACK 2")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: full})
		u.expect(ms, false)
	})
}

// TestInboundWindow: a block is kept if it is in the window, and not if it is beyond.
func TestInboundWindow(t *testing.T) {
	now := time.Unix(1, 0)
	in := newInbound(numbering{}, false, Settings{BlockSize: 1, WindowSize: 4}, receiverTimer(plain(), false))
	for number, want := range map[uint32]verdict{0: ignore, 1: deliver, 2: keep, 4: keep, 5: ignore, 40000: ignore, 65535: ignore} {
		if v, _ := in.judge(now, number, []byte("x")); v != want {
			t.Errorf("block %d: verdict %d, want %d", number, v, want)
		}
	}
}
