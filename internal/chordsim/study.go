package chordsim

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ferrygo/ferry/directory/chord"
)

// Lookups sums up many look-ups.
type Lookups struct {
	Hops, Timeouts []int // of each that succeeded, in order
	Failed         int   // ended without a successor, or with a wrong one
}

func (l *Lookups) add(r chord.Result, right bool) {
	if !right {
		l.Failed++
		return
	}
	l.Hops = append(l.Hops, r.Hops)
	l.Timeouts = append(l.Timeouts, r.Timeouts)
}

// Mean is the mean of a list.
func Mean(list []int) float64 {
	sum := 0
	for _, v := range list {
		sum += v
	}
	return float64(sum) / float64(max(1, len(list)))
}

// Percentile is the value that a fraction p of the list does not exceed.
func Percentile(list []int, p float64) int {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// successor is the first member at or after key.
func successor(w *World, members []chord.Peer, key chord.ID) chord.Peer {
	i, _ := slices.BinarySearchFunc(members, key, func(p chord.Peer, key chord.ID) int { return chord.Compare(w.ID(p), key) })
	return members[i%len(members)]
}

// lookup begins a look-up at a random member. It succeeds if the first node of the result that is
// alive is the key's successor among the members, or, while nodes come and go, if any is alive.
func (w *World) lookup(members []chord.Peer, stable bool, l *Lookups) {
	key := w.RandomID()
	from := members[w.Rand.IntN(len(members))]
	w.Do(from, func(m *chord.Machine, out chord.Out) {
		m.Lookup(w.Now, key, func(r chord.Result) {
			i := slices.IndexFunc(r.Successors, func(p chord.Peer) bool { return w.Node(p) != nil })
			l.add(r, i >= 0 && (!stable || r.Successors[i] == successor(w, members, key)))
		}, out)
	})
}

// PathLength looks random keys up in a stable ring, by fingers and the first successor alone.
func PathLength(seed uint64, nodes, lookups int) Lookups {
	w := New(seed, chord.Settings{Successors: 8, Period: 10000 * time.Hour, Tries: 1, FirstSuccessor: true})
	w.Stable(nodes)
	members := w.Alive()
	var l Lookups
	for range lookups {
		w.lookup(members, true, &l)
		w.Run(w.Now + time.Second)
	}
	return l
}

// Failures looks keys up after a fraction of the nodes of a stable ring has failed at once, and before
// any other node has noticed (I. Stoica et al., IEEE/ACM Transactions on Networking 11(1), table II).
func Failures(seed uint64, nodes, successors, lookups int, fraction float64) Lookups {
	var l Lookups
	for ; lookups > 0; seed++ {
		w := New(seed, chord.Settings{Successors: successors, Period: 10000 * time.Hour, Tries: 1})
		w.Stable(nodes)
		for _, i := range w.Rand.Perm(nodes)[:int(fraction*float64(nodes))] {
			w.Fail(chord.Peer(i + 1))
		}
		members := w.Alive()
		// A node learns from its own look-ups which of its entries are dead, so each ring
		// is used for few.
		for range min(lookups, nodes/10) {
			w.lookup(members, true, &l)
			w.Run(w.Now + 10*time.Second)
			lookups--
		}
	}
	return l
}

// Churn looks a key up every second while nodes join and fail, both at rate a second, for as
// long as it is told (the same paper, table III).
func Churn(seed uint64, nodes, successors int, rate float64, lasts time.Duration) (Lookups, *World) {
	w := New(seed, chord.Settings{Successors: successors, Period: 30 * time.Second, Tries: 1})
	w.Delay = func(from, to chord.Peer) time.Duration {
		return time.Duration(w.Rand.ExpFloat64() * float64(50*time.Millisecond))
	}
	w.Settings.Timer.Min = 500 * time.Millisecond
	w.Stable(nodes)
	members := w.Alive()
	var l Lookups
	arrival := func() time.Duration { return time.Duration(w.Rand.ExpFloat64() / rate * float64(time.Second)) }
	look, join, fail := time.Second, arrival(), arrival()
	for w.Now < lasts {
		next := min(look, join, fail)
		w.Run(next)
		switch next {
		case look:
			w.lookup(members, false, &l)
			look += time.Duration(w.Rand.ExpFloat64() * float64(time.Second))
		case join:
			members = append(members, w.Join(w.RandomID(), members[w.Rand.IntN(len(members))]))
			join += arrival()
		case fail:
			i := w.Rand.IntN(len(members))
			w.Fail(members[i])
			members[i] = members[len(members)-1]
			members = members[:len(members)-1]
			fail += arrival()
		}
	}
	w.Run(w.Now + time.Minute)
	return l, w
}

// Load counts how many of the keys each node of a ring of nodes is the successor of, if each has
// several virtual nodes.
func Load(seed uint64, nodes, virtual, keys int) []int {
	rng := rand.New(rand.NewPCG(seed, 0))
	type point struct {
		at   uint64
		node int
	}
	ring := make([]point, 0, nodes*virtual)
	for i := range nodes * virtual {
		ring = append(ring, point{rng.Uint64(), i / virtual})
	}
	slices.SortFunc(ring, func(a, b point) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	load := make([]int, nodes)
	for range keys {
		i, _ := slices.BinarySearchFunc(ring, rng.Uint64(), func(p point, key uint64) int {
			if p.at < key {
				return -1
			}
			return 1
		})
		load[ring[i%len(ring)].node]++
	}
	return load
}

// WantPath is the path length that the papers and this library's own count have for a stable ring.
func WantPath(nodes int) float64 { return math.Log2(float64(nodes))/2 - 0.14 }
