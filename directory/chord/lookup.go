package chord

import (
	"slices"
	"time"
)

// alternatives is how many nodes a FIND is answered with: the best, and some for when it
// has failed.
const alternatives = 4

// maxCandidates bounds the nodes that a look-up keeps in mind, and maxSteps those that it asks:
// some ten times log2 N of a ring of a million nodes.
const (
	maxCandidates = 16
	maxSteps      = 200
)

// A Result is what a look-up found.
type Result struct {
	Key ID
	// Predecessor is the node before the key, and Successors are the nodes at and after
	// it, as that node has them. They are empty if the look-up failed.
	Predecessor Peer
	Successors  []Peer
	// Hops counts the nodes that answered, the predecessor included; 0 if the node that asks
	// is the predecessor. Timeouts counts the nodes that did not answer.
	Hops, Timeouts int
}

// then says what a look-up is for.
type then uint8

const (
	thenReport then = iota
	thenJoin
	thenMerge
	thenFinger
	thenTask
)

// A lookup finds the successor of a key, iteratively: it asks the node that is closest before
// the key, of those it has heard of, for closer ones.
type lookup struct {
	Result
	then
	bit        uint8
	task       *task
	report     func(Result)
	candidates []Peer // not asked, the closest to the key first
	asked      []Peer
	// fallback are successors of the key that the node best heard so far would be the
	// predecessor of, if all that is closer has failed.
	best     Peer
	fallback []Peer
	// edge is the node farthest from the key of those that best named: where they have
	// all failed, best is asked for nodes before it.
	edge Peer
}

func (l *lookup) inUse(f func(Peer)) {
	f(l.best)
	f(l.edge)
	for _, list := range [][]Peer{l.candidates, l.asked, l.fallback, l.Successors} {
		for _, p := range list {
			f(p)
		}
	}
}

// add keeps p in mind, unless it was asked before.
func (l *lookup) add(m *Machine, p Peer) {
	if p == 0 || p == m.self || slices.Contains(l.candidates, p) || slices.Contains(l.asked, p) {
		return
	}
	id := m.Names.ID(p)
	i := 0
	for i < len(l.candidates) && closer(l.Key, m.Names.ID(l.candidates[i]), id) {
		i++
	}
	l.candidates = slices.Insert(l.candidates, i, p)
	l.candidates = l.candidates[:min(len(l.candidates), maxCandidates)]
}

// Lookup finds the successors of a key and calls report with them, before it returns or in a
// later call of Handle or Tick.
func (m *Machine) Lookup(now time.Duration, key ID, report func(Result), out Out) {
	m.look(now, &lookup{Result: Result{Key: key}, report: report}, out)
}

// look begins a look-up with what the node itself knows.
func (m *Machine) look(now time.Duration, l *lookup, out Out) {
	if m.member() && upTo(m.id, l.Key, m.Names.ID(m.succ[0])) {
		l.Predecessor, l.Successors = m.self, slices.Clone(m.succ)
		m.found(now, l, out)
		return
	}
	if m.member() {
		for _, p := range m.closest(nil, l.Key) {
			l.name(m, p)
		}
		l.best, l.fallback = m.self, slices.Clone(m.behind(l.Key))
	} else { // a node may ask without being a member
		for _, p := range m.bootstrap {
			l.add(m, p)
		}
	}
	m.advance(now, l, out)
}

// advance asks the next node of a look-up, or ends it.
func (m *Machine) advance(now time.Duration, l *lookup, out Out) {
	ended := len(l.candidates) == 0 || len(l.asked) == maxSteps
	if len(l.fallback) > 0 && !ended { // nobody farther from the key can say more than best has
		ended = !closer(l.Key, m.Names.ID(l.candidates[0]), m.Names.ID(l.best))
	}
	if ended && l.edge != 0 && len(l.asked) < maxSteps {
		m.askBefore(now, l, out)
		return
	}
	if ended {
		l.Predecessor, l.Successors = l.best, l.fallback
		m.found(now, l, out)
		return
	}
	p := l.candidates[0]
	l.candidates = slices.Delete(l.candidates, 0, 1)
	l.asked = append(l.asked, p)
	m.call(now, call{to: p, kind: Find, purpose: forLookup, key: l.Key, lookup: l}, out)
}

// askBefore asks the best node again, or looks at what the node itself knows, for nodes that
// are not as close to the key as those that have failed.
func (m *Machine) askBefore(now time.Duration, l *lookup, out Out) {
	edge := m.Names.ID(l.edge)
	l.edge = 0
	if l.best != m.self {
		l.asked = append(l.asked, l.best) // so that there is an end to it
		m.call(now, call{to: l.best, kind: Find, purpose: forLookup, key: edge, lookup: l}, out)
		return
	}
	known := m.closest(nil, edge)
	for _, p := range known {
		l.name(m, p)
	}
	if len(known) < alternatives {
		l.edge = 0
	}
	m.advance(now, l, out)
}

// name takes a node that best named.
func (l *lookup) name(m *Machine, p Peer) {
	l.add(m, p)
	if l.edge == 0 || closer(l.Key, m.Names.ID(l.edge), m.Names.ID(p)) {
		l.edge = p
	}
}

// lookupAnswered takes a step. A node that claims a key which is not between it and its
// successor, or names nodes that are no closer than itself, is not believed.
func (m *Machine) lookupAnswered(now time.Duration, l *lookup, asked ID, from Peer, a *Message, out Out) {
	l.Hops++
	id := m.Names.ID(from)
	if a.Done && (len(a.Peers) == 0 || !l.credible(from, a.Peers[0])) {
		m.advance(now, l, out)
		return
	}
	if a.Done && upTo(id, l.Key, m.Names.ID(a.Peers[0])) {
		l.Predecessor, l.Successors = from, slices.Clone(a.Peers)
		m.found(now, l, out)
		return
	}
	if l.best == 0 || closer(l.Key, id, m.Names.ID(l.best)) {
		l.best, l.fallback, l.edge = from, nil, 0
	}
	named := 0
	for _, p := range a.Peers {
		switch pid := m.Names.ID(p); {
		case !between(id, pid, l.Key):
			if l.best == from {
				l.fallback = append(l.fallback, p)
			}
		case l.best == from && between(id, pid, asked):
			named++
			l.name(m, p)
		default:
			l.add(m, p)
		}
	}
	if l.best == from && named < alternatives { // it knows no more
		l.edge = 0
	}
	m.advance(now, l, out)
}

// credible reports whether a node may name succ as its successor. Only a node that is alone has
// itself as its successor, and then there is no other to have heard of.
func (l *lookup) credible(from, succ Peer) bool {
	return succ != from || len(l.candidates) == 0 && (l.best == 0 || l.best == from)
}

// found ends a look-up, with or without success.
func (m *Machine) found(now time.Duration, l *lookup, out Out) {
	ok := len(l.Successors) > 0
	switch {
	case l.then == thenReport:
		l.report(l.Result)
	case l.then == thenTask:
		m.taskFound(now, l.task, l.Successors, out)
	case !ok && l.then == thenFinger:
		m.bit++ // it is looked at again in the next pass
	case !ok:
	case l.then == thenJoin:
		m.joined(now, l, out)
	case l.then == thenMerge:
		m.merged(now, l, out)
	case l.then == thenFinger:
		m.fingerFound(now, int(l.bit), l.Successors[0], out)
	}
}
