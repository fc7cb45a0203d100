package directory

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// TestFetchBlames: all but the first piece of a request is verified at the end only. A
// source that is found out then is dropped, whatever it is at, loses what it is credited
// for, and what it spoilt comes from another.
func TestFetchBlames(t *testing.T) {
	data := noise(5, 8*PieceLength)
	files := map[string][]byte{"f": data}
	asked := make(chan struct{}, 1)
	bad := serve(t, wrapping(sharing(t, files), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/f" {
			return false
		}
		select {
		case asked <- struct{}{}:
		default: // whatever else it is asked for never comes
			<-r.Context().Done()
			return true
		}
		wrong := bytes.Clone(data)
		wrong[PieceLength+5]++ // one is of the bad one's first request and one of the good one's
		wrong[5*PieceLength+5]++
		w.Header().Set("Etag", r.Header.Get("If-Range"))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wrong))
		return true
	}))
	spoilt := make(chan struct{}) // closed when the wrong piece has been taken
	good := serve(t, wrapping(sharing(t, files), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" {
			<-spoilt
		}
		return false
	}))
	var have []int64
	fromBad, failures := 0, 0
	f := Fetcher{Trace: &Trace{
		Progress: func(src Source, h, _ int64) {
			have = append(have, h)
			if src == bad {
				if fromBad++; fromBad == 2 {
					close(spoilt)
				}
			}
		},
		Failed: func(src Source, err error, again bool) {
			if failures++; src != bad || !errors.Is(err, ErrDigest) || again {
				t.Errorf("%v failed: %v, again: %v", src, err, again)
			}
		},
	}}
	root := openDir(t, nil)
	report, err := f.Fetch(t.Context(), root, "f", "", Sources{bad, good})
	got, _ := root.ReadFile("f")
	if err != nil || !bytes.Equal(got, data) || !report.Verified {
		t.Fatalf("%d bytes, %+v, %v", len(got), report, err)
	}
	b, g := report.Sources[0], report.Sources[1]
	if !errors.Is(b.Err, ErrDigest) || g.Err != nil || failures != 1 || b.Bytes+g.Bytes != int64(len(data)) || have[len(have)-1] != int64(len(data)) {
		t.Errorf("%+v; progress %d", report.Sources, have)
	}
}

// TestSwarmStrict: beyond the first piece of a request nothing is verified, until the
// whole was wrong once. Then everything is, and what is wrong is not even stored.
func TestSwarmStrict(t *testing.T) {
	data := noise(6, 4*PieceLength)
	wrong := noise(7, len(data))
	liar := serve(t, wrapping(sharing(t, map[string][]byte{"f": data}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" {
			w.Header().Set("Etag", r.Header.Get("If-Range"))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wrong))
		}
		return r.URL.Path == "/f"
	}))
	w := newSwarmTest(t, "f", 4)
	s := w.g.supplier(t, liar)
	w.want = s.pieces
	defer w.g.client.CloseIdleConnections()
	buf := make([]byte, PieceLength)
	w.plan.run(t, s, 0, 4)
	if err := w.fetchRun(t.Context(), s, 0, 4, buf); !errors.Is(err, ErrDigest) || w.have != 0 {
		t.Fatalf("of another file: %d bytes, %v", w.have, err)
	}
	w.plan.release(s)
	wrong = bytes.Clone(data)
	wrong[PieceLength] ^= 1
	wrong[2*PieceLength] ^= 1
	w.plan.run(t, s, 0, 4)
	if err := w.fetchRun(t.Context(), s, 0, 4, buf); err != nil || w.have != int64(len(data)) {
		t.Fatalf("at first %d bytes, %v", w.have, err)
	}
	if n, err := w.recheck(t.Context()); err != nil || n != 2 {
		t.Errorf("%d wrong pieces, %v", n, err)
	}
	if !s.blamed || w.have != 2*PieceLength || w.g.report.Sources[0].Bytes != w.have {
		t.Errorf("blamed: %v, %d bytes, %+v", s.blamed, w.have, w.g.report.Sources)
	}
	w.plan.run(t, s, 1, 3) // 1 is wrong
	if err := w.fetchRun(t.Context(), s, 1, 3, buf); !errors.Is(err, ErrDigest) || w.have != 2*PieceLength {
		t.Errorf("then %d bytes, %v", w.have, err)
	}
	w.plan.release(s)
	wrong = bytes.Clone(data)
	wrong[2*PieceLength] ^= 1 // and now 2 is
	w.plan.run(t, s, 1, 3)
	if err := w.fetchRun(t.Context(), s, 1, 3, buf); !errors.Is(err, ErrDigest) || w.have != 3*PieceLength {
		t.Errorf("then %d bytes, %v", w.have, err)
	}
}

// newSwarmTest returns a swarm without sources, and its file.
func newSwarmTest(t *testing.T, name string, pieces int) *swarm {
	t.Helper()
	root := openDir(t, nil)
	file, _, err := wholefile.Resume(root, name, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Abort() })
	return &swarm{g: new(Fetcher).newFetching(name, name, root), file: file, plan: newPlan(pieces)}
}

// TestFetchWrongLists: a source whose list has the digest of the whole file, and other
// pieces, does not speak for those that have the file.
func TestFetchWrongLists(t *testing.T) {
	data := noise(7, 3*PieceLength)
	files := map[string][]byte{"f": data}
	other := noise(8, len(data))
	asked := make(chan struct{}) // closed when the liar has answered
	liar := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/f" {
			w.Header().Set("Etag", r.Header.Get("If-Range"))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(other))
			return
		}
		p := piecesOfBytes(t, other)
		p.SHA256 = piecesOfBytes(t, data).SHA256
		b, _ := p.AppendText(nil)
		w.Write(b)
	}))
	honest := serve(t, wrapping(sharing(t, files), func(http.ResponseWriter, *http.Request) bool {
		<-asked
		return false
	}))
	f := Fetcher{Trace: &Trace{Responded: func(src Source, _ int) {
		if src == liar {
			close(asked)
		}
	}}}
	got, report, err := fetch(t, &f, "f", liar, honest)
	if err != nil || !bytes.Equal(got, data) || !report.Verified || report.Sources[1].Err != nil {
		t.Errorf("%d bytes, %+v, %v", len(got), report, err)
	}
	if _, _, err := fetch(t, &Fetcher{}, "f", liar); !errors.Is(err, ErrDigest) {
		t.Errorf("from the liar alone: %v", err)
	}
}

// piecesOfBytes returns the digests of data.
func piecesOfBytes(t *testing.T, data []byte) *Pieces {
	t.Helper()
	file, err := openDir(t, map[string][]byte{"f": data}).Open("f")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p, err := digest(file, int64(len(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFetchOtherVersion: a file that changes after its list was read is known for
// another before any of it is taken.
func TestFetchOtherVersion(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": noise(1, 5000)})
	path := filepath.Join(p.Root.Name(), "f")
	src := serve(t, wrapping(p, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" {
			os.WriteFile(path, noise(2, 5000), 0o600)
			other := time.Now().Add(-time.Minute)
			os.Chtimes(path, other, other)
		}
		return false
	}))
	if _, _, err := fetch(t, &Fetcher{}, "f", src); !errors.Is(err, ErrDifferent) {
		t.Errorf("the file has changed: %v", err)
	}
}

// TestStoreOnce: what another source has delivered already is not written over.
func TestStoreOnce(t *testing.T) {
	w := newSwarmTest(t, "f", 1)
	g := w.g
	a, b := new(supplier), new(supplier)
	g.index[a], g.index[b] = 0, 1
	g.report.Sources = make([]SourceReport, 2)
	w.plan.run(t, a, 0, 1)
	w.plan.run(t, b, 0, 1)
	if more, err := w.store(a, 0, []byte("right"), true); more || err != nil {
		t.Fatal(more, err)
	}
	if more, err := w.store(b, 0, []byte("wrong"), false); more || err != nil {
		t.Fatal(more, err)
	}
	got, err := g.root.ReadFile(".f.part")
	if string(got) != "right" || w.have != 5 || g.report.Sources[1].Bytes != 0 {
		t.Errorf("%q, %v, %d, %+v", got, err, w.have, g.report.Sources)
	}
}
