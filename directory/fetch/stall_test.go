package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A pipeListener is a listener in memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return nil }

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// A street is of HTTP servers in memory. It lives in a synctest bubble.
type street map[string]*pipeListener

// serve runs a server at an address.
func (s street) serve(addr string, h http.Handler) (src Source, stop func()) {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	s[addr] = l
	srv := &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(l)
	}()
	return Source{Addr: netip.MustParseAddrPort(addr)}, func() {
		srv.Close()
		<-ended
	}
}

func (s street) dial(_ context.Context, _, addr string) (net.Conn, error) {
	l := s[addr]
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	l.conns <- far
	return near, nil
}

// trickle sends the first byte of a part, and another each time.
func trickle(data []byte, every time.Duration) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/f" {
			return false
		}
		var from, to int
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(data)))
		w.Header().Set("Content-Length", strconv.Itoa(to-from+1))
		w.WriteHeader(http.StatusPartialContent)
		for i := from; ; i++ {
			w.Write(data[i : i+1])
			http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return true
			case <-time.After(every):
			}
		}
	}
}

// TestFetchPauses: a source that pauses again and again, each time for less than the
// stall time, is waited for.
func TestFetchPauses(t *testing.T) {
	data := noise(9, 4*PieceLength)
	slow := wrapping(sharing(t, map[string][]byte{"f": data}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/f" {
			return false
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(data)-1, len(data)))
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.WriteHeader(http.StatusPartialContent)
		for part := range slices.Chunk(data, PieceLength/2) {
			time.Sleep(DefaultStall - time.Second)
			w.Write(part)
			http.NewResponseController(w).Flush()
		}
		return true
	})
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		on := street{}
		src, stop := on.serve("10.0.0.2:80", slow)
		defer stop()
		tr := &http.Transport{DialContext: on.dial}
		defer tr.CloseIdleConnections()
		f := &Fetcher{Transport: tr, Trace: &Trace{Failed: func(e Event) { t.Error(e.Err) }}}
		report, err := f.Fetch(t.Context(), root, "f", "", Sources{src})
		got, _ := root.ReadFile("f")
		if err != nil || string(got) != string(data) || report.Elapsed < 3*DefaultStall {
			t.Errorf("%d bytes, %+v, %v", len(got), report, err)
		}
	})
}

// TestFetchStalled: a source that stops in mid-file, and one that trickles, do not hold
// up the rest; and the one that stops, alone, is given up.
func TestFetchStalled(t *testing.T) {
	data := noise(9, 6*PieceLength)
	files := map[string][]byte{"f": data}
	for name, every := range map[string]time.Duration{"stalled": 24 * time.Hour, "slow": time.Second} {
		t.Run(name, func(t *testing.T) {
			slow, good := wrapping(sharing(t, files), trickle(data, every)), sharing(t, files)
			root := openDir(t, nil)
			synctest.Test(t, func(t *testing.T) {
				on := street{}
				a, stopA := on.serve("10.0.0.2:80", slow)
				defer stopA()
				b, stopB := on.serve("10.0.0.3:80", good)
				defer stopB()
				tr := &http.Transport{DialContext: on.dial}
				defer tr.CloseIdleConnections()
				f := &Fetcher{Transport: tr}
				report, err := f.Fetch(t.Context(), root, "f", "", Sources{a, b})
				got, _ := root.ReadFile("f")
				if err != nil || string(got) != string(data) || !report.Verified || report.Elapsed >= DefaultStall {
					t.Errorf("%d bytes, %+v, %v", len(got), report, err)
				}
				if name == "slow" {
					return // alone it would be waited for
				}
				_, err = f.Fetch(t.Context(), root, "f", "g", Sources{a})
				if !errors.Is(err, ErrStalled) {
					t.Errorf("from it alone: %v", err)
				}
			})
		})
	}
}

// TestFetchEndsLooking: a Locator that would go on looking for sources does not hold up a
// fetch that is done, and does not outlive it.
func TestFetchEndsLooking(t *testing.T) {
	data := noise(9, 1000)
	for name, h := range map[string]http.Handler{
		"pieces": sharing(t, map[string][]byte{"f": data}),
		"plain":  plainly(len(data), func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }),
	} {
		t.Run(name, func(t *testing.T) {
			root := openDir(t, nil)
			synctest.Test(t, func(t *testing.T) {
				on := street{}
				src, stop := on.serve("10.0.0.2:80", h)
				defer stop()
				tr := &http.Transport{DialContext: on.dial}
				defer tr.CloseIdleConnections()
				looking := true
				report, err := (&Fetcher{Transport: tr}).Fetch(t.Context(), root, "f", "", locatorFunc(func(ctx context.Context, yield func(Source, error) bool) {
					yield(src, nil)
					<-ctx.Done()
					looking = false
				}))
				got, _ := root.ReadFile("f")
				if err != nil || string(got) != string(data) || looking || report.Elapsed > settle {
					t.Errorf("%d bytes, still looking: %v, %+v, %v", len(got), looking, report, err)
				}
			})
		})
	}
}

// dripping serves /f, and its piece list where listed, one byte each five seconds.
func dripping(t *testing.T, data []byte, dripsAt func(r *http.Request) bool, listed bool) http.Handler {
	good := sharing(t, map[string][]byte{"f": data})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !listed && r.URL.Path != "/f" {
			http.NotFound(w, r)
			return
		}
		if dripsAt(r) {
			w = &dripWriter{w, r.Context()}
		}
		good.ServeHTTP(w, r)
	})
}

// A dripWriter writes a byte each five seconds.
type dripWriter struct {
	http.ResponseWriter
	ctx context.Context
}

func (d *dripWriter) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.ResponseWriter.Write(b[i : i+1]); err != nil {
			return i, err
		}
		http.NewResponseController(d.ResponseWriter).Flush()
		select {
		case <-time.After(5 * time.Second):
		case <-d.ctx.Done():
			return i, d.ctx.Err()
		}
	}
	return len(b), nil
}

// TestFetchDripping: sources that deliver next to nothing, in the body or the list, do
// not hold up a fetch for more than 30 s; alone they are given up within 90 s.
func TestFetchDripping(t *testing.T) {
	data := noise(3, 2*PieceLength)
	isFile := func(r *http.Request) bool { return r.URL.Path == "/f" && r.Method == http.MethodGet }
	isList := func(r *http.Request) bool { return r.URL.Path != "/f" }
	for name, drip := range map[string]http.Handler{
		"pieces": dripping(t, data, isFile, true),
		"list":   dripping(t, data, isList, true),
		"plain":  dripping(t, data, isFile, false),
	} {
		good := dripping(t, data, func(*http.Request) bool { return false }, name != "plain")
		for _, n := range []int{1, 3, 16} {
			t.Run(fmt.Sprintf("%s, %d", name, n), func(t *testing.T) {
				drips := slices.Repeat([]http.Handler{drip}, n)
				root := openDir(t, nil)
				synctest.Test(t, func(t *testing.T) {
					report, err := fetchOn(t, t.Context(), new(Fetcher), root, drips...)
					if !errors.Is(err, ErrStalled) || report.Elapsed > 90*time.Second {
						t.Errorf("alone: %v after %v", err, report.Elapsed)
					}
				})
				root = openDir(t, nil)
				synctest.Test(t, func(t *testing.T) {
					report, err := fetchOn(t, t.Context(), new(Fetcher), root, append(drips, good)...)
					if got, _ := root.ReadFile("f"); err != nil || !bytes.Equal(got, data) || n < 16 && report.Elapsed > time.Duration(n)*30*time.Second {
						t.Errorf("with a good one: %v after %v", err, report.Elapsed)
					}
				})
			})
		}
	}
}
