package fetch

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

// TestFetchBlames: all but the first piece of a request is verified at the end only. A
// source that is found to be wrong is dropped, also in mid-request, loses its credit, and
// the pieces that it spoilt are fetched from another.
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
		Progress: func(e Event) {
			have = append(have, e.Have)
			if e.Addr == bad.Addr {
				if fromBad++; fromBad == 2 {
					close(spoilt)
				}
			}
		},
		Failed: func(e Event) {
			if failures++; e.Addr != bad.Addr || !errors.Is(e.Err, ferry.ErrDigest) || e.Retry {
				t.Errorf("failed: %+v", e)
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
	if !errors.Is(b.Err, ferry.ErrDigest) || g.Err != nil || failures != 1 || b.Bytes+g.Bytes != int64(len(data)) || have[len(have)-1] != int64(len(data)) {
		t.Errorf("%+v; progress %d", report.Sources, have)
	}
}

// TestSwarmStrict: only the first piece of a request is verified on arrival, until the
// whole file was wrong once. Then each piece is verified, and wrong ones are not stored.
func TestSwarmStrict(t *testing.T) {
	data := noise(6, 4*PieceLength)
	files := map[string][]byte{"f": data}
	// spoiling serves the file with some wrong pieces, when it may.
	spoiling := func(may <-chan struct{}, pieces ...int) Source {
		wrong := bytes.Clone(data)
		for _, i := range pieces {
			wrong[i*PieceLength] ^= 1
		}
		return serve(t, wrapping(sharing(t, files), func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/f" {
				<-may
				w.Header().Set("Etag", r.Header.Get("If-Range"))
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wrong))
			}
			return r.URL.Path == "/f"
		}))
	}
	first, second, third := make(chan struct{}), make(chan struct{}), make(chan struct{})
	close(first)
	a, b, good := spoiling(first, 1, 2), spoiling(second, 2), spoiling(third)
	var failed []string
	f := Fetcher{Trace: &Trace{
		Failed: func(e Event) {
			failed = append(failed, e.Err.Error())
			switch e.Addr {
			case a.Addr:
				close(second)
			case b.Addr:
				close(third)
			}
		},
		Progress: func(e Event) {
			if e.Addr == b.Addr && e.Have > 3*PieceLength {
				t.Errorf("a wrong piece was stored: %+v", e)
			}
		},
	}}
	// Only a has places for requests at first: the others answer later.
	got, report, err := fetch(t, &f, "f", a, b, good)
	if err != nil || !bytes.Equal(got, data) || report.Sources[0].Err == nil {
		t.Fatalf("%d bytes, %+v, %v", len(got), report, err)
	}
	if len(failed) == 0 || len(failed) > 2 {
		t.Errorf("failures %q", failed)
	}
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
		p := piecesOf(t, other)
		p.SHA256 = piecesOf(t, data).SHA256
		b, _ := p.AppendText(nil)
		w.Write(b)
	}))
	honest := serve(t, wrapping(sharing(t, files), func(http.ResponseWriter, *http.Request) bool {
		<-asked
		return false
	}))
	f := Fetcher{Trace: &Trace{Responded: func(e Event) {
		if e.Addr == liar.Addr {
			close(asked)
		}
	}}}
	got, report, err := fetch(t, &f, "f", liar, honest)
	if err != nil || !bytes.Equal(got, data) || !report.Verified || report.Sources[1].Err != nil {
		t.Errorf("%d bytes, %+v, %v", len(got), report, err)
	}
	if _, _, err := fetch(t, &Fetcher{}, "f", liar); !errors.Is(err, ferry.ErrDigest) {
		t.Errorf("from the liar alone: %v", err)
	}
}

// TestFetchOtherVersion: a file that changes after its list was read is recognised as
// another one before any of it is taken.
func TestFetchOtherVersion(t *testing.T) {
	before := sharing(t, map[string][]byte{"f": noise(1, 5000)})
	after := sharing(t, map[string][]byte{"f": noise(2, 5000)})
	src := serve(t, wrapping(before, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/f" {
			after.ServeHTTP(w, r)
		}
		return r.URL.Path == "/f"
	}))
	if _, _, err := fetch(t, &Fetcher{}, "f", src); !errors.Is(err, ErrDifferent) {
		t.Errorf("the file has changed: %v", err)
	}
}

// TestStoreOnce: what another source has delivered already is not written over.
func TestStoreOnce(t *testing.T) {
	root := openDir(t, nil)
	c := new(Fetcher).newCall(t.Context(), "f", "f", root)
	if err := c.part.open(); err != nil {
		t.Fatal(err)
	}
	defer c.part.end()
	w := &swarm{want: &Pieces{Size: 5, Sums: make([][32]byte, 1)}, plan: newPlan(1), ready: make(chan int, 1)}
	c.swarm = w
	a, b := newSource(c, Source{}), newSource(c, Source{})
	w.plan.run(t, a, 0, 1)
	w.plan.run(t, b, 0, 1)
	for _, e := range []pieceArrived{{a, w, 0, []byte("right"), true}, {b, w, 0, []byte("wrong"), false}} {
		if err := e.apply(c); err != nil {
			t.Fatal(err)
		}
		if err := <-e.s.reply; err != errStop {
			t.Errorf("reply %v", err)
		}
	}
	got, err := root.ReadFile(".f.part")
	if string(got) != "right" || err != nil || c.part.at.have != 5 || c.part.at.bytes[a] != 5 || c.part.at.bytes[b] != 0 {
		t.Errorf("%q, %v, %+v", got, err, c.part.at)
	}
}
