package chord

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// Names says where the nodes that a [Machine] knows are on the circle.
type Names interface{ ID(Peer) ID }

// Settings are what the machines of a process share.
type Settings struct {
	Names Names
	// Random draws nonces and the times of stabilisation.
	Random rand.Source

	// Successors is the length of the successor list, r in the papers.
	Successors int
	// Period is the mean time between two stabilisations of a node, which are 0.5 to
	// 1.5 of it apart.
	Period time.Duration
	// Tries is how often a request is sent before the other node is taken to have failed.
	Tries int
	// Timer bounds the timers of requests.
	Timer rtt.Config
	// Eager has a node whose neighbours have changed stabilise again, and one that has not
	// joined try again, after an eighth of Period, so that a ring that grows is in order soon.
	Eager bool
	// FirstSuccessor has look-ups use only the first node of the successor list, and
	// not the others, as the analysis of the Chord papers does.
	FirstSuccessor bool
}

// Out takes a message that a machine sends. The message and its slices are the machine's
// again when the call returns.
type Out func(to Peer, m *Message)

// A Machine is one node of the ring without socket and clock: it is told what arrives and the
// time, and says what to send and when it wants to be asked again. Times are durations since
// a moment that the caller chooses. A Machine is not safe for concurrent use.
type Machine struct {
	*Settings
	routing

	bootstrap []Peer  // where to join, and to find the ring again
	lost      [4]Peer // successors that failed; a partition that heals brings them back
	lostNext  uint8

	token   uint64 // the first successor's, for NOTIFY
	calls   []call
	rtt     rtt.Estimator
	round   time.Duration // when to stabilise next
	rounds  uint32
	bit     int16   // the finger to look at next
	settled [2]Peer // the predecessor and successor when the last round was scheduled
	warm    bool    // every finger has been looked at since the node joined
	checked bool    // a request to the predecessor is under way
}

// NewMachine returns the machine of the node self. It is not a member of any ring: see
// [Machine.Create] and [Machine.Join].
func NewMachine(s *Settings, self Peer) *Machine {
	m := &Machine{Settings: s, round: never}
	m.self, m.id, m.names = self, s.Names.ID(self), s.Names
	m.rtt.Config = s.Timer
	return m
}

const never = time.Duration(1<<63 - 1)

// Create begins a new ring with this node as the only member.
func (m *Machine) Create(now time.Duration) {
	m.succ = append(m.succ[:0], m.self)
	m.pred = m.self
	m.schedule(now)
}

// Join begins to join the ring that one of the nodes in known is a member of. The machine goes on trying
// until it is a [Machine.Member].
func (m *Machine) Join(now time.Duration, known []Peer, out Out) {
	m.bootstrap = slices.Clone(known)
	m.rejoin(now, out)
}

// Restore makes the node a member with what it knows given, such as what it wrote down before it was stopped,
// or the state of a simulated ring. finger returns the first node at or after the node's own identifier + 2^bit.
func (m *Machine) Restore(now time.Duration, pred Peer, succ []Peer, finger func(bit int) Peer) {
	m.setSuccessors(m.Settings.Successors, succ[0], succ[1:])
	m.pred, m.warm = pred, true
	for bit := m.lowestBit(); bit < Bits; {
		bit = m.setFinger(bit, finger(bit))
	}
	m.schedule(now)
}

// Member reports whether the node is a member of a ring.
func (m *Machine) Member() bool { return m.member() }

// Predecessor is the node before this one as far as it knows, 0 if it knows none.
func (m *Machine) Predecessor() Peer { return m.pred }

// Successors is the successor list. It is the machine's, and changes with the next call.
func (m *Machine) Successors() []Peer { return m.succ }

// InUse calls f with every node that the machine refers to.
func (m *Machine) InUse(f func(Peer)) {
	f(m.self)
	f(m.pred)
	for _, list := range [][]Peer{m.succ, m.bootstrap, m.lost[:]} {
		for _, p := range list {
			f(p)
		}
	}
	for _, e := range m.fingers {
		f(e.peer)
	}
	for i := range m.calls {
		m.calls[i].inUse(f)
	}
}

// Handle takes a message that arrived from another node.
func (m *Machine) Handle(now time.Duration, from Peer, msg *Message, out Out) {
	switch {
	case msg.Kind.answer():
		m.answered(now, from, msg, out)
	case !m.member():
		// A node that has not joined has nothing to say.
	case msg.Kind == Notify:
		m.notified(now, from, out)
	case msg.Kind == Neighbours:
		out(from, &Message{Kind: NeighboursAnswer, Nonce: msg.Nonce, Pred: m.pred, Peers: m.succ})
	case msg.Kind == Find:
		m.find(from, msg, out)
	}
}

// find answers a FIND: with the successor list if the key lies between this node and its first
// successor, and otherwise with nodes that are closer to it. Where the key lies further down the
// list, the successors behind it are added: they count if those before it have failed.
func (m *Machine) find(from Peer, msg *Message, out Out) {
	a := Message{Kind: FindAnswer, Nonce: msg.Nonce}
	if upTo(m.id, msg.Key, m.Names.ID(m.succ[0])) {
		a.Done, a.Peers = true, m.succ
	} else {
		var list [2 * alternatives]Peer
		a.Peers = m.closest(list[:0], msg.Key)
		a.Peers = append(a.Peers, m.behind(msg.Key)...)
	}
	out(from, &a)
}

// behind is the part of the successor list that lies at or after key.
func (m *Machine) behind(key ID) []Peer {
	for i, p := range m.succ {
		if upTo(m.id, key, m.Names.ID(p)) {
			return m.succ[i:]
		}
	}
	return nil
}

// closest appends the best nodes to go on with towards key.
func (m *Machine) closest(list []Peer, key ID) []Peer {
	n := len(m.succ)
	if m.FirstSuccessor {
		n = 1
	}
	return m.preceding(list, key, alternatives, n)
}

// NextDeadline returns the time of the next call of Tick. It changes with every call of the other methods.
func (m *Machine) NextDeadline() time.Duration {
	next := m.round
	for i := range m.calls {
		next = min(next, m.calls[i].deadline)
	}
	return next
}

// Tick does what is due: it sends requests again, gives up nodes that do not answer, and stabilises.
func (m *Machine) Tick(now time.Duration, out Out) {
	for i := 0; i < len(m.calls); {
		if m.calls[i].deadline > now {
			i++
			continue
		}
		m.timedOut(now, i, out)
		i = 0 // the calls may be others now
	}
	if now >= m.round {
		m.schedule(now)
		if m.member() {
			m.maintain(now, out)
		} else {
			m.rejoin(now, out)
		}
	}
}

// schedule sets the time of the next stabilisation.
func (m *Machine) schedule(now time.Duration) {
	period := m.Period
	if neighbours := [2]Peer{m.pred, m.first()}; m.Eager && (neighbours != m.settled || !m.member()) {
		m.settled = neighbours
		period /= 8
	}
	m.round = now + period/2 + time.Duration(m.Random.Uint64()%uint64(period))
}
