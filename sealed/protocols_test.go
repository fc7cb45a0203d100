package sealed_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/octoput"
	"github.com/ferrygo/ferry/p2mp"
	"github.com/ferrygo/ferry/relay"
	"github.com/ferrygo/ferry/sealed"
	"github.com/ferrygo/ferry/tftp"
)

// A house is a network whose packets are all sealed, and which loses, duplicates and
// reorders them.
type house struct {
	t       *testing.T
	network *lossy.Network
	config  sealed.Config
	conns   []net.PacketConn
}

// inHouse runs a test in virtual time, and checks that all packets were sealed and none was
// refused but duplicates.
func inHouse(t *testing.T, test func(t *testing.T, h *house)) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, config: sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}}
		plain := 0
		h.network = lossy.NewNetwork(
			lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
				if len(e.Payload) < 40 || e.Payload[0] != 0xfe {
					plain++
				}
			}}),
			lossy.Loss(0.03), lossy.Duplicate(0.03), lossy.Jitter(2*time.Millisecond, 12*time.Millisecond),
		)
		test(t, h)
		for _, c := range h.conns {
			if s := sealed.StatsOf(c); s.Refused() != s.Replayed || s.Opened == 0 {
				t.Errorf("%v: statistics are %+v", c.LocalAddr(), s)
			}
		}
		if plain > 0 {
			t.Errorf("%d packets were not sealed", plain)
		}
	})
}

func (h *house) open() (net.PacketConn, *lossy.Conn, netip.AddrPort) {
	inner := openAt(h.t, h.network, "")
	c := wrap(h.t, h.config, inner)
	h.conns = append(h.conns, c)
	return c, inner, inner.AddrPort()
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

func source(data []byte) ferry.Source {
	return ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "file"}
}

// TestP2MP sends a file to three receivers, in both modes and through a group.
func TestP2MP(t *testing.T) {
	for name, sender := range map[string]p2mp.Sender{
		"Classic": {Classic: true}, "Extended": {}, "Group": {Group: netip.MustParseAddrPort("239.1.2.3:7735")},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				data := pattern(100_000)
				var to []netip.AddrPort
				got := make(chan []byte)
				for i := range 3 {
					inner := openAt(t, h.network, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 7735).String())
					c := wrap(t, h.config, inner)
					h.conns, to = append(h.conns, c), append(to, inner.AddrPort())
					if g := sender.Group; g.IsValid() {
						if err := inner.JoinGroup(g.Addr()); err != nil {
							t.Fatal(err)
						}
					}
					go func() {
						var out bytes.Buffer
						if _, err := (&p2mp.Receiver{}).Receive(t.Context(), c, &out); err != nil {
							t.Error(err)
						}
						got <- out.Bytes()
					}()
				}
				conn, _, _ := h.open()
				if _, err := sender.Send(t.Context(), conn, to, source(data)); err != nil {
					t.Error(err)
				}
				for range to {
					if b := <-got; !bytes.Equal(b, data) {
						t.Errorf("%d bytes arrived, or others", len(b))
					}
				}
			})
		})
	}
}

// TestOctoput pushes a file.
func TestOctoput(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		data := pattern(50_001)
		a, _, _ := h.open()
		b, _, to := h.open()
		got := make(chan []byte)
		go func() {
			var out bytes.Buffer
			(&octoput.Receiver{}).Receive(t.Context(), b, &out)
			got <- out.Bytes()
		}()
		if _, err := (&octoput.Sender{}).Send(t.Context(), a, to, source(data)); err != nil {
			t.Error(err)
		}
		if b := <-got; !bytes.Equal(b, data) {
			t.Errorf("%d bytes arrived, or others", len(b))
		}
	})
}

// TestTFTP reads a file; each transfer has its own sealed conn.
func TestTFTP(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		data := pattern(100_000)
		at, _, server := h.open()
		ctx, stop := context.WithCancel(t.Context())
		s := tftp.Server{
			Opener: ferry.FS(fstest.MapFS{"file": {Data: data}}),
			ListenPacket: func(_ context.Context, local netip.AddrPort) (net.PacketConn, error) {
				c := wrap(t, h.config, openAt(t, h.network, local.String()))
				h.conns = append(h.conns, c)
				return c, nil
			},
		}
		served := make(chan bool)
		go func() {
			s.Serve(ctx, at)
			close(served)
		}()
		conn, _, _ := h.open()
		var got bytes.Buffer
		if _, err := (&tftp.Client{}).Get(ctx, conn, server, "file", ferry.To(&got)); err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%d bytes, %v", got.Len(), err)
		}
		stop()
		<-served
	})
}

// TestDirectory registers a peer and looks a file up.
func TestDirectory(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		at, _, server := h.open()
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan bool)
		go func() {
			(&directory.Server{}).Serve(ctx, at)
			close(served)
		}()
		conn, _, own := h.open()
		c := &directory.Client{Conn: conn, Directory: server}
		if err := c.Publish(ctx, netip.AddrPortFrom(own.Addr(), 80), []string{"new.txt", "a song.ogg"}); err != nil {
			t.Fatal(err)
		}
		found, err := c.Lookup(ctx, "a song.ogg")
		if err != nil || len(found) != 1 || found[0].Addr() != own.Addr() {
			t.Errorf("found %v, %v", found, err)
		}
		stop()
		<-served
	})
}

// TestChat has two peers say something to each other.
func TestChat(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		type end struct {
			conn net.PacketConn
			at   netip.AddrPort
			say  chan string
			hear chan string
		}
		var ends [2]end
		for i := range ends {
			e := &ends[i]
			e.conn, _, e.at = h.open()
			e.say, e.hear = make(chan string), make(chan string, 10)
		}
		done := make(chan error, 2)
		for i := range ends {
			server, far := net.Pipe()
			go func() { // a server that is silent
				buf := make([]byte, 100)
				for {
					if _, err := far.Read(buf); err != nil {
						return
					}
				}
			}()
			go func() {
				defer server.Close()
				_, err := (&relay.Peer{}).Run(t.Context(), server, ends[i].conn, ends[1-i].at, ends[i].say, func(m relay.Message) { ends[i].hear <- m.Text })
				done <- err
			}()
		}
		ends[0].say <- "hello"
		ends[1].say <- "hello yourself"
		if a, b := <-ends[1].hear, <-ends[0].hear; a != "hello" || b != "hello yourself" {
			t.Errorf("heard %q and %q", a, b)
		}
		ends[0].say <- "exit"
		for range ends {
			if err := <-done; err != nil && !strings.Contains(err.Error(), "confirm") {
				t.Error(err)
			}
		}
	})
}

// TestTransferUnderFlood: 50,000 forged packets a second to each end, well-formed and with
// new sender ids, cost a transfer no time on the network, and are not answered.
func TestTransferUnderFlood(t *testing.T) {
	run := func(flood bool) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			h := &house{t: t, config: sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}}
			h.network = lossy.NewNetwork(lossy.Rate(500e6, 1000), lossy.Delay(5*time.Millisecond))
			a, _, from := h.open()
			b, _, to := h.open()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			attacker := openAt(t, h.network, "10.0.0.66:66")
			flooding := make(chan bool)
			if !flood {
				close(flooding)
			} else {
				go func() {
					defer close(flooding)
					packet := wellFormed(t, h.config)
					for i := uint64(0); ctx.Err() == nil; i++ {
						binary.BigEndian.PutUint64(packet[8:], i)
						attacker.WriteToUDPAddrPort(packet, from)
						attacker.WriteToUDPAddrPort(packet, to)
						time.Sleep(20 * time.Microsecond)
					}
				}()
			}
			done := make(chan error)
			go func() {
				_, err := (&octoput.Receiver{Linger: -1}).Receive(ctx, b, io.Discard)
				done <- err
			}()
			start := time.Now()
			if _, err := (&octoput.Sender{}).Send(ctx, a, to, source(pattern(500_000))); err != nil {
				t.Error(err)
			}
			took = time.Since(start)
			<-done
			stop()
			<-flooding
			if got := drainOne(attacker); got != 0 {
				t.Errorf("%d bytes in answer to forged packets", got)
			}
			if s := sealed.StatsOf(b); flood != (s.Forged > 1000) || s.Senders != 1 {
				t.Errorf("statistics are %+v", s)
			}
		})
		return took
	}
	if alone, flooded := run(false), run(true); flooded > alone*51/50 {
		t.Errorf("the transfer takes %v, and %v under a flood", alone, flooded)
	}
}

// wellFormed returns a sealed packet of another purpose.
func wellFormed(t *testing.T, c sealed.Config) []byte {
	c.Purpose = "other"
	var packet []byte
	w := wrap(t, c, &moving{PacketConn: openAt(t, lossy.NewNetwork(), ""), capture: &packet})
	w.WriteTo(make([]byte, 100), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.9:9")))
	return packet
}

// drainOne returns the length of a packet that has arrived, or 0.
func drainOne(c *lossy.Conn) int {
	c.SetReadDeadline(time.Now().Add(time.Second))
	n, _, _ := c.ReadFromUDPAddrPort(make([]byte, 2000))
	return n
}
