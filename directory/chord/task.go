package chord

import (
	"net/netip"
	"slices"
	"time"
)

// maxAsked bounds the nodes that are asked for holders at the same time.
const maxAsked = 3

// A task publishes a key at its successors, or asks them for its holders.
type task struct {
	key              ID
	put              bool
	remove           bool   // put: withdraw
	port             uint16 // put: where the file is, at the address that the PUT comes from
	nodes            []Peer // not asked yet
	tokens           map[Peer]uint64
	calls            int // under way
	stored, answered int // the nodes that accepted a put, and those that answered anything
	holders          func([]netip.AddrPort)
	done             func(stored, answered int)
	over             bool
}

func (t *task) inUse(f func(Peer)) {
	for _, p := range t.nodes {
		f(p)
	}
	for p := range t.tokens {
		f(p)
	}
}

// Locate looks for the holders of a key. It calls holders with those that a node knows,
// as the answers come, and then done with the number of nodes that answered.
func (m *Machine) Locate(now time.Duration, key ID, holders func([]netip.AddrPort), done func(answered int), out Out) {
	m.begin(now, &task{key: key, holders: holders, done: func(_, answered int) { done(answered) }}, out)
}

// Publish registers this host as a holder of key, with a server at port, at the key's
// successors, or withdraws it. It calls done with the numbers of nodes that accepted and that answered.
func (m *Machine) Publish(now time.Duration, key ID, port uint16, remove bool, done func(stored, answered int), out Out) {
	m.begin(now, &task{key: key, put: true, port: port, remove: remove, done: done, tokens: make(map[Peer]uint64)}, out)
}

func (m *Machine) begin(now time.Duration, t *task, out Out) {
	m.look(now, &lookup{Result: Result{Key: t.key}, then: thenTask, task: t}, out)
}

// taskFound begins to ask the successors of the key.
func (m *Machine) taskFound(now time.Duration, t *task, nodes []Peer, out Out) {
	t.nodes = slices.Clone(nodes)
	m.work(now, t, out)
}

// work asks further nodes, and ends the task when there are none.
func (m *Machine) work(now time.Duration, t *task, out Out) {
	for t.calls < maxAsked && len(t.nodes) > 0 {
		p := t.nodes[0]
		t.nodes = t.nodes[1:]
		t.calls++
		m.call(now, call{to: p, kind: Get, purpose: forTask, task: t}, out)
	}
	if t.calls == 0 && !t.over {
		t.over = true
		t.done(t.stored, t.answered)
	}
}

// request fills in a request of the task.
func (t *task) request(msg *Message, to Peer) {
	msg.Key = t.key
	if msg.Kind == Put {
		msg.Token, msg.Remove = t.tokens[to], t.remove
		msg.Holders = []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, t.port)}
	}
}

func (m *Machine) taskAnswered(now time.Duration, t *task, from Peer, a *Message, out Out) {
	t.calls--
	if a.Kind == GetAnswer {
		t.answered++
	}
	switch {
	case a.Kind == PutAnswer && a.Done:
		t.stored++
	case a.Kind == GetAnswer && t.put:
		t.tokens[from] = a.Token
		t.calls++
		m.call(now, call{to: from, kind: Put, purpose: forTask, task: t}, out)
	case a.Kind == GetAnswer && len(a.Holders) > 0:
		t.holders(a.Holders)
	}
	m.work(now, t, out)
}

func (m *Machine) taskFailed(now time.Duration, t *task, _ Peer, out Out) {
	t.calls--
	m.work(now, t, out)
}
