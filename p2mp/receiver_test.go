package p2mp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A shelf is a Handler that keeps what arrives in memory.
type shelf struct {
	t      *testing.T
	refuse error
	commit error // what Commit returns
	fail   int   // fail after that many bytes, if positive
	items  []*item
}

type item struct {
	bytes.Buffer
	shelf   *shelf
	offer   ferry.Offer
	ended   string
	aborted error
}

func (s *shelf) Accept(o ferry.Offer) (ferry.Sink, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	i := &item{shelf: s, offer: o}
	s.items = append(s.items, i)
	return i, nil
}

func (i *item) Write(b []byte) (int, error) {
	i.mustBeOpen()
	if f := i.shelf.fail; f > 0 && i.Len()+len(b) > f {
		return 0, errBroken
	}
	return i.Buffer.Write(b)
}

func (i *item) Commit() error {
	i.mustBeOpen()
	i.ended = "committed"
	if i.shelf.commit != nil {
		i.ended = "not committed"
	}
	return i.shelf.commit
}

func (i *item) Abort(cause error) {
	i.mustBeOpen()
	i.ended, i.aborted = "aborted", cause
}

func (i *item) mustBeOpen() {
	if i.ended != "" {
		i.shelf.t.Errorf("a sink is used after it was %s", i.ended)
	}
}

// serve starts Serve at the party's one receiver.
func (p *party) serve(r Receiver, h ferry.Handler) *member {
	m := p.receivers[0]
	m.start(func(ctx context.Context) error { return r.Serve(ctx, m.conn, h) })
	return m
}

// sendFrom sends data from conn, in chunks of 100 bytes.
func (p *party) sendFrom(conn net.PacketConn, data []byte) error {
	_, err := (&Sender{Classic: true, MSS: 100}).Send(context.Background(), conn, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
	return err
}

func (p *party) mustSend(data []byte) {
	p.t.Helper()
	if err := p.sendFrom(p.sender, data); err != nil {
		p.t.Fatal(err)
	}
}

// write sends one raw packet from the party's sender to its receiver.
func (p *party) write(q Packet) {
	b, err := q.MarshalBinary()
	if err != nil {
		p.t.Fatal(err)
	}
	p.sender.WriteTo(b, p.receivers[0].conn.LocalAddr())
}

// read returns the next packet that reaches the party's sender, or nothing if none does
// within a minute.
func (p *party) read() string {
	b := make([]byte, 100)
	p.sender.SetReadDeadline(time.Now().Add(time.Minute))
	n, _, err := p.sender.ReadFrom(b)
	if err != nil {
		return "nothing"
	}
	q, err := ParsePacket(b[:n])
	if err != nil {
		p.t.Error(err)
	}
	return fmt.Sprint(q.Category, " ", q.Seq)
}

// pause lets d pass, and waits until all goroutines are idle.
func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func chunk(seq uint32, payload string) Packet {
	return Packet{Seq: seq, Category: CategoryData, Payload: []byte(payload)}
}

func TestServeFileAfterFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		m := p.serve(Receiver{}, s)
		files := [][]byte{noise(1, 1000), noise(1, 1000), nil, noise(2, 50), noise(3, 201), noise(1, 1000)}
		for _, data := range files { // from one port, without a pause
			p.mustSend(data)
		}
		p.stop()
		if !errors.Is(m.err, context.Canceled) {
			t.Errorf("Serve = %v, want the context's error", m.err)
		}
		if len(s.items) != len(files) {
			t.Fatalf("%d files arrived of %d", len(s.items), len(files))
		}
		for i, item := range s.items {
			if !bytes.Equal(item.Bytes(), files[i]) || item.ended != "committed" || item.offer.Addr != addrOf(p.sender) {
				t.Errorf("file %d from %v: %d bytes of %d, %s", i, item.offer.Addr, item.Len(), len(files[i]), item.ended)
			}
		}
	})
}

func TestServeManySendersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Seed(3), lossy.Loss(0.1), lossy.Jitter(time.Millisecond, 9*time.Millisecond))
		s := &shelf{t: t}
		m := p.serve(Receiver{Transfers: 20}, s)
		want := make(map[netip.AddrPort][]byte)
		for i := range 20 {
			conn := p.listen()
			defer conn.Close()
			data := noise(uint64(i), 100*i)
			want[addrOf(conn)] = data
			go func() {
				if err := p.sendFrom(conn, data); err != nil {
					t.Error(err)
				}
			}()
		}
		<-m.done
		if m.err != nil {
			t.Errorf("Serve = %v after 20 transfers", m.err)
		}
		for _, item := range s.items {
			if !bytes.Equal(item.Bytes(), want[item.offer.Addr]) || item.ended != "committed" {
				t.Errorf("from %v: %d bytes of %d, %s", item.offer.Addr, item.Len(), len(want[item.offer.Addr]), item.ended)
			}
			delete(want, item.offer.Addr)
		}
		if len(want) != 0 {
			t.Errorf("nothing arrived from %v", slices.Collect(maps.Keys(want)))
		}
		p.stop()
	})
}

func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{})
		m := p.receivers[0]
		p.write(chunk(1, "ab"))
		p.write(chunk(2, ""))
		for _, want := range []string{"ACK 1", "ACK 2"} {
			if got := p.read(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		// Each answer restarts the linger time. A chunk that was never received is not
		// acknowledged.
		for range 3 {
			pause(classicLinger - time.Millisecond)
			p.write(chunk(2, ""))
			p.write(chunk(2, "x"))
			if got := p.read(); got != "ACK 2" {
				t.Errorf("a repeated last chunk drew %s, want ACK 2", got)
			}
		}
		last := time.Now()
		<-m.done
		if d := time.Since(last); m.err != nil || d.Round(time.Millisecond) != classicLinger {
			t.Errorf("returned %v after the last answer (%v), want %v", d, m.err, classicLinger)
		}
		if m.report.Elapsed > time.Millisecond || m.report.Peers[0].Duplicates != 3 {
			t.Errorf("report %+v: want the time without lingering, and 3 duplicates", m.report)
		}
		p.stop()
	})
}

func TestNoLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{Linger: -1})
		start := time.Now()
		p.write(chunk(1, ""))
		<-p.receivers[0].done
		if d := time.Since(start); p.receivers[0].err != nil || d > time.Millisecond {
			t.Errorf("returned after %v, %v", d, p.receivers[0].err)
		}
		p.stop()
	})
}

// A repeated packet of a transfer that was refused or failed is not answered, and the
// handler is not called again, until the receiver has forgotten the transfer.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		asked := 0
		var ended []error
		r := Receiver{Trace: &Trace{Finished: func(e TransferEvent) { ended = append(ended, e.Err) }}}
		p.serve(r, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) {
			asked++
			return nil, errBroken
		}))
		for range 5 {
			p.write(chunk(1, "ab"))
			pause(100 * time.Millisecond)
		}
		if asked != 1 || len(ended) != 1 || !errors.Is(ended[0], errBroken) {
			t.Errorf("the handler was asked %d times; ended: %v", asked, ended)
		}
		pause(DefaultLinger)
		p.write(chunk(1, "ab"))
		pause(time.Second)
		if asked != 2 {
			t.Errorf("the handler was asked %d times, want once more", asked)
		}
		if got := p.read(); got != "nothing" {
			t.Errorf("a refused transfer was answered with %s", got)
		}
		p.stop()
	})
}

func TestSinkFails(t *testing.T) {
	for name, s := range map[string]*shelf{
		"at the first chunk":   {fail: 1},
		"in the middle":        {fail: 550},
		"when it is all there": {commit: errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s.t = t
				p := newParty(t, 1, lossy.Delay(time.Millisecond))
				m := p.serve(Receiver{}, s)
				err := p.sendFrom(p.sender, noise(1, 1000))
				var incomplete *IncompleteError
				if !errors.As(err, &incomplete) {
					t.Errorf("Send = %v", err)
				}
				if len(s.items) == 0 {
					t.Error("no sink")
				}
				for _, i := range s.items {
					aborted := i.ended == "aborted" && errors.Is(i.aborted, errBroken)
					if !aborted && i.ended != "not committed" {
						t.Errorf("a sink was %s: %v", i.ended, i.aborted)
					}
				}
				s.fail, s.commit = 0, nil
				p.mustSend(noise(2, 1000)) // the next one is served
				p.stop()
				if !errors.Is(m.err, context.Canceled) {
					t.Errorf("Serve = %v", m.err)
				}
			})
		})
	}
}

func TestReceiveToAFailingWriter(t *testing.T) {
	for name, w := range map[string]io.Writer{
		"fails":                       &failingWriter{n: 250, err: errBroken},
		"takes less and says nothing": writerFunc(func(b []byte) (int, error) { return len(b) / 2, nil }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1, lossy.Delay(time.Millisecond))
				m := p.receivers[0]
				m.start(func(ctx context.Context) error {
					_, err := (&Receiver{}).Receive(ctx, m.conn, w)
					return err
				})
				if err := p.sendFrom(p.sender, noise(1, 1000)); err == nil {
					t.Error("Send did not notice")
				}
				<-m.done
				if !errors.Is(m.err, errBroken) && !errors.Is(m.err, io.ErrShortWrite) {
					t.Errorf("Receive = %v", m.err)
				}
				p.stop()
			})
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestSenderFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		start := time.Now()
		ended := make(chan error, 2)
		p.serve(Receiver{Trace: &Trace{Finished: func(e TransferEvent) {
			if e.Err != nil && (e.Report.Bytes != 2 || e.Report.Peers[0].State != Dropped) {
				t.Errorf("report %+v", e.Report)
			}
			ended <- e.Err
		}}}, s)
		p.write(chunk(1, "ab"))
		if err := <-ended; !errors.Is(err, ferry.ErrSilent) || s.items[0].ended != "aborted" {
			t.Errorf("%v, the sink %s", err, s.items[0].ended)
		}
		if d := time.Since(start); d.Round(time.Millisecond) != DefaultReceiverGiveUp {
			t.Errorf("given up after %v", d)
		}
		p.mustSend(noise(1, 1000)) // the same sender may come again
		if err := <-ended; err != nil || s.items[1].ended != "committed" {
			t.Errorf("the next transfer: %v", err)
		}
		p.stop()
	})
}

func TestSenderStartsAgain(t *testing.T) {
	for _, tt := range []struct {
		name, script string // chunks as in TestInbound
		want         string // how each sink ended, and what it had
	}{
		{"with another file", "1:ab 2:cd 1:xy 2:z", `aborted "abcd", committed "xyz"`},
		{"with a file that begins alike", "1:ab 2:cd 1:ab 2:xy", `aborted "abcd"`},
		{"after the end, with a file that begins alike", "1:ab 2:cd 3:e 1:ab 2:xy 3:z", `committed "abcde", committed "abxyz"`},
		{"after the end, with a late chunk", "1:ab 2:c 1:ab 2:c", `committed "abc"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1)
				s := &shelf{t: t}
				p.serve(Receiver{}, s)
				for c := range strings.SplitSeq(tt.script, " ") {
					p.write(chunk(uint32(c[0]-'0'), c[2:]))
					pause(time.Millisecond)
				}
				var got []string
				for _, i := range s.items {
					got = append(got, fmt.Sprintf("%s %q", i.ended, i.String()))
					if i.aborted != nil && !errors.Is(i.aborted, ferry.ErrRestarted) {
						t.Errorf("aborted: %v", i.aborted)
					}
				}
				if got := strings.Join(got, ", "); got != tt.want {
					t.Errorf("sinks: %s; want %s", got, tt.want)
				}
				p.stop()
			})
		})
	}
}

// Receive takes part in one transfer; another one of the same sender, or of anybody
// else, is none of its business.
func TestReceiveTakesOneTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{})
		m := p.receivers[0]
		stranger := p.listen()
		defer stranger.Close()
		p.write(chunk(1, "ab"))
		pause(time.Millisecond)
		for _, q := range []Packet{chunk(1, "xy"), {Seq: 1, Category: CategoryAck}} {
			b, _ := q.MarshalBinary()
			stranger.WriteTo(b, m.conn.LocalAddr())
			pause(time.Millisecond)
		}
		p.write(chunk(2, ""))
		pause(time.Millisecond)
		p.write(chunk(1, "xy")) // another transfer: not here
		<-m.done
		if m.err != nil || m.got.String() != "ab" || m.report.Unsolicited != 1 || m.report.Unexpected != 2 {
			t.Errorf("%q, %v, report %+v; want ab, 1 foreign and 2 bad packets", m.got.String(), m.err, m.report)
		}
		p.stop()
	})
}

func TestReceiveCanceled(t *testing.T) {
	for name, chunks := range map[string][]Packet{
		"before a sender came": nil,
		"in mid-file":          {chunk(1, "ab")},
		"while lingering":      {chunk(1, "ab"), chunk(2, "")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 1)
				p.receive(Receiver{})
				for _, c := range chunks {
					p.write(c)
					pause(time.Millisecond)
				}
				p.stop()
				m := p.receivers[0]
				if whole := len(chunks) == 2; whole != (m.err == nil) || !whole && !errors.Is(m.err, context.Canceled) {
					t.Errorf("Receive = %v", m.err)
				}
			})
		})
	}
}

func TestReceiverIgnoresBadPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		bad := make(map[error]int)
		p.receive(Receiver{Trace: &Trace{Ignored: func(e PacketEvent) { bad[e.Err]++ }}})
		m := p.receivers[0]
		raw := func(b []byte) { p.sender.WriteTo(b, m.conn.LocalAddr()) }
		write := func(q Packet) {
			p.write(q)
			pause(time.Millisecond)
		}
		write(chunk(2, "ab")) // no transfer begins with chunk 2
		raw([]byte{1, 2, 3})
		write(chunk(1, "ab"))
		raw([]byte{0, 0, 0, 2, 1, 2, 0x55, 0x55, 'c', 'd'}) // wrong sum
		raw(make([]byte, 65507))
		write(chunk(3, "ef"))  // the future
		write(chunk(2, "cde")) // longer than chunk 1
		write(Packet{Seq: 2, Category: CategoryAck})
		write(chunk(2, "c"))
		<-m.done
		if m.err != nil || m.got.String() != "abc" || m.report.Unexpected != 7 {
			t.Errorf("%q, %v, %d bad packets; want abc and 7", m.got.String(), m.err, m.report.Unexpected)
		}
		want := map[error]int{ferry.ErrTruncated: 1, ferry.ErrChecksum: 1, ErrCategory: 2, ErrSequence: 2, ErrLength: 1}
		if !maps.Equal(bad, want) {
			t.Errorf("bad packets %v, want %v", bad, want)
		}
		p.stop()
	})
}

func TestMaxTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		s := &shelf{t: t}
		busy := 0
		r := Receiver{MaxTransfers: 3, Trace: &Trace{Ignored: func(e PacketEvent) {
			if errors.Is(e.Err, ferry.ErrBusy) {
				busy++
			}
		}}}
		p.serve(r, s)
		b, _ := chunk(1, "ab").MarshalBinary()
		for range 5 {
			conn := p.listen()
			defer conn.Close()
			conn.WriteTo(b, p.receivers[0].conn.LocalAddr())
		}
		pause(time.Millisecond)
		if len(s.items) != 3 || busy != 2 {
			t.Errorf("%d transfers began and %d were turned away, want 3 and 2", len(s.items), busy)
		}
		pause(DefaultReceiverGiveUp)
		p.mustSend(noise(1, 100))
		p.stop()
	})
}

// Finished transfers take no room from new ones, and no memory without bound.
func TestRememberedTransfersAreBounded(t *testing.T) {
	for wait, most := range map[time.Duration]int{0: 8, DefaultLinger: 0} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1)
			s := &shelf{t: t}
			m := p.receivers[0]
			v := (&Receiver{MaxTransfers: 4}).newLoop(s)
			m.start(func(ctx context.Context) error { return v.run(ctx, m.conn) })
			b, _ := chunk(1, "").MarshalBinary()
			for range 50 {
				conn := p.listen()
				conn.WriteTo(b, m.conn.LocalAddr())
				pause(time.Millisecond)
				conn.Close()
			}
			pause(wait)
			p.stop()
			if len(s.items) != 50 || len(v.all) > most || len(v.active) != 0 {
				t.Errorf("%d transfers, %d remembered after %v, %d under way; want 50, at most %d, 0", len(s.items), len(v.all), wait, len(v.active), most)
			}
		})
	}
}
