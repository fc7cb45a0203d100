package directory

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
)

// A quietListener accepts no connection, for tests of the messages to the directory.
type quietListener struct {
	addr net.Addr
	done chan struct{}
	once sync.Once
}

func (l *quietListener) Accept() (net.Conn, error) {
	<-l.done
	return nil, net.ErrClosed
}

func (l *quietListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}
func (l *quietListener) Addr() net.Addr { return l.addr }

// running starts a peer at a host of the town.
func running(v *town, host string, p *Peer) (stop func() error) {
	p.Publisher = v.client(host)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	l := &quietListener{addr: net.TCPAddrFromAddrPort(httpAt(host)), done: make(chan struct{})}
	go func() { done <- p.Serve(ctx, l) }()
	return func() error {
		cancel()
		return <-done
	}
}

// files returns what the directory shows of a host, nil if it is not there.
func files(t *testing.T, c *Client, host string) []string {
	t.Helper()
	l, err := c.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Peers {
		if p.Addr == httpAt(host) {
			return slices.Concat(p.Files, []string{})
		}
	}
	return nil
}

// TestPeerAnnounces: a peer announces files shared while it runs, keeps itself registered,
// and takes leave.
func TestPeerAnnounces(t *testing.T) {
	p := sharing(t, map[string][]byte{"a": nil})
	if err := os.WriteFile(filepath.Join(p.Root.Name(), "b"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		watcher := v.client("10.0.0.9")
		p.wake = nil
		stop := running(v, "10.0.0.2", p)
		synctest.Wait()
		want := func(when string, names ...string) {
			t.Helper()
			if got := files(t, watcher, "10.0.0.2"); !slices.Equal(got, names) || (got == nil) != (names == nil) {
				t.Errorf("%s: %q, want %q", when, got, names)
			}
		}
		time.Sleep(time.Second)
		want("at first", "a")
		p.Share("b")
		time.Sleep(time.Second)
		want("after Share", "a", "b")
		p.Unshare("a")
		if err := p.Announce(t.Context()); err != nil {
			t.Error(err)
		}
		want("after Announce", "b")
		time.Sleep(5 * time.Minute)
		want("after five minutes", "b")
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		want("after the exit")
		if err := p.Announce(t.Context()); err == nil {
			t.Error("announced after the exit")
		}
		v.close()
	})
}

// TestDirectoryRestarts: peers are known again within one period; while it is down they
// say so, and go on.
func TestDirectoryRestarts(t *testing.T) {
	p := sharing(t, map[string][]byte{"a": nil})
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		var failures, successes int
		p.wake = nil
		p.Trace = &Trace{Announced: func(e Event) {
			if e.Err != nil {
				failures++
			} else {
				successes++
			}
		}}
		stop := running(v, "10.0.0.2", p)
		time.Sleep(time.Second)
		v.shut()
		time.Sleep(time.Minute)
		synctest.Wait()
		if failures < 5 {
			t.Errorf("%d failures in a minute without a directory", failures)
		}
		v.open(&Server{})
		time.Sleep(DefaultPeriod)
		if got := files(t, v.client("10.0.0.9"), "10.0.0.2"); !slices.Equal(got, []string{"a"}) {
			t.Errorf("one period after the restart: %q", got)
		}
		stop()
		v.close()
	})
}

// TestPeerExpires: one that falls silent is forgotten after the expiry, and not before.
func TestPeerExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var removed []netip.AddrPort
		v := newTown(t, &Server{Trace: &Trace{Removed: func(e Event) {
			if e.Expired {
				removed = append(removed, e.Addr)
			}
		}}})
		c := v.client("10.0.0.2")
		if err := c.Publish(t.Context(), httpAt("10.0.0.2"), []string{"f"}); err != nil {
			t.Fatal(err)
		}
		watcher := v.client("10.0.0.9")
		time.Sleep(DefaultExpiry - time.Second)
		if got := files(t, watcher, "10.0.0.2"); got == nil {
			t.Error("gone too early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := files(t, watcher, "10.0.0.2"); got != nil || len(removed) != 1 {
			t.Errorf("still there: %q, removed %v", got, removed)
		}
		v.close()
	})
}

// TestClientErrors: an absent directory, a directory that only acknowledges, refusals, a
// context that ends.
func TestClientErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		c := v.client("10.0.0.2")
		ctx := t.Context()
		if _, err := c.Lookup(ctx, "nonsuch"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("nobody has it: %v", err)
		}
		var refused *RefusedError
		if err := c.Publish(ctx, httpAt("10.0.0.3"), nil); !errors.As(err, &refused) || refused.Code != CodeForbidden || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("another's address: %v", err)
		}
		for _, name := range []string{"", "..", "a/b", strings.Repeat("x", 4096), "\xff", "a\nb"} {
			if _, err := c.Lookup(ctx, name); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("look-up of %q: %v", name, err)
			}
			if err := c.Publish(ctx, httpAt("10.0.0.2"), []string{name}); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("publishing %q: %v", name, err)
			}
		}
		v.shut()
		start := time.Now()
		if _, err := c.View(ctx); !errors.Is(err, ferry.ErrNoAnswer) || time.Since(start) != DefaultGiveUp {
			t.Errorf("nobody there: %v after %v", err, time.Since(start))
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := c.View(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ends: %v", err)
		}
		// One that acknowledges everything, and answers nothing; and a stranger who
		// answers.
		fake, err := v.net.NewConn(hall)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			buf := make([]byte, 2000)
			for {
				n, from, err := fake.ReadFrom(buf)
				if err != nil {
					return
				}
				if p, err := parsePacket(buf[:n]); err == nil && !p.isAck() {
					fake.WriteTo(appendPacket(nil, ackOf(p)), from)
				}
			}
		}()
		if _, err := c.Lookup(ctx, "f"); !errors.Is(err, ferry.ErrSilent) {
			t.Errorf("no answer: %v", err)
		}
		fake.Close()
		for _, conn := range v.conns {
			conn.Close()
		}
	})
}

// TestClientIgnoresStrangers: only the directory can acknowledge.
func TestClientIgnoresStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		v.shut()
		c := v.client("10.0.0.2")
		foreign := 0
		c.Trace = &Trace{Ignored: func(e Event) {
			if errors.Is(e.Err, ferry.ErrUnsolicited) && e.Addr.Addr().String() == "10.0.0.7" {
				foreign++
			}
		}}
		stranger := v.listen("10.0.0.7")
		time.AfterFunc(time.Second, func() {
			stranger.WriteTo([]byte("3 10.0.0.2 80  2 1"), c.Conn.LocalAddr())
		})
		if err := c.Withdraw(t.Context(), httpAt("10.0.0.2")); !errors.Is(err, ferry.ErrNoAnswer) || foreign != 1 {
			t.Errorf("%v, %d datagrams from strangers", err, foreign)
		}
		for _, conn := range v.conns {
			conn.Close()
		}
	})
}

// TestPeerServesOnlyWhatIsShared: nothing leaves the directory, and nothing in it that
// is not shared.
func TestPeerServesOnlyWhatIsShared(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := sharing(t, map[string][]byte{"Shared file.txt": []byte("shared"), "later a link": []byte("x")})
	dir := p.Root.Name()
	os.WriteFile(filepath.Join(dir, "private"), []byte("secret"), 0o600)
	os.Mkdir(filepath.Join(dir, "sub"), 0o700)
	os.Remove(filepath.Join(dir, "later a link"))
	if err := os.Symlink(outside, filepath.Join(dir, "later a link")); err != nil {
		t.Skip(err)
	}
	src := serve(t, p)
	get := func(path string) (int, string) {
		c, err := net.Dial("tcp", src.Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	if status, body := get("/Shared%20file.txt"); status != 200 || body != "shared" {
		t.Errorf("what is shared: %d, %q", status, body)
	}
	for _, path := range []string{
		"/", "/private", "/sub", "/sub/", "/../secret", "/%2e%2e/secret", "/..%2fsecret", "//etc/passwd", "/" + outside, "/later%20a%20link",
		"/shared%20file.txt", "/SHARED%20FILE.TXT", "/./Shared%20file.txt", "/pieces/", "/pieces/private", "/pieces/../private", "/pieces/pieces/x",
		"/Shared%20file.txt/", "/Shared%20file.txt%00",
	} {
		status, body := get(path)
		if status != 404 || strings.Contains(body, "secret") || strings.Contains(body, dir) {
			t.Errorf("%s: %d, %q", path, status, body)
		}
	}
	resp, err := http.Post("http://"+src.Addr.String()+"/Shared%20file.txt", "text/plain", nil)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v, %v", resp, err)
	}
	resp.Body.Close()
	for _, name := range []string{"..", "/etc/passwd", "sub", "nonsuch", "later a link2", ""} {
		if err := p.Share(name); err == nil {
			t.Errorf("shared %q", name)
		}
	}
}

// TestPeerHeaders: ranges, validators and digests; and a file's digests are computed
// once for each version.
func TestPeerHeaders(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": []byte("hello, world")})
	computed := 0
	p.Trace = &Trace{Digested: func(Event) { computed++ }}
	src := serve(t, p)
	do := func(path string, header ...string) (*http.Response, string) {
		req, _ := http.NewRequest("GET", "http://"+src.Addr.String()+path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp, string(body)
	}
	const (
		sum  = "09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a2e08360d5b" // sha256sum says so
		repr = "sha-256=:Ccp+TqpuiunH0mEWcSkYSINkTQffuny/vEyKLgg2DVs=:"
	)
	resp, _ := do("/f")
	etag := resp.Header.Get("Etag")
	if etag != `"`+sum+`"` || resp.Header.Get("Repr-Digest") != repr || resp.Header.Get("Content-Length") != "12" {
		t.Errorf("headers: %v", resp.Header)
	}
	if resp, body := do("/f", "Range", "bytes=7-", "If-Range", etag); resp.StatusCode != 206 || body != "world" {
		t.Errorf("a range: %d, %q", resp.StatusCode, body)
	}
	if resp, body := do("/f", "Range", "bytes=7-", "If-Range", `"other"`); resp.StatusCode != 200 || body != "hello, world" {
		t.Errorf("a range of another version: %d, %q", resp.StatusCode, body)
	}
	if _, body := do("/pieces/f"); body != "12 1048576 "+sum+"\n"+sum+"\n" {
		t.Errorf("the piece list: %q", body)
	}
	if computed != 1 {
		t.Errorf("digests computed %d times", computed)
	}
	path := filepath.Join(p.Root.Name(), "f")
	os.WriteFile(path, []byte("HELLO, world"), 0o600)
	other := time.Now().Add(-time.Minute)
	os.Chtimes(path, other, other)
	settle(t, path)
	for range 2 {
		if resp, body := do("/f"); resp.Header.Get("Etag") == etag || body != "HELLO, world" {
			t.Errorf("another version: %v, %q", resp.Header, body)
		}
	}
	if computed != 2 {
		t.Errorf("digests computed %d times, for two versions", computed)
	}
	p.Unshare("f")
	if resp, _ := do("/f"); resp.StatusCode != 404 {
		t.Errorf("after Unshare: %d", resp.StatusCode)
	}
}
