package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestFetchDeadSources: sources that do not answer make room for others, however many
// they are.
func TestFetchDeadSources(t *testing.T) {
	data := noise(1, 1000)
	root, good := openDir(t, nil), sharing(t, map[string][]byte{"f": data})
	synctest.Test(t, func(t *testing.T) {
		on := street{}
		var sources Sources
		for i := range 40 {
			sources = append(sources, Source{netip.MustParseAddrPort(fmt.Sprintf("10.0.1.%d:80", i+1))})
		}
		src, stop := on.serve("10.0.0.2:80", good)
		defer stop()
		tr := &http.Transport{DialContext: on.dial}
		defer tr.CloseIdleConnections()
		report, err := (&Fetcher{Transport: tr}).Fetch(t.Context(), root, "f", "", append(sources, src))
		got, _ := root.ReadFile("f")
		if err != nil || !bytes.Equal(got, data) || report.Elapsed > 5*time.Second || len(report.Sources) != 41 {
			t.Errorf("%d bytes after %v from %d sources: %v", len(got), report.Elapsed, len(report.Sources), err)
		}
	})
}

// TestFetchWithoutHead: a server that implements GET alone is used.
func TestFetchWithoutHead(t *testing.T) {
	data := noise(1, 1000)
	for _, status := range []int{http.StatusNotImplemented, http.StatusMethodNotAllowed, http.StatusForbidden, 0} {
		h := wrapping(plainly(len(data), func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }), func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodHead {
				return false
			}
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			return true
		})
		root := openDir(t, nil)
		synctest.Test(t, func(t *testing.T) {
			_, err := fetchOn(t, t.Context(), new(Fetcher), root, h)
			if got, _ := root.ReadFile("f"); err != nil || !bytes.Equal(got, data) {
				t.Errorf("HEAD is answered by %d: %d bytes, %v", status, len(got), err)
			}
		})
	}
}

// TestFetchWaits: a source that says when to come back is asked then, and not counted as
// failing; one that does so for too long is dropped.
func TestFetchWaits(t *testing.T) {
	data := noise(1, 1000)
	root, good := openDir(t, nil), sharing(t, map[string][]byte{"f": data})
	for _, tt := range []struct {
		ready time.Duration
		err   error
	}{{25 * time.Second, nil}, {time.Hour, StatusError(http.StatusServiceUnavailable)}} {
		synctest.Test(t, func(t *testing.T) {
			start, requests := time.Now(), 0
			report, err := fetchOn(t, t.Context(), new(Fetcher), root, wrapping(good, func(w http.ResponseWriter, r *http.Request) bool {
				if time.Since(start) >= tt.ready || r.Method == http.MethodHead {
					return false
				}
				requests++
				w.Header().Set("Retry-After", "2")
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}))
			if !errors.Is(err, tt.err) || report.Elapsed > 40*time.Second || requests > 20 {
				t.Errorf("ready after %v: %v after %v, %d requests", tt.ready, err, report.Elapsed, requests)
			}
		})
	}
}
