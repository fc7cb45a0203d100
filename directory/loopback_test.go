package directory

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ferrygo/ferry/lossy"

	"github.com/ferrygo/ferry/directory/fetch"
)

// onLoopback runs a directory, and returns clients of it, all over real sockets.
func onLoopback(t *testing.T, s *Server, ip string) (client func(...lossy.Option) *Client) {
	t.Helper()
	listen := func() net.PacketConn {
		conn, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	hall := listen()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(ctx, hall)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return func(options ...lossy.Option) *Client {
		return &Client{Conn: lossy.Wrap(listen(), options...), Directory: addrOf(hall)}
	}
}

func TestLoopback(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			c := onLoopback(t, &Server{}, ip)(lossy.Both(lossy.Loss(0.1)), lossy.Seed(1))
			peer := netip.AddrPortFrom(netip.MustParseAddr(ip), 80)
			for range 5 {
				if err := c.Publish(t.Context(), peer, []string{"a", "b c"}); err != nil {
					t.Fatal(err)
				}
				if found, err := c.Lookup(t.Context(), "b c"); err != nil || !slices.Equal(found, []netip.AddrPort{peer}) {
					t.Fatal(found, err)
				}
				if l, err := c.View(t.Context()); err != nil || len(l.Peers) != 1 || len(l.Peers[0].Files) != 2 {
					t.Fatal(l, err)
				}
				if err := c.Withdraw(t.Context(), peer); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Lookup(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestAnswersFromAddressAsked: a directory on all addresses of its host answers from the one
// that it was asked at, or the client would take the answer for somebody else's.
func TestAnswersFromAddressAsked(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells which address was asked")
	}
	for _, network := range []string{"udp4", "udp6", "udp"} {
		hall, err := net.ListenPacket(network, ":0")
		if err != nil {
			t.Skip(err)
		}
		defer hall.Close()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&Server{}).Serve(ctx, hall)
		}()
		for _, ip := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
			asked := netip.AddrPortFrom(netip.MustParseAddr(ip), addrOf(hall).Port())
			if v4 := asked.Addr().Is4(); v4 && network == "udp6" || !v4 && network == "udp4" {
				continue
			}
			conn, err := net.ListenPacket("udp", net.JoinHostPort(map[bool]string{true: "127.0.0.1", false: "::1"}[asked.Addr().Is4()], "0"))
			if err != nil {
				t.Skip(err)
			}
			defer conn.Close()
			c := &Client{Conn: conn, Directory: asked, GiveUp: 2 * time.Second}
			if err := c.Publish(t.Context(), netip.AddrPortFrom(addrOf(conn).Addr(), 80), []string{"a"}); err != nil {
				t.Errorf("%s, asked at %s: %v", network, ip, err)
			} else if l, err := c.View(t.Context()); err != nil || len(l.Peers) == 0 {
				t.Errorf("%s, asked at %s: %v, %v", network, ip, l, err)
			}
		}
		stop()
		<-done
	}
}

// TestNothingIsLeft: neither goroutines nor descriptors, whatever ends first.
func TestNothingIsLeft(t *testing.T) {
	count := func() (goroutines, descriptors int) {
		fds, _ := os.ReadDir("/proc/self/fd") // none where there is no /proc
		return runtime.NumGoroutine(), len(fds)
	}
	p := sharing(t, map[string][]byte{"f": noise(1, 3*fetch.PieceLength)})
	root := openDir(t, nil)
	client := onLoopback(t, &Server{}, "127.0.0.1")()
	p.Publisher = client
	goroutines, descriptors := count()
	for i := range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Serve(ctx, l) }()
		f := fetch.Fetcher{Trace: &fetch.Trace{Progress: func(fetch.Event) {
			if i%2 == 0 {
				stop()
			}
		}}}
		source := fetch.Sources{{Addr: listenerAddr(l)}}
		_, err = f.Fetch(ctx, root, "f", "", source)
		if err != nil && i%2 == 1 {
			t.Error(err)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	// A goroutine of the runtime's may come or go; a leak would leave a hundred.
	if g, d := count(); g > goroutines+10 || d > descriptors+10 {
		t.Errorf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
	}
}

func listenerAddr(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

// TestOtherClients: curl and aria2 get a file from peers, aria2 from two at once.
func TestOtherClients(t *testing.T) {
	data := noise(5, 3*fetch.PieceLength+1)
	var urls []string
	for range 2 {
		urls = append(urls, "http://"+serve(t, sharing(t, map[string][]byte{"f": data})).Addr.String()+"/f")
	}
	for _, args := range [][]string{
		{"curl", "-s", "-f", "-o", "FILE", urls[0]},
		append([]string{"aria2c", "-q", "--no-conf", "-d", "/", "-o", "FILE", "-s2", "-k1M"}, urls...),
	} {
		t.Run(args[0], func(t *testing.T) {
			if _, err := exec.LookPath(args[0]); err != nil {
				t.Skip(args[0] + " is not installed")
			}
			file := filepath.Join(t.TempDir(), "copy")
			args[slices.Index(args, "FILE")] = file
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got, err := os.ReadFile(file); err != nil || !slices.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}
