package fetch

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
)

// TestFetchCountsHosts: many ports of one host have one vote, and do not keep the fetch
// from asking other hosts.
func TestFetchCountsHosts(t *testing.T) {
	right, wrong := noise(1, 1000), noise(2, 1000)
	honest, liar := sharing(t, map[string][]byte{"f": right}), sharing(t, map[string][]byte{"f": wrong})
	for _, ports := range []int{4, 16, 100} {
		root := openDir(t, nil)
		synctest.Test(t, func(t *testing.T) {
			on := street{}
			var sources Sources
			add := func(addr string, h http.Handler) {
				src, stop := on.serve(addr, h)
				t.Cleanup(stop)
				sources = append(sources, src)
			}
			for i := range ports {
				add(fmt.Sprintf("10.0.0.66:%d", 1000+i), liar)
			}
			for i := range 3 {
				add(fmt.Sprintf("10.0.0.%d:80", i+1), honest)
			}
			tr := &http.Transport{DialContext: on.dial}
			defer tr.CloseIdleConnections()
			report, err := (&Fetcher{Transport: tr}).Fetch(t.Context(), root, "f", "", sources)
			if got, _ := root.ReadFile("f"); err != nil || !bytes.Equal(got, right) {
				t.Errorf("%d ports: not what most hosts have: %v", ports, err)
			}
			if report.Announced != 3 || report.Hosts != 4 {
				t.Errorf("%d ports: announced by %d of %d hosts", ports, report.Announced, report.Hosts)
			}
			if used := slices.IndexFunc(report.Sources, func(s SourceReport) bool { return s.Source == sources[ports] }); used > DefaultMaxSources {
				t.Errorf("%d ports: the honest host was asked after %d others", ports, used)
			}
		})
	}
}
