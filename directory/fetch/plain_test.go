package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
)

// plainly serves /f, and nothing else, as a server without piece lists does. get writes
// the body.
func plainly(size int, get http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/f" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		if r.Method == http.MethodGet {
			get(w, r)
		}
	}
}

// later answers each request a moment later, so that others answer first.
func later(h http.Handler) http.Handler {
	return wrapping(h, func(http.ResponseWriter, *http.Request) bool {
		time.Sleep(100 * time.Millisecond)
		return false
	})
}

// fetchOn fetches f from servers of a street, at 10.0.0.2 and on, in virtual time.
func fetchOn(t *testing.T, ctx context.Context, f *Fetcher, root *os.Root, servers ...http.Handler) (Report, error) {
	t.Helper()
	on := street{}
	var sources Sources
	for i, h := range servers {
		src, stop := on.serve(fmt.Sprintf("10.0.0.%d:80", i+2), h)
		defer stop()
		sources = append(sources, src)
	}
	tr := &http.Transport{DialContext: on.dial}
	defer tr.CloseIdleConnections()
	f.Transport = tr
	return f.Fetch(ctx, root, "f", "", sources)
}

// TestFetchPlainOnce: a server that calls its file another each time is tried once all
// the same.
func TestFetchPlainOnce(t *testing.T) {
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		version, gets := 0, 0
		h := plainly(4, func(w http.ResponseWriter, _ *http.Request) {
			if gets++; gets == 10 {
				cancel()
			}
			io.WriteString(w, "junk")
		})
		_, err := fetchOn(t, ctx, &Fetcher{SHA256: new([32]byte)}, root, wrapping(h, func(w http.ResponseWriter, _ *http.Request) bool {
			version++
			w.Header().Set("Etag", fmt.Sprintf(`"v%d"`, version))
			return false
		}))
		if gets != 1 || err == nil {
			t.Errorf("fetched %d times, %v", gets, err)
		}
	})
}

// TestFetchPlainCut: a server that ends in mid-file each time, and cannot go on from
// there, is dropped the third time, and the next one used.
func TestFetchPlainCut(t *testing.T) {
	data := noise(10, 1000)
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		gets := 0
		bad := plainly(len(data), func(w http.ResponseWriter, _ *http.Request) {
			if gets++; gets == 10 {
				cancel()
			}
			w.Write(data[:500])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		good := later(plainly(len(data), func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }))
		report, err := fetchOn(t, ctx, new(Fetcher), root, bad, good)
		got, _ := root.ReadFile("f")
		if err != nil || !bytes.Equal(got, data) || gets != 3 || report.Sources[0].Err == nil {
			t.Errorf("%d bytes, asked %d times, %+v, %v", len(got), gets, report, err)
		}
	})
}

// TestFetchPlainWrong: where it is known which file is wanted, one that has another of
// the same size does not keep the fetch from the next.
func TestFetchPlainWrong(t *testing.T) {
	data := noise(11, 1000)
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		sum := sha256.Sum256(data)
		bad := plainly(len(data), func(w http.ResponseWriter, _ *http.Request) { w.Write(noise(12, len(data))) })
		good := later(plainly(len(data), func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }))
		report, err := fetchOn(t, t.Context(), &Fetcher{SHA256: &sum}, root, bad, good)
		got, _ := root.ReadFile("f")
		if err != nil || !bytes.Equal(got, data) || !report.Verified || !errors.Is(report.Sources[0].Err, ferry.ErrDigest) {
			t.Fatalf("%d bytes, %+v, %v", len(got), report, err)
		}
		if report.Sources[0].Bytes != 0 || report.Sources[1].Bytes != int64(len(data)) {
			t.Errorf("%+v", report.Sources)
		}
	})
}

// TestFetchErrorOnce: the error says once what is wrong with each source, whether it was
// tried or not.
func TestFetchErrorOnce(t *testing.T) {
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		wrong := plainly(4, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "junk") })
		report, err := fetchOn(t, t.Context(), &Fetcher{SHA256: new([32]byte)}, root, wrong, http.NotFoundHandler())
		for _, s := range report.Sources {
			if s.Err == nil || !errors.Is(err, s.Err) || strings.Count(err.Error(), s.Err.Error()) != 1 {
				t.Errorf("%v, in: %v", s.Err, err)
			}
		}
	})
}

// tagged gives every response the same entity tag.
func tagged(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Etag", `"v1"`)
	return false
}

// spoiling serves /f and breaks off after 500 wrong bytes, and then refuses.
func spoiling(size int) http.Handler {
	asked := 0
	return wrapping(plainly(size, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked > 1 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Write(make([]byte, 500))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), tagged)
}

// TestFetchPlainHalfWrong: a source that continues a part that another source has spoilt
// may begin again at 0, and is not blamed.
func TestFetchPlainHalfWrong(t *testing.T) {
	data := noise(11, 1000)
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		sum := sha256.Sum256(data)
		var ranges []string
		good := later(wrapping(plainly(len(data), func(w http.ResponseWriter, r *http.Request) {
			ranges = append(ranges, r.Header.Get("Range"))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}), tagged))
		report, err := fetchOn(t, t.Context(), &Fetcher{SHA256: &sum}, root, spoiling(len(data)), good)
		got, _ := root.ReadFile("f")
		if err != nil || !bytes.Equal(got, data) || !slices.Equal(ranges, []string{"bytes=500-", ""}) {
			t.Fatalf("%d bytes, ranges %q, %+v, %v", len(got), ranges, report, err)
		}
		if report.Sources[0].Bytes != 0 || report.Sources[1].Bytes != int64(len(data)) || report.Sources[1].Err != nil {
			t.Errorf("%+v", report.Sources)
		}
	})
}

// A cutWriter breaks the connection after a number of bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b[:min(len(b), c.left)])
	if c.left -= n; n < len(b) {
		http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// TestFetchPlainAnewInPieces: a source that begins again at 0, because another source
// delivered wrong bytes, may break off repeatedly as long as it makes progress.
func TestFetchPlainAnewInPieces(t *testing.T) {
	data := noise(11, 1000)
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		sum := sha256.Sum256(data)
		requests := 0
		good := later(wrapping(plainly(len(data), func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests > 1 {
				w = &cutWriter{w, 150}
			}
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}), tagged))
		report, err := fetchOn(t, t.Context(), &Fetcher{SHA256: &sum}, root, spoiling(len(data)), good)
		if got, _ := root.ReadFile("f"); err != nil || !bytes.Equal(got, data) || requests != 8 {
			t.Errorf("%d bytes after %d requests, %+v, %v", len(got), requests, report, err)
		}
	})
}

// TestFetchPlainEndless: a body of unknown length ends where the largest file ends, also
// if no bound is set.
func TestFetchPlainEndless(t *testing.T) {
	c := new(Fetcher).newCall(t.Context(), "f", "f", openDir(t, nil))
	if err := c.part.open(); err != nil {
		t.Fatal(err)
	}
	defer c.part.end()
	s := newSource(c, Source{})
	s.about.size = -1
	c.part.at.have = maxUnannounced - 1
	for _, want := range []error{nil, ferry.ErrTooLarge} {
		if err := (chunkArrived{s, []byte("x")}).apply(c); err != nil {
			t.Fatal(err)
		}
		if err := <-s.reply; err != want {
			t.Errorf("%d bytes: %v, want %v", c.part.at.have, err, want)
		}
	}
}

// A fakeTransport answers requests itself.
type fakeTransport func(*http.Request) int

func (status fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: status(r), Header: http.Header{}, Body: http.NoBody, Request: r, ContentLength: 1000}, nil
}

// TestFetchPlainBeside: while servers fail one after the other, others become known. The
// race detector watches what both write down.
func TestFetchPlainBeside(t *testing.T) {
	const n = 50
	root := openDir(t, nil)
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan bool, 2*n)
		f := Fetcher{
			MaxSources: 2 * n,
			Trace:      &Trace{Failed: func(Event) { failed <- true }},
			Transport: fakeTransport(func(r *http.Request) int {
				if r.Method == http.MethodHead && r.URL.Port() <= strconv.Itoa(1000+n) {
					return http.StatusOK
				}
				return http.StatusNotFound
			}),
		}
		report, err := f.Fetch(t.Context(), root, "f", "", locatorFunc(func(_ context.Context, yield func(Source, error) bool) {
			for i := range 2 * n {
				if i >= n {
					<-failed
				}
				if !yield(Source{Addr: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(1001+i))}, nil) {
					return
				}
			}
		}))
		if len(report.Sources) != 2*n || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d sources, %v", len(report.Sources), err)
		}
	})
}
