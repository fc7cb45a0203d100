package directory

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

var randomSeed = flag.Uint64("directory.seed", 0, "run only this one of the random towns")

// TestLossyRequests: 30 % of all datagrams are lost, in both directions, and every one
// of 10,000 requests has the right answer.
func TestLossyRequests(t *testing.T) {
	const runs = 5
	randomTowns(t, runs, func(t *testing.T, seed uint64) {
		lossyTown(t, seed, 2000, func(v *town, host string, r *rand.Rand) func() error {
			return (&livelyHost{client: v.client(host), host: host, r: r}).request
		}, lossy.Seed(seed), lossy.Loss(0.3), lossy.Delay(time.Duration(seed*seed)*time.Millisecond))
	})
}

// TestDisorderlyRequests: on a network that also repeats datagrams, and lets them
// overtake each other by several round trips, what a host shares at all times is found
// at all times. (A late copy of an update can undo a newer one, so here the updates say
// the same.)
func TestDisorderlyRequests(t *testing.T) {
	const runs = 3
	randomTowns(t, runs, func(t *testing.T, seed uint64) {
		lossyTown(t, seed, 1000, func(v *town, host string, r *rand.Rand) func() error {
			return (&steadyHost{client: v.client(host), host: host, r: r, files: 1 + r.IntN(200)}).request
		}, lossy.Seed(seed), lossy.Loss(0.3), lossy.Duplicate(0.1), lossy.Jitter(0, 50*time.Millisecond))
	})
}

func randomTowns(t *testing.T, runs int, run func(t *testing.T, seed uint64)) {
	if raced {
		runs = 1
	}
	first, last := uint64(1), uint64(runs)
	if *randomSeed != 0 {
		first, last = *randomSeed, *randomSeed
	}
	for seed := first; seed <= last && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { run(t, seed) })
		if t.Failed() {
			t.Errorf("to repeat: go test -run %s -directory.seed=%d", t.Name(), seed)
		}
	}
}

// lossyTown lets ten hosts make requests, as many as that together.
func lossyTown(t *testing.T, seed uint64, requests int, host func(v *town, host string, r *rand.Rand) func() error, options ...lossy.Option) {
	const hosts = 10
	v := newTown(t, &Server{Expiry: 24 * time.Hour}, options...)
	var wg sync.WaitGroup
	for i := range hosts {
		name := fmt.Sprintf("10.0.1.%d", i+1)
		request := host(v, name, rand.New(rand.NewPCG(seed, uint64(i))))
		wg.Go(func() {
			for k := range requests / hosts {
				if err := request(); err != nil {
					t.Errorf("%s, request %d: %v", name, k, err)
					return
				}
			}
		})
	}
	wg.Wait()
	v.close()
}

// A livelyHost shares, withdraws and asks, and knows what it must be told.
type livelyHost struct {
	client *Client
	host   string
	r      *rand.Rand
	shared []string
	there  bool
}

func (h *livelyHost) request() error {
	ctx := context.Background()
	switch h.r.IntN(8) {
	case 0, 1:
		h.shared, h.there = h.pick(), true
		return h.client.Publish(ctx, httpAt(h.host), h.shared)
	case 2:
		h.shared, h.there = nil, false
		return h.client.Withdraw(ctx, httpAt(h.host))
	case 3:
		return seen(h.client, h.host, h.there, h.shared)
	default:
		name := fmt.Sprintf("song %d of %s", h.r.IntN(5), h.host)
		return lookedUp(h.client, name, h.host, slices.Contains(h.shared, name))
	}
}

// pick makes a list of files; sometimes it takes several datagrams.
func (h *livelyHost) pick() (files []string) {
	for i := range 5 {
		if h.r.IntN(2) == 0 {
			files = append(files, fmt.Sprintf("song %d of %s", i, h.host))
		}
	}
	if h.r.IntN(5) == 0 {
		for i := range 150 {
			files = append(files, fmt.Sprintf("a rather long name, 100%% of it, number %d of %s", i, h.host))
		}
	}
	return files
}

// A steadyHost always shares the same.
type steadyHost struct {
	client *Client
	host   string
	r      *rand.Rand
	files  int
	there  bool
}

func (h *steadyHost) request() error {
	ctx := context.Background()
	var shared []string
	for i := range h.files {
		shared = append(shared, fmt.Sprintf("song %d of %s", i, h.host))
	}
	switch n := h.r.IntN(4); {
	case n == 0 || !h.there:
		h.there = true
		return h.client.Publish(ctx, httpAt(h.host), shared)
	case n == 1:
		return seen(h.client, h.host, true, shared)
	default:
		n := h.r.IntN(2 * h.files)
		return lookedUp(h.client, fmt.Sprintf("song %d of %s", n, h.host), h.host, n < h.files)
	}
}

// seen checks what a view shows of a host.
func seen(c *Client, host string, there bool, files []string) error {
	l, err := c.View(context.Background())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(l.Peers, func(p Registration) bool { return p.Addr == httpAt(host) })
	switch {
	case i < 0 && there && l.Total == len(l.Peers), i >= 0 && !there:
		return fmt.Errorf("the view shows %d of %d peers, and me: %v", len(l.Peers), l.Total, i >= 0)
	case i >= 0 && !slices.Equal(l.Peers[i].Files, files):
		return fmt.Errorf("the view shows %q, want %q", l.Peers[i].Files, files)
	}
	return nil
}

// lookedUp checks what a look-up of a file finds.
func lookedUp(c *Client, name, host string, want bool) error {
	found, err := c.Lookup(context.Background(), name)
	switch {
	case !want && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look-up of %q: %w", name, err)
	case !want || !slices.Equal(found, []netip.AddrPort{httpAt(host)}):
		return fmt.Errorf("%q is at %v, want it there: %v", name, found, want)
	}
	return nil
}
