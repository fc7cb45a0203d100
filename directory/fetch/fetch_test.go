package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

// noise returns bytes that repeat for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// openDir opens a new directory with files in it, by name and content.
func openDir(t testing.TB, files map[string][]byte) *os.Root {
	t.Helper()
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour) // so that the digests are kept
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// serve runs an HTTP server on loopback for the length of the test.
func serve(t testing.TB, h http.Handler) Source {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return Source{Addr: l.Addr().(*net.TCPAddr).AddrPort()}
}

// sharing returns a peer that shares files by name and content.
func sharing(t testing.TB, files map[string][]byte) http.Handler {
	t.Helper()
	lists := make(map[string]*Pieces)
	for name, data := range files {
		lists[name] = piecesOf(t, data)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, listed := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/"), "pieces/")
		list := lists[name]
		if list == nil {
			http.NotFound(w, r)
			return
		}
		if listed {
			b, _ := list.AppendText(nil)
			w.Write(b)
			return
		}
		w.Header().Set("Etag", list.etag())
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(files[name]))
	})
}

// piecesOf returns the digests of data.
func piecesOf(t testing.TB, data []byte) *Pieces {
	t.Helper()
	p, err := Digest(t.Context(), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wrapping lets a handler do something before, or instead of, another.
func wrapping(h http.Handler, before func(w http.ResponseWriter, r *http.Request) (done bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !before(w, r) {
			h.ServeHTTP(w, r)
		}
	})
}

// fetch fetches name into a new directory, and returns what is under the name then.
func fetch(t testing.TB, f *Fetcher, name string, sources ...Source) ([]byte, Report, error) {
	t.Helper()
	root := openDir(t, nil)
	report, err := f.Fetch(t.Context(), root, name, "", Sources(sources))
	got, readErr := root.ReadFile(name)
	if err == nil && readErr != nil || err != nil && !errors.Is(readErr, fs.ErrNotExist) {
		t.Errorf("Fetch says %v, the file %v", err, readErr)
	}
	if err == nil {
		left, _ := fs.ReadDir(root.FS(), ".")
		if len(left) != 1 {
			t.Errorf("left beside the file: %v", left)
		}
	}
	return got, report, err
}

// A locatorFunc is a Locator that looks for one file.
type locatorFunc func(ctx context.Context, yield func(Source, error) bool)

func (f locatorFunc) Locate(ctx context.Context, _ string) iter.Seq2[Source, error] {
	return func(yield func(Source, error) bool) { f(ctx, yield) }
}

func TestFetchSizes(t *testing.T) {
	for _, size := range []int{0, 1, PieceLength - 1, PieceLength, PieceLength + 1, 9*PieceLength + 3} {
		data := noise(uint64(size), size)
		files := map[string][]byte{"a file": data}
		sources := []Source{serve(t, sharing(t, files)), serve(t, sharing(t, files)), serve(t, sharing(t, files))}
		got, report, err := fetch(t, &Fetcher{}, "a file", sources...)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !bytes.Equal(got, data) || !report.Verified || report.SHA256 != sha256.Sum256(data) || report.Size != int64(size) {
			t.Errorf("%d bytes: %d arrived, %+v", size, len(got), report)
		}
		var sum int64
		for _, s := range report.Sources {
			sum += s.Bytes
		}
		if sum != int64(size) || len(report.Sources) != 3 {
			t.Errorf("%d bytes, of them from sources: %+v", size, report.Sources)
		}
	}
}

// TestFetchWithoutDigests: from a server that knows nothing of this package.
func TestFetchWithoutDigests(t *testing.T) {
	data := noise(1, 3*PieceLength+5)
	root := openDir(t, map[string][]byte{"f": data})
	src := serve(t, http.FileServerFS(root.FS()))
	got, report, err := fetch(t, &Fetcher{}, "f", src)
	if err != nil || !bytes.Equal(got, data) || report.Verified {
		t.Errorf("%d bytes, %+v, %v", len(got), report, err)
	}
	sum := sha256.Sum256(data)
	if got, report, err = fetch(t, &Fetcher{SHA256: &sum}, "f", src); err != nil || !bytes.Equal(got, data) || !report.Verified {
		t.Errorf("with a digest: %d bytes, %+v, %v", len(got), report, err)
	}
	sum[0]++
	if _, report, err = fetch(t, &Fetcher{SHA256: &sum}, "f", src); !errors.Is(err, ferry.ErrDigest) || report.Verified {
		t.Errorf("with the wrong digest: %+v, %v", report, err)
	}
	if _, _, err := fetch(t, &Fetcher{}, "g", src); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// TestFetchBadSources: beside each bad source there is a good one, from which all comes
// in the end.
func TestFetchBadSources(t *testing.T) {
	data := noise(2, 5*PieceLength+77)
	files := map[string][]byte{"f": data}
	isPart := func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == "/f" }
	for _, tt := range []struct {
		name string
		bad  func(w http.ResponseWriter, r *http.Request) bool
		want error // of the bad source; nil: it is as good as any
	}{
		{"other bytes", func(w http.ResponseWriter, r *http.Request) bool {
			if !isPart(r) {
				return false
			}
			w.Header().Set("Etag", r.Header.Get("If-Range"))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(noise(3, len(data))))
			return true
		}, ferry.ErrDigest},
		{"other bytes after a piece", func(w http.ResponseWriter, r *http.Request) bool {
			if isPart(r) {
				wrong := bytes.Clone(data)
				from, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
				at, _ := strconv.Atoi(from)
				for i := at + PieceLength; i < len(wrong); i++ {
					wrong[i] ^= 1
				}
				w.Header().Set("Etag", r.Header.Get("If-Range"))
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wrong))
			}
			return isPart(r)
		}, ferry.ErrDigest},
		{"another file", func(w http.ResponseWriter, r *http.Request) bool {
			other := Pieces{Size: 1, Sums: make([][32]byte, 1)}
			if strings.HasPrefix(r.URL.Path, "/pieces/") {
				b, _ := other.AppendText(nil)
				w.Write(b)
				return true
			}
			return false
		}, nil},
		{"the whole instead of a part", func(w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Range")
			return false
		}, nil},
		{"the whole of another version", func(w http.ResponseWriter, r *http.Request) bool {
			if isPart(r) {
				w.Header().Set("Etag", `"v2"`)
				w.Write(noise(3, len(data)))
			}
			return isPart(r)
		}, ErrDifferent},
		{"another part", func(w http.ResponseWriter, r *http.Request) bool {
			if isPart(r) {
				r.Header.Set("Range", "bytes=5-1000")
			}
			return false
		}, ErrResponse},
		{"an error", func(w http.ResponseWriter, r *http.Request) bool {
			if isPart(r) {
				http.Error(w, "no", http.StatusForbidden)
			}
			return isPart(r)
		}, fs.ErrPermission},
		{"dies in mid-file", func(w http.ResponseWriter, r *http.Request) bool {
			if isPart(r) {
				w.Header().Set("Content-Range", "bytes 0-9/10")
				w.Header().Set("Content-Length", "4194304")
				w.WriteHeader(http.StatusPartialContent)
				w.Write(data[:PieceLength+5])
				panic(http.ErrAbortHandler)
			}
			return false
		}, ErrResponse},
		{"a redirection", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			return true
		}, StatusError(http.StatusFound)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := serve(t, wrapping(sharing(t, files), tt.bad))
			good := []Source{serve(t, sharing(t, files)), serve(t, sharing(t, files))}
			kept := 0 // pieces from the bad source, until they turned out to be wrong
			f := Fetcher{Trace: &Trace{Progress: func(e Event) {
				if e.Addr == bad.Addr {
					kept++
				}
			}}}
			got, report, err := fetch(t, &f, "f", append([]Source{bad}, good...)...)
			if err != nil || !bytes.Equal(got, data) || !report.Verified {
				t.Fatalf("%d bytes, %+v, %v", len(got), report, err)
			}
			if tt.name == "other bytes" && kept > 0 {
				t.Errorf("%d pieces were kept", kept)
			}
			if tt.want != nil && report.Sources[0].Err != nil && !errors.Is(report.Sources[0].Err, tt.want) {
				t.Errorf("the bad source: %v, want %v", report.Sources[0].Err, tt.want)
			}
			if tt.name == "another file" {
				return // alone it is believed about what the name stands for, and fails then
			}
			if _, _, err = fetch(t, &Fetcher{}, "f", bad); !errors.Is(err, tt.want) {
				t.Errorf("from the bad source alone: %v, want %v", err, tt.want)
			}
		})
	}
}

// TestFetchMajority: the file that most sources have is taken, and not the first.
func TestFetchMajority(t *testing.T) {
	right, wrong := noise(1, 1000), noise(2, 1000)
	a := serve(t, sharing(t, map[string][]byte{"f": wrong}))
	b := serve(t, sharing(t, map[string][]byte{"f": right}))
	c := serve(t, sharing(t, map[string][]byte{"f": right}))
	if got, _, err := fetch(t, &Fetcher{}, "f", a, b, c); err != nil || !bytes.Equal(got, right) {
		t.Errorf("not what two of three have: %v", err)
	}
	sum := sha256.Sum256(wrong)
	if got, _, err := fetch(t, &Fetcher{SHA256: &sum}, "f", a, b, c); err != nil || !bytes.Equal(got, wrong) {
		t.Errorf("not what was asked for: %v", err)
	}
}

// TestFetchPrefersPieces: a source whose bytes can be verified comes before any number of
// others.
func TestFetchPrefersPieces(t *testing.T) {
	data, other := noise(1, 1000), noise(2, 1000)
	plain := http.FileServerFS(openDir(t, map[string][]byte{"f": other}).FS())
	answered := make(chan struct{}, 2)
	sources := Sources{serve(t, plain), serve(t, plain)}
	sources = append(sources, serve(t, wrapping(sharing(t, map[string][]byte{"f": data}), func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/f" {
			<-answered
			<-answered
		}
		return false
	})))
	f := Fetcher{Trace: &Trace{Responded: func(e Event) {
		if e.Addr != sources[2].Addr {
			answered <- struct{}{}
		}
	}}}
	if got, report, err := fetch(t, &f, "f", sources...); err != nil || !bytes.Equal(got, data) || !report.Verified {
		t.Errorf("%d bytes, %+v, %v", len(got), report, err)
	}
}

// TestFetchTooLarge: whether a source says how long the file is, or just goes on.
func TestFetchTooLarge(t *testing.T) {
	data := noise(1, 5000)
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/f" {
			http.NotFound(w, r)
			return
		}
		http.NewResponseController(w).Flush() // so that no length is announced
		w.Write(data)
	})
	for name, h := range map[string]http.Handler{
		"pieces":  sharing(t, map[string][]byte{"f": data}),
		"plain":   http.FileServerFS(openDir(t, map[string][]byte{"f": data}).FS()),
		"endless": endless,
	} {
		src := serve(t, h)
		if _, _, err := fetch(t, &Fetcher{MaxSize: 4999}, "f", src); !errors.Is(err, ferry.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _, err := fetch(t, &Fetcher{MaxSize: 5000}, "f", src); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s, allowed: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestFetchNobody(t *testing.T) {
	if _, _, err := fetch(t, &Fetcher{}, "f"); !errors.Is(err, ErrNoSource) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no source: %v", err)
	}
	src := serve(t, sharing(t, map[string][]byte{"g": nil}))
	_, report, err := fetch(t, &Fetcher{}, "f", src)
	var failed *SourceError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &failed) || failed.Source != src || len(report.Sources) != 1 {
		t.Errorf("a source without the file: %v, %+v", err, report)
	}
	nobody := Source{Addr: netip.MustParseAddrPort("127.0.0.1:1")}
	if _, _, err := fetch(t, &Fetcher{}, "f", nobody); !errors.As(err, &failed) || failed.Source != nobody {
		t.Errorf("nobody there: %v", err)
	}
	for _, name := range []string{"", "..", "../f", "a/b", `a\b`, "a\u202eb", "a\nb", strings.Repeat("x", 256)} {
		if _, err := (&Fetcher{}).Fetch(t.Context(), openDir(t, nil), name, "", nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestFetchReplacesFilesOnly: what is not a file is not replaced, and no source is asked.
func TestFetchReplacesFilesOnly(t *testing.T) {
	root := openDir(t, nil)
	if err := errors.Join(root.Mkdir("dir", 0o755), root.Symlink("nowhere", "link")); err != nil {
		t.Fatal(err)
	}
	for _, as := range []string{"dir", "link"} {
		_, err := new(Fetcher).Fetch(t.Context(), root, "f", as, locatorFunc(func(context.Context, func(Source, error) bool) {
			t.Error("a source was asked for")
		}))
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("as %s: %v", as, err)
		}
	}
}
