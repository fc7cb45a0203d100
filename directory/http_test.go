package directory

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A memoryPeer serves on connections in memory. It lives in a synctest bubble.
type memoryPeer struct {
	t      *testing.T
	l      *pipeListener
	cancel context.CancelFunc
	done   chan error
}

func serveInMemory(t *testing.T, p *Peer) *memoryPeer {
	p.wake = nil // that it has is not of the bubble
	m := &memoryPeer{t: t, done: make(chan error, 1)}
	m.l = &pipeListener{quietListener{addr: net.TCPAddrFromAddrPort(httpAt("10.0.0.2")), done: make(chan struct{})}, make(chan net.Conn)}
	ctx, cancel := context.WithCancel(t.Context())
	m.cancel = cancel
	go func() { m.done <- p.Serve(ctx, m.l) }()
	synctest.Wait()
	return m
}

// dial connects, and returns nil if no connection is accepted.
func (m *memoryPeer) dial() net.Conn {
	near, far := net.Pipe()
	select {
	case m.l.conns <- far:
		return near
	default:
		return nil
	}
}

// get asks for a file, and returns the response, of which the body is still to come.
func (m *memoryPeer) get(c net.Conn, name string) *http.Response {
	m.t.Helper()
	io.WriteString(c, "GET /"+name+" HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return resp
}

// A diary is a Publisher that writes down when a peer left.
type diary struct{ left time.Time }

func (d *diary) Publish(context.Context, netip.AddrPort, []string) error { return nil }

func (d *diary) Withdraw(context.Context, netip.AddrPort) error {
	d.left = time.Now()
	return nil
}

// TestPeerEnding: at the end the directory is told at once, a download that is under way
// may complete, and Serve waits for it no longer than Grace.
func TestPeerEnding(t *testing.T) {
	data := noise(1, 1<<20)
	for _, tt := range []struct {
		name  string
		grace time.Duration
		after time.Duration // until the rest is read
		whole bool
		least time.Duration // that Serve takes to end
		most  time.Duration
	}{
		{"in time", 0, 2 * time.Second, true, 2 * time.Second, 3 * time.Second},
		{"too late", 0, time.Minute, false, DefaultGrace, DefaultGrace},
		{"a longer grace", time.Hour, time.Minute, true, time.Minute, time.Minute + time.Second},
		{"none", -1, time.Second, false, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := sharing(t, map[string][]byte{"f": data})
			p.Grace = tt.grace
			synctest.Test(t, func(t *testing.T) {
				d := new(diary)
				p.Publisher = d
				m := serveInMemory(t, p)
				c := m.dial()
				defer c.Close()
				resp := m.get(c, "f")
				got := make([]byte, len(data))
				if _, err := io.ReadFull(resp.Body, got[:len(data)/2]); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				m.cancel()
				whole := make(chan bool)
				go func() {
					time.Sleep(tt.after)
					_, err := io.ReadFull(resp.Body, got[len(data)/2:])
					c.Close()
					whole <- err == nil && bytes.Equal(got, data)
				}()
				if err := <-m.done; !errors.Is(err, context.Canceled) {
					t.Errorf("Serve: %v", err)
				}
				if took := time.Since(start); took < tt.least || took > tt.most {
					t.Errorf("it took %v", took)
				}
				if w := <-whole; w != tt.whole {
					t.Errorf("the download is whole: %v", w)
				}
				if !d.left.Equal(start) {
					t.Errorf("left the directory at %v, ended at %v", d.left, start)
				}
			})
		})
	}
}

// TestPeerEndsHandlers: when Serve returns, the handlers that it interrupted have
// returned, their hooks included.
func TestPeerEndsHandlers(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": noise(1, 1<<20)})
	p.Grace = -1
	synctest.Test(t, func(t *testing.T) {
		ended := false
		p.Trace = &Trace{Served: func(Event) {
			time.Sleep(time.Minute)
			ended = true
		}}
		m := serveInMemory(t, p)
		c := m.dial()
		defer c.Close()
		m.get(c, "f")
		m.cancel()
		if err := <-m.done; !errors.Is(err, context.Canceled) || !ended {
			t.Errorf("%v, the hook has ended: %v", err, ended)
		}
	})
}

// TestPeerMaxConns: no more connections are accepted than may be served; another is when
// one has ended.
func TestPeerMaxConns(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": noise(1, 1<<20)})
	p.MaxConns = 2
	synctest.Test(t, func(t *testing.T) {
		m := serveInMemory(t, p)
		var conns []net.Conn
		for range 2 {
			c := m.dial()
			m.get(c, "f")
			conns = append(conns, c)
			synctest.Wait()
		}
		for range 3 {
			if m.dial() != nil {
				t.Fatal("one connection too many")
			}
			conns[0].Close()
			synctest.Wait()
			c := m.dial()
			if c == nil {
				t.Fatal("no other connection when one has ended")
			}
			m.get(c, "f")
			conns = append(conns[1:], c)
			synctest.Wait()
		}
		m.cancel()
		for _, c := range conns {
			c.Close()
		}
		if err := <-m.done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestPeerIdleConns: a connection that has been idle for the longest time makes room, and
// so does one that sends no request.
func TestPeerIdleConns(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": []byte("hello")})
	p.MaxConns = 3
	synctest.Test(t, func(t *testing.T) {
		m := serveInMemory(t, p)
		var conns []net.Conn
		for i := range 8 {
			c := m.dial()
			if c == nil {
				t.Fatalf("connection %d is not accepted", i)
			}
			conns = append(conns, c)
			if i%3 > 0 {
				io.ReadAll(m.get(c, "f").Body)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		for i, c := range conns {
			c.SetReadDeadline(time.Now())
			_, err := c.Read(make([]byte, 1))
			if open := errors.Is(err, os.ErrDeadlineExceeded); open != (i >= 5) {
				t.Errorf("connection %d is open: %v (%v)", i, open, err)
			}
			c.Close()
		}
		m.cancel()
		<-m.done
	})
}

// TestPeerRefusesBodies: a request with a body ends its connection at once, whether the body
// comes or not.
func TestPeerRefusesBodies(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": []byte("hello")})
	synctest.Test(t, func(t *testing.T) {
		m := serveInMemory(t, p)
		for _, request := range []string{
			"GET /f HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
			"GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
			"POST /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
			"GET /f HTTP/1.1\r\nHo",
		} {
			start := time.Now()
			c := m.dial()
			io.WriteString(c, request)
			io.ReadAll(c)
			if took := time.Since(start); took > requestTimeout {
				t.Errorf("%q holds a connection for %v", request, took)
			}
			c.Close()
		}
		m.cancel()
		<-m.done
	})
}

// TestPeerPrepares: while the digests of a large file are computed, clients hear when to
// come back, and those that need no digest get the file.
func TestPeerPrepares(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": nil})
	if err := os.Truncate(filepath.Join(p.Root.Name(), "f"), cacheMin); err != nil {
		t.Fatal(err)
	}
	p.preparing.Store(true) // Serve does, in principle
	p.wake = make(chan struct{}, 1)
	get := func(method, path string, header ...string) *http.Response {
		r := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w.Result()
	}
	for range 2 {
		if r := get("GET", "/pieces/f"); r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("the piece list: %v", r)
		}
		if r := get("GET", "/f", "If-Range", `"x"`, "Range", "bytes=1-2"); r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("one version: %v", r)
		}
		if r := get("HEAD", "/f"); r.StatusCode != http.StatusOK || r.ContentLength != cacheMin || r.Header.Get("Etag") != "" || r.Header.Get("Last-Modified") == "" {
			t.Errorf("any version: %v", r)
		}
	}
	if len(p.wake) != 1 {
		t.Error("Serve was not told")
	}
	settle(t, filepath.Join(p.Root.Name(), "f"))
	p.digestShare(t.Context(), p.store.share("f"), "f")
	if r := get("GET", "/pieces/f"); r.StatusCode != http.StatusOK {
		t.Errorf("the piece list, when the digests are there: %v", r)
	}
}

// TestPeerHugeFile: a file that is too large for a piece list is served without one.
func TestPeerHugeFile(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": nil})
	if err := os.Truncate(filepath.Join(p.Root.Name(), "f"), maxListed+1); err != nil {
		t.Skip(err)
	}
	for path, want := range map[string]int{"/f": http.StatusPartialContent, "/pieces/f": http.StatusNotFound} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Range", "bytes=0-9")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

// TestPeerSlowClients: one that takes its time gets the whole file, and one that takes
// nothing loses its connection to the next, however large the file is.
func TestPeerSlowClients(t *testing.T) {
	const quarter = 16 << 10 // each 24 s: one of many on a thin line
	data := noise(1, 20*quarter)
	p := sharing(t, map[string][]byte{"f": data})
	p.MaxConns = 1
	synctest.Test(t, func(t *testing.T) {
		m := serveInMemory(t, p)
		slow := m.dial()
		body := m.get(slow, "f").Body
		for part := range slices.Chunk(data, quarter) {
			time.Sleep(slowest / 5)
			got := make([]byte, len(part))
			if _, err := io.ReadFull(body, got); err != nil || !bytes.Equal(got, part) {
				t.Fatalf("to one that is slow: %v", err)
			}
		}
		slow.Close()
		synctest.Wait()
		dead := m.dial()
		defer dead.Close()
		m.get(dead, "f")
		time.Sleep(slowest)
		synctest.Wait()
		next := m.dial()
		if next == nil {
			t.Fatal("one that takes nothing keeps its connection")
		}
		m.get(next, "f").Body.Close()
		next.Close()
		m.cancel()
		if err := <-m.done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A kernel is a ResponseWriter that wants files as files.
type kernel struct {
	*httptest.ResponseRecorder
	parts []int64
}

func (k *kernel) ReadFrom(r io.Reader) (int64, error) {
	part, ok := r.(*io.LimitedReader)
	if !ok {
		return 0, errors.New("not a part")
	}
	if _, ok := part.R.(*os.File); !ok {
		return 0, errors.New("not of a file")
	}
	k.parts = append(k.parts, part.N)
	return io.Copy(k.ResponseRecorder, part)
}

// TestPeerHandsFilesOn: in stretches, each in a form that the kernel can send.
func TestPeerHandsFilesOn(t *testing.T) {
	data := noise(1, 2*stretch+5)
	p := sharing(t, map[string][]byte{"f": data})
	k := &kernel{ResponseRecorder: httptest.NewRecorder()}
	p.ServeHTTP(k, httptest.NewRequest(http.MethodGet, "/f", nil))
	if !bytes.Equal(k.Body.Bytes(), data) || !slices.Equal(k.parts, []int64{stretch, stretch, 5}) {
		t.Errorf("%d bytes, as files %d", k.Body.Len(), k.parts)
	}
}
