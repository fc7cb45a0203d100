package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// A chatter is a Peer on a network in memory, in a bubble. Its server only collects the bytes that it reads.
type chatter struct {
	t      *testing.T
	conn   *lossy.Conn
	addr   netip.AddrPort
	server net.Conn // the server's end
	mine   net.Conn
	say    chan string
	heard  []string
	copied string        // what the server got, once drained
	drain  chan struct{} // closed when it has everything
	report ChatReport
	err    error
	ended  time.Time
	done   chan struct{}
}

func newChatters(t *testing.T, options ...lossy.Option) (a, b *chatter) {
	n := lossy.NewNetwork(options...)
	return newChatter(t, n, netip.AddrPort{}), newChatter(t, n, netip.AddrPort{})
}

// newChatter returns a chatter at an address of n; a zero address means any.
func newChatter(t *testing.T, n *lossy.Network, at netip.AddrPort) *chatter {
	conn, err := n.NewConn(at)
	if err != nil {
		t.Fatal(err)
	}
	c := &chatter{t: t, conn: conn, say: make(chan string), done: make(chan struct{})}
	c.addr = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	c.mine, c.server = net.Pipe()
	c.drain = make(chan struct{})
	server := c.server
	go func() {
		defer close(c.drain)
		b, _ := io.ReadAll(server)
		c.copied = string(b)
	}()
	return c
}

func (c *chatter) start(p Peer, other netip.AddrPort) {
	go func() {
		defer close(c.done)
		c.report, c.err = p.Run(c.t.Context(), c.mine, c.conn, other, c.say, func(m Message) {
			text := m.Text
			if m.Server {
				text = "server: " + text
			}
			c.heard = append(c.heard, text)
		})
		c.ended = time.Now()
		c.mine.Close()
		c.conn.Close()
	}()
}

// CSCI 351 project 4, question 3.
func TestChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t, lossy.Delay(10*ms))
		a.start(Peer{}, b.addr)
		b.start(Peer{Framing: Line}, a.addr)
		a.say <- "hello"
		a.say <- "there"
		b.say <- "hi"
		time.Sleep(time.Second)
		io.WriteString(a.server, "9: from afar\n")
		synctest.Wait()
		b.say <- exit
		start := time.Now()
		<-a.done
		<-b.done
		<-a.drain
		<-b.drain
		if a.err != nil || b.err != nil {
			t.Errorf("errors %v, %v", a.err, b.err)
		}
		if !slices.Equal(a.heard, []string{"hi", "server: 9: from afar"}) || !slices.Equal(b.heard, []string{"hello", "there"}) {
			t.Errorf("heard %q, %q", a.heard, b.heard)
		}
		if a.copied != "hellothere" || b.copied != "hi\nexit\n" {
			t.Errorf("the servers got %q, %q", a.copied, b.copied)
		}
		if a.report.Said != 2 || a.report.Heard != 2 || b.report.Said != 2 || b.report.Heard != 2 ||
			a.report.Retransmitted+b.report.Retransmitted != 0 || a.report.RTT != 20*ms {
			t.Errorf("reports %+v, %+v", a.report, b.report)
		}
		if took := b.ended.Sub(start); took != 20*ms {
			t.Errorf("exit took %v, want a round trip", took)
		}
	})
}

// TestChatOnBadNetworks: every line arrives once and in order, despite loss, duplicates and reordering.
func TestChatOnBadNetworks(t *testing.T) {
	for seed := uint64(1); seed <= 200 && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			a, b := newChatters(t, lossy.Seed(seed), lossy.Loss(0.4*r.Float64()), lossy.Duplicate(0.2), lossy.Jitter(0, 100*ms))
			patient := Peer{JoinTimeout: time.Hour, GiveUp: time.Hour, ExitTimeout: time.Hour}
			var want []string
			a.start(patient, b.addr)
			b.start(patient, a.addr)
			go func() {
				for i := range 20 {
					b.say <- fmt.Sprint(-i)
				}
			}()
			for i := range 20 {
				want = append(want, fmt.Sprint(i))
				a.say <- fmt.Sprint(i)
			}
			time.Sleep(time.Hour) // b has said everything
			close(a.say)
			<-b.done
			if !slices.Equal(b.heard, want) || len(a.heard) != 20 || b.err != nil {
				t.Errorf("b heard %q, %v; a heard %q", b.heard, b.err, a.heard)
			}
			<-a.done
			// The acknowledgement of a's exit may be lost until b has ended.
			if a.err != nil && !errors.Is(a.err, ferry.ErrUnconfirmed) {
				t.Error(a.err)
			}
		})
		if t.Failed() {
			t.Errorf("to repeat: seed %d", seed)
		}
	}
}

func TestChatAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t)
		b.conn.Close()
		b.mine.Close()
		a.start(Peer{}, b.addr)
		start := time.Now()
		a.say <- "hello"
		<-a.done
		var peer *PeerError
		if !errors.Is(a.err, ferry.ErrNoAnswer) || !errors.As(a.err, &peer) || peer.Text != "hello" || time.Since(start) != DefaultJoinTimeout {
			t.Errorf("%v after %v", a.err, time.Since(start))
		}
		if a.report.Sent > 40 {
			t.Errorf("%d packets to an address that never answered", a.report.Sent)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t)
		b.conn.Close()
		b.mine.Close()
		a.start(Peer{}, b.addr)
		start := time.Now()
		close(a.say)
		<-a.done
		if !errors.Is(a.err, ferry.ErrUnconfirmed) || time.Since(start) != DefaultExitTimeout {
			t.Errorf("%v after %v", a.err, time.Since(start))
		}
	})
}

// TestChatStrangers: packets from other addresses change nothing and are not answered.
func TestChatStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answered int
		n := lossy.NewNetwork(lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
			if e.To.Port() == 666 || e.From.Port() != 666 {
				answered++
			}
		}}))
		stranger, err := n.NewConn(netip.MustParseAddrPort("10.6.6.6:666"))
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		conn, err := n.NewConn(netip.AddrPort{})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		mine, server := net.Pipe()
		defer mine.Close()
		go io.Copy(io.Discard, server)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan ChatReport)
		go func() {
			report, err := (&Peer{}).Run(ctx, mine, conn, netip.MustParseAddrPort("10.0.0.77:1"), nil, func(m Message) { t.Errorf("heard %+v", m) })
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			done <- report
		}()
		for _, b := range [][]byte{nil, []byte("x"), []byte(packetVectors[0].bytes), make([]byte, 2000)} {
			stranger.WriteTo(b, conn.LocalAddr())
		}
		time.Sleep(time.Second)
		cancel()
		if report := <-done; report.Unsolicited != 4 || answered != 0 {
			t.Errorf("report %+v, %d packets answered", report, answered)
		}
	})
}

// TestChatBadPackets: malformed and unexpected packets from the peer's address are counted and ignored.
func TestChatBadPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t)
		a.start(Peer{}, b.addr)
		b.mine.Close()
		for _, p := range []string{"", "FC", packetVectors[2].bytes, "XX" + packetVectors[0].bytes[2:], packetVectors[3].bytes + "y"} {
			b.conn.WriteTo([]byte(p), a.conn.LocalAddr())
		}
		b.conn.SetReadDeadline(time.Now().Add(time.Second))
		if n, _, err := b.conn.ReadFrom(make([]byte, 2000)); err == nil {
			t.Errorf("an answer of %d bytes", n)
		}
		b.conn.WriteTo([]byte(packetVectors[0].bytes), a.conn.LocalAddr())
		b.conn.SetReadDeadline(time.Now().Add(time.Second))
		buf := make([]byte, 2000)
		n, _, err := b.conn.ReadFrom(buf)
		if p, errParse := ParsePacket(buf[:n]); err != nil || errParse != nil || p.Kind != Ack || p.Number != 9 {
			t.Errorf("answered %+v, %v, %v", p, err, errParse)
		}
		close(a.say)
		<-a.done
		b.conn.Close()
		if a.report.Unexpected != 5 || !slices.Equal(a.heard, []string{"hi"}) {
			t.Errorf("%+v, heard %q", a.report, a.heard)
		}
	})
}

// TestChatStartsAgain: a peer that says exit and starts again at once does not restart the other's chat. It meets
// the other's next chat.
func TestChatStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Delay(10 * ms))
		a, b := newChatter(t, n, netip.AddrPort{}), newChatter(t, n, netip.AddrPort{})
		a.start(Peer{}, b.addr)
		b.start(Peer{}, a.addr)
		a.say <- "hello"
		b.say <- exit
		<-b.done
		b = newChatter(t, n, b.addr)
		b.start(Peer{}, a.addr)
		b.say <- "back again"
		<-a.done
		if a.err != nil || len(a.heard) != 0 {
			t.Errorf("the chat that was over: %v, heard %q", a.err, a.heard)
		}
		a = newChatter(t, n, a.addr)
		a.start(Peer{}, b.addr)
		b.say <- exit
		<-a.done
		<-b.done
		if a.err != nil || b.err != nil || !slices.Equal(a.heard, []string{"back again"}) {
			t.Errorf("the next one: %v, %v, heard %q", a.err, b.err, a.heard)
		}
	})
}

// TestChatServerGone: the end of the server ends the chat on both sides.
func TestChatServerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t, lossy.Delay(10*ms))
		a.start(Peer{}, b.addr)
		b.start(Peer{}, a.addr)
		a.say <- "hello"
		time.Sleep(time.Second)
		a.server.Close()
		<-a.done
		<-b.done
		if !errors.Is(a.err, ErrServerGone) || b.err != nil || b.report.Heard != 2 {
			t.Errorf("%v, %v, %+v", a.err, b.err, b.report)
		}
	})
}

// TestChatLastCopy: a slow server gets the copy of the last message, although the other peer acknowledged it long before.
func TestChatLastCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t, lossy.Delay(10*ms))
		a.mine.Close()
		a.mine, a.server = net.Pipe()
		a.start(Peer{}, b.addr)
		b.start(Peer{}, a.addr)
		a.say <- exit
		<-b.done
		time.Sleep(copyTimeout / 2)
		got, err := io.ReadAll(a.server)
		<-a.done
		if string(got) != exit || err != nil || a.err != nil {
			t.Errorf("the server got %q, %v; the chat: %v", got, err, a.err)
		}
	})
}

// TestChatServerDeaf: a server that does not read delays no message of the other peer, and its timeout ends the chat.
func TestChatServerDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t)
		a.mine.Close()
		a.mine, a.server = net.Pipe() // never read
		a.start(Peer{}, b.addr)
		b.start(Peer{}, a.addr)
		a.say <- "hello"
		for range 100 {
			b.say <- "hi"
		}
		start := time.Now()
		<-a.done
		if !errors.Is(a.err, ErrServerGone) && (a.err == nil || !strings.Contains(a.err.Error(), "copying to the server")) || time.Since(start) > copyTimeout+time.Second {
			t.Errorf("%v after %v", a.err, time.Since(start))
		}
		<-b.done
		if b.err != nil || len(a.heard) != 100 {
			t.Errorf("%v; heard %d", b.err, len(a.heard))
		}
	})
}

func TestCut(t *testing.T) {
	for _, text := range []string{
		"", "x", strings.Repeat("x", MaxText), strings.Repeat("x", MaxText+1), strings.Repeat("é", MaxText),
		strings.Repeat("x", 5*MaxText) + exit, strings.Repeat("\x80", 3*MaxText),
	} {
		pieces := cut(text)
		if strings.Join(pieces, "") != text || len(pieces) < 1 {
			t.Errorf("%d pieces are not the text", len(pieces))
		}
		for _, p := range pieces {
			if len(p) > MaxText || p == exit || strings.HasPrefix(text, "é") && !strings.HasPrefix(p, "é") {
				t.Errorf("a piece of %d bytes, %.10q", len(p), p)
			}
		}
	}
}

func TestChatLongText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newChatters(t, lossy.Delay(ms))
		a.start(Peer{}, b.addr)
		b.start(Peer{}, a.addr)
		long := strings.Repeat("0123456789", 1000)
		a.say <- long
		a.say <- exit
		<-a.done
		<-b.done
		<-a.drain
		if strings.Join(b.heard, "") != long || a.copied != long+exit {
			t.Errorf("heard %d pieces; the server got %d bytes", len(b.heard), len(a.copied))
		}
	})
}

// TestChatLongDelivery: the longest delivery of a Server is one message, with its sender's label.
func TestChatLongDelivery(t *testing.T) {
	forged := "1: I owe you money"
	for _, id := range []string{"2: ", "18446744073709551615: "} {
		for _, first := range []int{len(id), 1448, minBuffer, DefaultMaxMessage / 2} { // bytes of a read
			synctest.Test(t, func(t *testing.T) {
				a, b := newChatters(t)
				a.start(Peer{}, b.addr)
				line := id + strings.Repeat("x", first-len(id)) + forged
				line += strings.Repeat("x", len(id)+DefaultMaxMessage-len(line))
				for _, part := range []string{line[:first], line[first:], "\n", "2: next\n"} {
					io.WriteString(a.server, part)
					synctest.Wait()
				}
				b.start(Peer{}, a.addr)
				b.say <- exit
				<-a.done
				<-b.done
				if want := []string{"server: " + line, "server: 2: next"}; a.err != nil || !slices.Equal(a.heard, want) {
					t.Errorf("%d bytes of it first: %v, heard %d messages: %.60q", first, a.err, len(a.heard), a.heard)
				}
			})
		}
	}
}

func TestChatMistakes(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	for _, addr := range []string{"0.0.0.0:1", "10.0.0.1:0", "[::]:5"} {
		if _, err := (&Peer{}).Run(t.Context(), a, nil, netip.MustParseAddrPort(addr), nil, nil); err == nil || !strings.Contains(err.Error(), "invalid peer address") {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
