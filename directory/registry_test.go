package directory

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRegistryModel compares the registry with one that is a list, over many random
// changes.
func TestRegistryModel(t *testing.T) {
	seed := rand.Uint64()
	if *randomSeed != 0 {
		seed = *randomSeed
	}
	defer func() {
		if t.Failed() {
			t.Logf("to repeat: go test -run TestRegistryModel -directory.seed=%d", seed)
		}
	}()
	type known struct {
		files []string
		heard time.Time
	}
	r := rand.New(rand.NewPCG(seed, 0))
	const expiry = 21 * time.Second
	reg := newRegistry(expiry, 1000, 100, 1000)
	model := make(map[netip.AddrPort]*known)
	now := epoch
	addr := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(20))}), uint16(1+r.IntN(2)))
	}
	var gone []netip.AddrPort
	for step := range 20_000 {
		now = now.Add(time.Duration(r.IntN(1500)) * time.Millisecond)
		for a, k := range model {
			if now.Sub(k.heard) >= expiry {
				delete(model, a)
			}
		}
		switch a := addr(); r.IntN(6) {
		case 0:
			reg.remove(a)
			delete(model, a)
		case 1, 2:
			var files []string
			for range r.IntN(6) {
				if f := fmt.Sprint("f", r.IntN(15)); !slices.Contains(files, f) {
					files = append(files, f)
				}
			}
			list := []byte(strings.Join(append(files, ""), " "))
			if !reg.touch(now, a, list) {
				if _, ok := reg.update(now, a, list); !ok {
					t.Fatal("refused")
				}
			}
			model[a] = &known{files, now}
		case 3:
			if k := model[a]; k != nil {
				if !reg.touch(now, a, []byte(strings.Join(append(slices.Clone(k.files), ""), " "))) {
					t.Fatalf("step %d: not touched", step)
				}
				k.heard = now
			}
		case 4:
			gone = reg.expire(now, 1+r.IntN(4), gone[:0])
			for _, g := range gone {
				if model[g] != nil {
					t.Fatalf("step %d: %v expired too early", step, g)
				}
			}
		case 5:
			name := fmt.Sprint("f", r.IntN(15))
			var want []netip.AddrPort
			for a, k := range model {
				if slices.Contains(k.files, name) {
					want = append(want, a)
				}
			}
			got := reg.lookup(now, name, 1000, nil)
			slices.SortFunc(got, netip.AddrPort.Compare)
			slices.SortFunc(want, netip.AddrPort.Compare)
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: %s is at %v, want %v", step, name, got, want)
			}
		}
		if step%100 == 0 {
			seen := 0
			last := time.Time{}
			reg.visit(now, func(m *member, files func(func(string) bool)) bool {
				seen++
				k := model[m.addr]
				if k == nil || !slices.Equal(slices.Collect(files), k.files) || !m.heard.Equal(k.heard) || m.heard.Before(last) {
					t.Fatalf("step %d: the view of %v", step, m.addr)
				}
				last = m.heard
				return true
			})
			if seen != len(model) {
				t.Fatalf("step %d: the view has %d of %d", step, seen, len(model))
			}
		}
	}
	for len(reg.peers) > 0 {
		reg.expire(now.Add(time.Hour), 10, nil)
	}
	if reg.entries.count != 0 || len(reg.names.ids) != 0 || reg.silent.oldest != nil || len(reg.freeIDs) != len(reg.byID) {
		t.Errorf("left: %d entries, %d names", reg.entries.count, len(reg.names.ids))
	}
}

// TestExpiryIsBounded: however many are due, a call does no more than its budget.
func TestExpiryIsBounded(t *testing.T) {
	reg := newRegistry(time.Second, 1000, 1000, 1e6)
	for i := range 10 {
		files := []byte{}
		for k := range 100 {
			files = fmt.Appendf(files, "f%d ", k)
		}
		reg.update(epoch, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(i+1)), files)
	}
	late := epoch.Add(time.Second)
	if got := reg.lookup(late, "f0", 100, nil); len(got) != 0 {
		t.Errorf("found at dead peers: %v", got)
	}
	calls, gone := 0, 0
	for before := reg.entries.count; len(reg.peers) > 0; before = reg.entries.count {
		gone += len(reg.expire(late, 64, nil))
		if before-reg.entries.count > 64 {
			t.Fatalf("%d entries in one call", before-reg.entries.count)
		}
		calls++
	}
	if gone != 10 || calls < 10*101/64 || calls > 10*101/64+2 {
		t.Errorf("%d peers in %d calls", gone, calls)
	}
	if gone := reg.expire(late.Add(-1), 64, nil); len(gone) > 0 {
		t.Error("expired early")
	}
}

// TestLookupSpreads: where more peers have a file than an answer names, the answers
// take turns.
func TestLookupSpreads(t *testing.T) {
	reg := newRegistry(time.Hour, 1000, 1000, 1e6)
	for i := range 10 {
		reg.update(epoch, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(i+1)), []byte("f "))
	}
	seen := make(map[netip.AddrPort]int)
	for range 10 {
		found := reg.lookup(epoch, "f", 3, nil)
		if len(found) != 3 {
			t.Fatalf("found %v", found)
		}
		for _, a := range found {
			seen[a]++
		}
	}
	for a, n := range seen {
		if n != 3 {
			t.Errorf("%v was named %d times of 30", a, n)
		}
	}
}
