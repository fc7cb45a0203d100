package fetch

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// breaking serves data as /f, and each connection carries n bytes of it. header is added
// to each response.
func breaking(data []byte, n int, modified time.Time, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/f" {
			http.NotFound(w, r)
			return
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.ServeContent(&cutWriter{w, n}, r, "", modified, bytes.NewReader(data))
	})
}

// TestFetchValidators: a download goes on where it broke off if a date is the validator,
// if the entity tag is weak and there is a date, and in any case if a digest will tell.
func TestFetchValidators(t *testing.T) {
	data := noise(4, 10_000)
	sum := sha256.Sum256(data)
	long := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // a bubble begins in 2000
	for _, tt := range []struct {
		name   string
		f      Fetcher
		server http.Handler
		ok     bool
	}{
		{"strong tag", Fetcher{}, breaking(data, 3000, time.Time{}, "Etag", `"v1"`), true},
		{"date", Fetcher{}, breaking(data, 3000, long), true},
		{"weak tag and date", Fetcher{}, breaking(data, 3000, long, "Etag", `W/"v1"`), true},
		{"nothing", Fetcher{}, breaking(data, 3000, time.Time{}), false},
		{"weak tag", Fetcher{}, breaking(data, 3000, time.Time{}, "Etag", `W/"v1"`), false},
		{"digest", Fetcher{SHA256: &sum}, breaking(data, 3000, time.Time{}), true},
		{"young date", Fetcher{}, breaking(data, 3000, long.AddDate(1, 0, 0)), false},
	} {
		root := openDir(t, nil)
		synctest.Test(t, func(t *testing.T) {
			_, err := fetchOn(t, t.Context(), &tt.f, root, tt.server)
			if got, _ := root.ReadFile("f"); (err == nil) != tt.ok || tt.ok && !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
			}
			// The bytes that arrived are kept for the next call.
			if got, _ := root.ReadFile(".f.part"); !tt.ok && len(got) < 3000 {
				t.Errorf("%s: %d bytes are kept", tt.name, len(got))
			}
		})
	}
}

// TestFetchKeepsMore: another version does not replace the kept part before more of it
// has arrived.
func TestFetchKeepsMore(t *testing.T) {
	v1, v2 := noise(5, 10_000), noise(6, 12_000)
	for _, tt := range []struct{ n, kept int }{{1500, 6000}, {6500, 6500}} {
		root := openDir(t, map[string][]byte{".f.part": v1[:6000]})
		p := &part{root: root, name: "f"}
		root.WriteFile(p.validatorName(), []byte(`"v1"`), 0o600)
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			other := wrapping(breaking(v2, tt.n, time.Time{}, "Etag", `"v2"`), func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodGet && r.URL.Path == "/f" {
					asked++
				}
				if asked > 1 {
					w.WriteHeader(http.StatusForbidden)
				}
				return asked > 1
			})
			if _, err := fetchOn(t, t.Context(), new(Fetcher), root, other); err == nil {
				t.Fatal("no error")
			}
			got, _ := root.ReadFile(".f.part")
			want := v1[:6000]
			if tt.n > 6000 {
				want = v2[:tt.n]
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes of another version: %d are kept, want %d", tt.n, len(got), tt.kept)
			}
			report, err := fetchOn(t, t.Context(), new(Fetcher), root, breaking(v1, len(v1), time.Time{}, "Etag", `"v1"`))
			if err != nil || tt.n < 6000 && report.Resumed != 6000 {
				t.Errorf("then: resumed %d, %v", report.Resumed, err)
			}
		})
	}
}
