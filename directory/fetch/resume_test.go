package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFetchResume: what one attempt left is not fetched again, with and without
// digests.
func TestFetchResume(t *testing.T) {
	data := noise(4, 6*PieceLength+9)
	old := openDir(t, map[string][]byte{"f": data})
	tagged := wrapping(http.FileServerFS(old.FS()), func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Etag", `"v1"`)
		return false
	})
	for name, h := range map[string]http.Handler{
		"pieces": sharing(t, map[string][]byte{"f": data}),
		"plain": wrapping(tagged, func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/pieces/") {
				http.NotFound(w, r)
				return true
			}
			return false
		}),
	} {
		t.Run(name, func(t *testing.T) {
			root := openDir(t, nil)
			sources := Sources{serve(t, h)}
			ctx, cancel := context.WithCancel(t.Context())
			f := Fetcher{Trace: &Trace{Progress: func(e Event) {
				if e.Have > e.Size/2 {
					cancel()
				}
			}}}
			_, err := f.Fetch(ctx, root, "f", "", sources)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("the first attempt: %v", err)
			}
			if _, err := root.Stat("f"); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("half a file is under the name: %v", err)
			}
			report, err := (&Fetcher{}).Fetch(t.Context(), root, "f", "", sources)
			got, _ := root.ReadFile("f")
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("the second attempt: %d bytes, %v", len(got), err)
			}
			if report.Resumed < int64(len(data)/2) || report.Resumed+report.Sources[0].Bytes != int64(len(data)) {
				t.Errorf("resumed with %d, and %d more of %d", report.Resumed, report.Sources[0].Bytes, len(data))
			}
			if left, _ := fs.ReadDir(root.FS(), "."); len(left) != 1 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestFetchResumeCancelled: what a call left is still there when the next one ends before
// it has looked at it.
func TestFetchResumeCancelled(t *testing.T) {
	data := noise(6, 3*PieceLength)
	root := openDir(t, map[string][]byte{".f.part": data[:2*PieceLength]})
	ctx, cancel := context.WithCancel(t.Context())
	src := serve(t, sharing(t, map[string][]byte{"f": data}))
	f := Fetcher{Trace: &Trace{Responded: func(Event) { cancel() }}}
	if _, err := f.Fetch(ctx, root, "f", "", Sources{src}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got, err := root.ReadFile(".f.part"); !bytes.HasPrefix(got, data[:2*PieceLength]) {
		t.Errorf("%d bytes are left, %v", len(got), err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	c := f.newCall(cancelled, "f", "f", root)
	if err := c.part.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := goodPieces(cancelled, c.part.at.file, piecesOf(t, data)); !errors.Is(err, context.Canceled) {
		t.Errorf("while it looks: %v", err)
	}
	c.part.end()
	if got, err := root.ReadFile(".f.part"); !bytes.HasPrefix(got, data[:2*PieceLength]) {
		t.Errorf("%d bytes are left, %v", len(got), err)
	}
}

// TestFetchBeginsAnew: a part that cannot be resumed, from a server without digests, is
// fetched from the beginning.
func TestFetchBeginsAnew(t *testing.T) {
	data := noise(7, 5000)
	const tag = `"v1"`
	answer := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path != "/f":
				http.NotFound(w, r)
			case r.Header.Get("Range") != "":
				h(w, r)
			default:
				w.Header().Set("Etag", tag)
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
			}
		}
	}
	unasked := func(w http.ResponseWriter, r *http.Request) {
		t.Error("was asked for a range")
		http.Error(w, "no", http.StatusTeapot)
	}
	for _, tt := range []struct {
		name string
		part int    // bytes of an earlier attempt
		kept string // the validator beside them
		h    http.HandlerFunc
	}{
		{"no validator", 2000, "", answer(unasked)},
		{"no validator on either side", len(data), "", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/f" {
				http.NotFound(w, r)
				return
			}
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}},
		{"a weak validator", 2000, `W/"v1"`, answer(unasked)},
		{"another version", 2000, `"v0"`, answer(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-Range") != `"v0"` {
				t.Errorf("asked with If-Range %q", r.Header.Get("If-Range"))
			}
			w.Header().Set("Etag", tag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		})},
		{"another version of the same length", len(data), `"v0"`, answer(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", tag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		})},
		{"more than there is", 9000, tag, answer(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusRequestedRangeNotSatisfiable)
		})},
		{"the wrong range", 2000, tag, answer(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=5-")
			w.Header().Set("Etag", tag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := openDir(t, map[string][]byte{".f.part": make([]byte, tt.part)})
			g := &part{root: root, name: "f"}
			if tt.kept != "" {
				if err := root.WriteFile(g.validatorName(), []byte(tt.kept), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			src := serve(t, tt.h)
			report, err := new(Fetcher).Fetch(t.Context(), root, "f", "", Sources{src})
			got, _ := root.ReadFile("f")
			if err != nil || !bytes.Equal(got, data) || report.Resumed != 0 {
				t.Errorf("%d bytes, %+v, %v", len(got), report, err)
			}
			if left, _ := fs.ReadDir(root.FS(), "."); len(left) != 1 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestFetchEndsEarly: the rest of a file that is not as long as it should be, though the
// server says that this is all, is not the file.
func TestFetchEndsEarly(t *testing.T) {
	data := noise(8, 5000)
	asked := 0
	src := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/f" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Etag", `"v1"`)
		if r.Method == http.MethodGet {
			var from int
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			asked++
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-4999/5000", from))
			w.WriteHeader(http.StatusPartialContent)
			http.NewResponseController(w).Flush() // so that no length is announced
			w.Write(data[from:min(from+1500, len(data))])
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	root := openDir(t, map[string][]byte{".f.part": data[:1000]})
	g := &part{root: root, name: "f"}
	if err := root.WriteFile(g.validatorName(), []byte(`"v1"`), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := new(Fetcher).Fetch(t.Context(), root, "f", "", Sources{src})
	got, _ := root.ReadFile("f")
	if err != nil || !bytes.Equal(got, data) || report.Resumed != 1000 || asked != 3 {
		t.Errorf("%d bytes, %+v, %v, asked %d times", len(got), report, err, asked)
	}
}

// TestFetchForgetsValidator: the validator of a part from a source without digests no longer
// counts after a source with digests has added to the part.
func TestFetchForgetsValidator(t *testing.T) {
	data := noise(9, 2*PieceLength)
	root := openDir(t, map[string][]byte{".f.part": data[:PieceLength]})
	g := &part{root: root, name: "f"}
	if err := root.WriteFile(g.validatorName(), []byte(`"v1"`), 0o600); err != nil {
		t.Fatal(err)
	}
	dies := serve(t, wrapping(sharing(t, map[string][]byte{"f": data}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" {
			http.Error(w, "no", http.StatusForbidden)
		}
		return r.URL.Path == "/f"
	}))
	if _, err := new(Fetcher).Fetch(t.Context(), root, "f", "", Sources{dies}); !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	plain := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/f" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Etag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	_, err := new(Fetcher).Fetch(t.Context(), root, "f", "", Sources{plain})
	if got, _ := root.ReadFile("f"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
