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

// put updates a peer of the host that it is on.
func (r *registry) put(now time.Time, addr netip.AddrPort, files []byte) (Code, bool) {
	return r.update(now, hostKey(addr.Addr()), addr, files, false)
}

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
	reg := newRegistry(expiry, registryLimits{1000, 100, 1000})
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
				if _, ok := reg.put(now, a, list); !ok {
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
	if reg.entries != 0 || len(reg.names.ids) != 0 || reg.oldest() != nil || len(reg.hosts) != 0 || reg.bytes != 0 || len(reg.freeIDs) != len(reg.byID) {
		t.Errorf("left: %d entries, %d names", reg.entries, len(reg.names.ids))
	}
}

// TestExpiryIsBounded: however many are due, a call does no more than its budget.
func TestExpiryIsBounded(t *testing.T) {
	reg := newRegistry(time.Second, registryLimits{1000, 1000, 1e6})
	for i := range 10 {
		files := []byte{}
		for k := range 100 {
			files = fmt.Appendf(files, "f%d ", k)
		}
		reg.put(epoch, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(i+1)), files)
	}
	late := epoch.Add(time.Second)
	if got := reg.lookup(late, "f0", 100, nil); len(got) != 0 {
		t.Errorf("found at dead peers: %v", got)
	}
	calls, gone := 0, 0
	for before := reg.entries; len(reg.peers) > 0; before = reg.entries {
		gone += len(reg.expire(late, 64, nil))
		if before-reg.entries > 64 {
			t.Fatalf("%d entries in one call", before-reg.entries)
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
	reg := newRegistry(time.Hour, registryLimits{1000, 1000, 1e6})
	for i := range 10 {
		reg.put(epoch, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 80), []byte("f "))
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

// TestLookupSpreadsOverHosts: many ports of one host do not keep another host out of an
// answer, in whatever order peers come and go.
func TestLookupSpreadsOverHosts(t *testing.T) {
	reg := newRegistry(time.Hour, registryLimits{10_000, 1000, 1e6})
	honest := netip.MustParseAddrPort("10.0.0.1:80")
	bad := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("10.0.0.66"), uint16(i+1))
	}
	for i := range 3000 {
		reg.put(epoch, bad(i), []byte("f g "))
		if i == 1500 {
			reg.put(epoch, honest, []byte("f "))
		}
	}
	check := func(when string) {
		t.Helper()
		for range 20 {
			if found := reg.lookup(epoch, "f", 100, nil); len(found) != 100 || !slices.Contains(found, honest) {
				t.Fatalf("%s: %d found, the honest host among them: %v", when, len(found), slices.Contains(found, honest))
			}
		}
	}
	check("at first")
	for i := range 1000 {
		reg.remove(bad(3 * i))
	}
	check("after some have left")
	for i := range 3000 {
		reg.remove(bad(i))
	}
	if found := reg.lookup(epoch, "f", 100, nil); len(found) != 1 || reg.names.ids["g"] != 0 && len(reg.names.ids) != 1 {
		t.Errorf("found %v, names %v", found, reg.names.ids)
	}
}

// TestRegistryFlood: neither many ports of one host nor forged addresses keep a host out
// that proves itself, and they do not displace it.
func TestRegistryFlood(t *testing.T) {
	limits := registryLimits{peers: 1600, files: 100, entries: 100_000}
	for name, flood := range map[string]func(i int) netip.AddrPort{
		"ports of two hosts": func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i / 2500)}), uint16(i+1))
		},
		"forged addresses": func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 80)
		},
	} {
		t.Run(name, func(t *testing.T) {
			reg := newRegistry(21*time.Second, limits)
			now := epoch
			proven, plain := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:80")
			send := func(by, n int) {
				for i := range n {
					now = now.Add(100 * time.Microsecond)
					a := flood(by + i)
					// A datagram that is sent twice is insistent.
					if !reg.touch(now, a, []byte("x ")) {
						reg.update(now, hostKey(a.Addr()), a, []byte("x "), i%2 == 1)
					}
				}
			}
			send(0, 2500)
			reg.prove(now, proven.Addr())
			if _, ok := reg.put(now, proven, []byte("f ")); !ok {
				t.Error("a host that proved itself is refused")
			}
			// The peer of the document proves nothing. It repeats its datagram.
			if _, ok := reg.update(now, hostKey(plain.Addr()), plain, []byte("f "), true); !ok {
				t.Error("a host that insists is refused")
			}
			send(2500, 2500)
			if !reg.touch(now, proven, []byte("f ")) {
				t.Error("a host that proved itself made room for others")
			}
			if _, ok := reg.put(now, proven, []byte("f g ")); !ok {
				t.Error("it may not share another file")
			}
			if len(reg.peers) > limits.peers || reg.entries > limits.entries || len(reg.hosts) > limits.peers+maxProven {
				t.Errorf("%d peers, %d entries, %d hosts", len(reg.peers), reg.entries, len(reg.hosts))
			}
		})
	}
}

// TestRegistryBytes: the bytes of long names are counted.
func TestRegistryBytes(t *testing.T) {
	reg := newRegistry(time.Hour, registryLimits{peers: 1000, files: 1000, entries: 20_000})
	for i := range 100 {
		var files []byte
		for k := range 100 {
			files = fmt.Appendf(files, "%0200d ", i*100+k)
		}
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 80)
		reg.prove(epoch, a.Addr())
		reg.put(epoch, a, files)
	}
	if reg.bytes > reg.max.bytes() || len(reg.peers) == 0 || len(reg.peers) > 50 {
		t.Errorf("%d bytes, %d peers", reg.bytes, len(reg.peers))
	}
}

// TestHostKey: one site has one key, however many addresses it has.
func TestHostKey(t *testing.T) {
	for _, tt := range [][2]string{
		{"10.0.0.1", "10.0.0.1"},
		{"2001:db8::1", "2001:db8::"},
		{"2001:db8::ffff:1", "2001:db8::"},
		{"2001:db8:0:1::1", "2001:db8:0:1::"},
		{"fe80::1%eth0", "fe80::1"},
		{"::1", "::1"},
	} {
		if got := hostKey(netip.MustParseAddr(tt[0])); got.String() != tt[1] {
			t.Errorf("%s: %v, want %s", tt[0], got, tt[1])
		}
	}
}
