package sealed_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/fstest"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/octoput"
	"github.com/ferrygo/ferry/p2mp"
	"github.com/ferrygo/ferry/sealed"
	"github.com/ferrygo/ferry/tftp"
)

// A sink is a conn that swallows packets.
type sink struct{ net.PacketConn }

func (sink) WriteBatch(bufs [][]byte, _ []netip.AddrPort, _ []netip.Addr) (int, error) {
	return len(bufs), nil
}

// BenchmarkSeal seals packets of 1400 bytes, 32 at a time.
func BenchmarkSeal(b *testing.B) {
	config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
	w := wrap(b, config, sink{listenUDP(b, "127.0.0.1:0")}).(datagram.BatchWriter)
	bufs, to := make([][]byte, 32), make([]netip.AddrPort, 32)
	for i := range bufs {
		bufs[i] = make([]byte, 1400)
	}
	b.SetBytes(32 * 1400)
	b.ReportAllocs()
	for b.Loop() {
		w.WriteBatch(bufs, to, nil)
	}
}

// BenchmarkTransfer sends 64 MiB over the loopback interface, plain and sealed in turns.
func BenchmarkTransfer(b *testing.B) {
	data := make([]byte, 64<<20)
	config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
	for name, transfer := range map[string]func(b *testing.B, open func() (net.PacketConn, netip.AddrPort)){
		"p2mp": func(b *testing.B, open func() (net.PacketConn, netip.AddrPort)) {
			from, _ := open()
			at, to := open()
			done := make(chan error)
			go func() {
				_, err := (&p2mp.Receiver{}).Receive(b.Context(), at, io.Discard)
				done <- err
			}()
			if _, err := (&p2mp.Sender{}).Send(b.Context(), from, []netip.AddrPort{to}, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))}); err != nil {
				b.Fatal(err)
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		},
		"octoput": func(b *testing.B, open func() (net.PacketConn, netip.AddrPort)) {
			from, _ := open()
			at, to := open()
			done := make(chan error)
			go func() {
				_, err := (&octoput.Receiver{Linger: -1}).Receive(b.Context(), at, io.Discard)
				done <- err
			}()
			if _, err := (&octoput.Sender{}).Send(b.Context(), from, to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))}); err != nil {
				b.Fatal(err)
			}
			<-done
		},
		"tftp": func(b *testing.B, open func() (net.PacketConn, netip.AddrPort)) {
			from, _ := open()
			at, to := open()
			ctx, stop := context.WithCancel(b.Context())
			done := make(chan bool)
			s := tftp.Server{
				Opener:       ferry.FS(fstest.MapFS{"file": {Data: data}}),
				ListenPacket: func(context.Context, netip.AddrPort) (net.PacketConn, error) { c, _ := open(); return c, nil },
			}
			go func() {
				s.Serve(ctx, at)
				close(done)
			}()
			if _, err := (&tftp.Client{BlockSize: 1388}).Get(ctx, from, to, "file", ferry.To(io.Discard)); err != nil {
				b.Fatal(err)
			}
			stop()
			<-done
		},
	} {
		for _, seal := range []bool{false, true} {
			b.Run(name+map[bool]string{false: "/plain", true: "/sealed"}[seal], func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					var conns []net.PacketConn
					transfer(b, func() (net.PacketConn, netip.AddrPort) {
						udp := listenUDP(b, "127.0.0.1:0")
						var c net.PacketConn = udp
						if seal {
							c = wrap(b, config, udp)
						}
						conns = append(conns, c)
						return c, udp.LocalAddr().(*net.UDPAddr).AddrPort()
					})
					for _, c := range conns {
						c.Close()
					}
				}
			})
		}
	}
}
