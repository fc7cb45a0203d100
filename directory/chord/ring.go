package chord

import "time"

// This file keeps the ring together. The operations and their order are those that P. Zave proved
// correct ("Reasoning about identifier spaces: how to make Chord correct", arXiv 1610.01140,
// section 4); those of the Chord papers are not.

// rejoin looks for the node's place in a ring.
func (m *Machine) rejoin(now time.Duration, out Out) {
	if m.round == never || now >= m.round {
		m.schedule(now)
	}
	l := &lookup{Result: Result{Key: m.id}, then: thenJoin}
	for _, p := range m.bootstrap {
		l.add(m, p)
	}
	for _, p := range m.lost {
		l.add(m, p)
	}
	for _, f := range m.fingers {
		l.add(m, f.peer)
	}
	m.advance(now, l, out)
}

// joined makes the node a member: it takes over the successor list of the node that precedes it
// there ("join", which takes the list at once, where the papers' node waits for its first
// stabilisation).
func (m *Machine) joined(now time.Duration, l *lookup, out Out) {
	if m.member() {
		return
	}
	rest := l.Successors
	if rest[0] == m.self { // the ring still remembers this node
		rest = rest[1:]
	}
	if len(rest) == 0 {
		rest = []Peer{l.Predecessor}
	}
	m.setSuccessors(m.Settings.Successors, rest[0], rest[1:])
	m.pred = l.Predecessor
	m.bit, m.warm = 0, false
	m.stabilise(now, out)
	m.fixFinger(now, out)
}

// orphaned handles the failure of all successors at once, more than the list can bear. The node
// joins again through the nodes that it remembers. If it remembers none, it begins a ring.
func (m *Machine) orphaned(now time.Duration, out Out) {
	m.remember(m.pred)
	m.pred = 0
	if len(m.bootstrap) == 0 && len(m.fingers) == 0 && m.lost == ([len(m.lost)]Peer{}) {
		m.Create(now)
		return
	}
	m.rejoin(now, out)
}

// remember keeps a node in mind that may know another part of the ring.
func (m *Machine) remember(p Peer) {
	if p != m.self {
		m.lost[m.lostNext] = p
		m.lostNext = (m.lostNext + 1) % uint8(len(m.lost))
	}
}

// maintain is one round of maintenance: the successors, one finger, and from time to time
// a look whether there is another part of the ring.
func (m *Machine) maintain(now time.Duration, out Out) {
	m.rounds++
	m.stabilise(now, out)
	if m.member() {
		m.fixFinger(now, out)
	}
	if m.rounds%mergeRounds == 0 {
		m.merge(now, out)
	}
}

// mergeRounds is how many rounds there are between two looks for another part of the ring.
const mergeRounds = 4

// stabilise asks the first successor for its neighbours ("stabilizeFromSuccessor").
func (m *Machine) stabilise(now time.Duration, out Out) {
	switch {
	case !m.member():
	case m.succ[0] != m.self:
		m.call(now, call{to: m.succ[0], kind: Neighbours, purpose: forStabilise}, out)
	case m.pred != m.self && m.pred != 0:
		m.call(now, call{to: m.pred, kind: Neighbours, purpose: forCandidate}, out)
	}
}

// stabilised takes over the first successor's list, behind the successor itself, and looks
// at its predecessor, which may be a closer successor.
func (m *Machine) stabilised(now time.Duration, from Peer, a *Message, out Out) {
	if !m.member() || m.succ[0] != from {
		return
	}
	m.setSuccessors(m.Settings.Successors, from, a.Peers)
	m.token = a.Token
	if a.Pred != 0 && between(m.id, m.Names.ID(a.Pred), m.Names.ID(from)) {
		m.call(now, call{to: a.Pred, kind: Neighbours, purpose: forCandidate}, out)
		return
	}
	m.notify(out)
}

// candidateAnswered makes a node that answers the first successor, if it is closer
// ("stabilizeFromPredecessor": only a node that is alive is taken).
func (m *Machine) candidateAnswered(from Peer, a *Message, out Out) {
	if m.member() && between(m.id, m.Names.ID(from), m.Names.ID(m.succ[0])) {
		m.setSuccessors(m.Settings.Successors, from, a.Peers)
		m.token = a.Token
	}
	m.notify(out)
}

// notify tells the first successor that this node may be its predecessor.
func (m *Machine) notify(out Out) {
	if m.member() && m.succ[0] != m.self {
		out(m.succ[0], &Message{Kind: Notify, Token: m.token})
	}
}

// notified takes a node for the predecessor if it is closer, or if the present one does not
// answer any more ("rectify").
func (m *Machine) notified(now time.Duration, from Peer, out Out) {
	switch {
	case from == m.pred || from == m.self:
	case m.pred == 0 || m.pred == m.self || between(m.Names.ID(m.pred), m.Names.ID(from), m.id):
		m.pred = from
	case !m.checked:
		m.checked = true
		m.call(now, call{to: m.pred, kind: Neighbours, purpose: forRectify, other: from}, out)
	}
}

// merge looks for the node's own place, beginning at a node that is not known to be in this
// ring: one that was given to Join, or a successor that failed. After a partition that node knows the
// other part. Neither paper has this.
func (m *Machine) merge(now time.Duration, out Out) {
	known := append(append([]Peer(nil), m.bootstrap...), m.lost[:]...)
	if len(known) == 0 {
		return
	}
	p := known[int(m.rounds/mergeRounds)%len(known)]
	if p == 0 || p == m.self || p == m.succ[0] {
		return
	}
	l := &lookup{Result: Result{Key: m.id}, then: thenMerge}
	l.add(m, p)
	m.advance(now, l, out)
}

// merged tries the successor that another part of the ring has for this node.
func (m *Machine) merged(now time.Duration, l *lookup, out Out) {
	for _, p := range append([]Peer{l.Predecessor}, l.Successors...) {
		if m.member() && p != m.self && between(m.id, m.Names.ID(p), m.Names.ID(m.succ[0])) {
			m.call(now, call{to: p, kind: Neighbours, purpose: forCandidate}, out)
			return
		}
	}
}
