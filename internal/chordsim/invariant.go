package chordsim

import (
	"fmt"
	"sort"

	"github.com/ferrygo/ferry/directory/chord"
)

// A view is the ring as somebody sees it who sees everything: its members in the order of
// their identifiers, and the best successor of each, the first that is alive.
type view struct {
	w       *World
	members []chord.Peer
	place   map[chord.Peer]int // in members
}

func (w *World) view() *view {
	v := &view{w: w, members: w.Alive(), place: make(map[chord.Peer]int)}
	for i, p := range v.members {
		v.place[p] = i
	}
	return v
}

// best is the first successor of p that is alive, 0 if there is none.
func (v *view) best(p chord.Peer) chord.Peer {
	for _, s := range v.w.Node(p).Successors() {
		if _, ok := v.place[s]; ok {
			return s
		}
	}
	return 0
}

// Invariant checks P. Zave's inductive invariant (arXiv 1610.01140, section 5): every member
// has a successor that is alive, and there are at least r+1 principals, members that no
// successor list skips. It also checks what follows from it: there is one ring, it is
// ordered, and every member leads to it. A ring of fewer than r+1 members is not checked for
// principals: nothing is promised of it.
func (w *World) Invariant() error {
	v := w.view()
	for _, p := range v.members {
		if v.best(p) == 0 {
			return fmt.Errorf("node %d has no successor that is alive", p)
		}
	}
	if r := w.Settings.Successors; len(v.members) > r {
		if n := len(v.principals()); n < r+1 {
			return fmt.Errorf("%d principals of %d members, fewer than r+1 = %d", n, len(v.members), r+1)
		}
	}
	return v.oneRing()
}

// oneRing checks that the best successors lead from every member to one ring, which goes
// round the circle once.
func (v *view) oneRing() error {
	if len(v.members) == 0 {
		return nil
	}
	on := v.ring(v.members[0])
	for _, p := range v.members {
		if other := v.ring(p); !on[p] && !sameRing(on, other) {
			return fmt.Errorf("nodes %d and %d lead to different rings", v.members[0], p)
		}
	}
	turns := 0
	for p := range on {
		if v.place[v.best(p)] <= v.place[p] {
			turns++
		}
	}
	if turns != 1 {
		return fmt.Errorf("the ring of %d members goes round the circle %d times", len(on), turns)
	}
	return nil
}

// ring returns the members of the ring that p leads to.
func (v *view) ring(p chord.Peer) map[chord.Peer]bool {
	for range v.members {
		p = v.best(p)
	}
	on := make(map[chord.Peer]bool)
	for !on[p] {
		on[p] = true
		p = v.best(p)
	}
	return on
}

func sameRing(a, b map[chord.Peer]bool) bool {
	for p := range b {
		return a[p]
	}
	return false
}

// principals returns the members that are between no two neighbours of a node's own
// identifier and its successor list.
func (v *view) principals() []chord.Peer {
	skips := make([]int, len(v.members)+1) // differences of how many lists skip a member
	for _, p := range v.members {
		from := v.w.ID(p)
		for _, s := range v.w.Node(p).Successors() {
			v.skip(skips, from, v.w.ID(s))
			from = v.w.ID(s)
		}
	}
	var list []chord.Peer
	n := 0
	for i, p := range v.members {
		if n += skips[i]; n == 0 {
			list = append(list, p)
		}
	}
	return list
}

// skip counts the members between a and b, clockwise.
func (v *view) skip(skips []int, a, b chord.ID) {
	count := func(first, last int) {
		if first < last {
			skips[first]++
			skips[last]--
		}
	}
	if first, last := v.after(a), v.from(b); chord.Compare(a, b) < 0 {
		count(first, last)
	} else { // over the top of the circle
		count(first, len(v.members))
		count(0, last)
	}
}

// after is the place of the first member after a, and from that of the first at or after b.
func (v *view) after(a chord.ID) int {
	return sort.Search(len(v.members), func(i int) bool { return chord.Compare(v.w.ID(v.members[i]), a) > 0 })
}

func (v *view) from(b chord.ID) int {
	return sort.Search(len(v.members), func(i int) bool { return chord.Compare(v.w.ID(v.members[i]), b) >= 0 })
}

// MayFail reports whether the failure of p is one that Chord is made for: it leaves every
// member a successor that is alive, and r+1 principals.
func (w *World) MayFail(p chord.Peer) bool {
	m := w.nodes[p-1]
	if m == nil {
		return false
	}
	w.nodes[p-1] = nil
	err := w.Invariant()
	w.nodes[p-1] = m
	return err == nil && len(w.Alive()) > w.Settings.Successors+1
}
