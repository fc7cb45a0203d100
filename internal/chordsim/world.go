// Package chordsim runs many nodes of [chord] in virtual time, as message structs through a
// calendar queue: the same code that runs over sockets, without the sockets.
package chordsim

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ferrygo/ferry/directory/chord"
	"github.com/ferrygo/ferry/internal/calendar"
)

// A World is a network of nodes. Peer p is node p-1. Set the fields before the first node is added.
type World struct {
	Settings chord.Settings
	// Delay is the one-way delay between two nodes. Nil means 1 ns.
	Delay func(from, to chord.Peer) time.Duration
	// Lost decides whether a message is lost. Nil loses none.
	Lost func(from, to chord.Peer) bool
	// After is called after every event.
	After func(node chord.Peer)

	Rand     *rand.Rand
	Now      time.Duration
	Messages int // delivered to nodes that were alive

	ids     []chord.ID
	nodes   []*chord.Machine // nil for a node that has failed
	queue   calendar.Queue[int32]
	wakes   []time.Duration // the earliest wake-up that is queued, for each node
	slots   []slot
	free    []int32
	current slot
	trace   uint64
}

// wake is the value of an event that is not a message.
const wake = -1

// A slot holds a message on its way.
type slot struct {
	chord.Message
	peers [32]chord.Peer // the message's Peers, n of them
	n     int
}

// New returns an empty world. The same seed gives the same run.
func New(seed uint64, s chord.Settings) *World {
	w := &World{Settings: s, Rand: rand.New(rand.NewPCG(seed, 0))}
	w.Settings.Names, w.Settings.Random = w, w.Rand
	return w
}

// ID implements [chord.Names].
func (w *World) ID(p chord.Peer) chord.ID { return w.ids[p-1] }

// Node returns the machine of a node, nil if it has failed.
func (w *World) Node(p chord.Peer) *chord.Machine { return w.nodes[p-1] }

// Size is the number of nodes that were ever added.
func (w *World) Size() int { return len(w.nodes) }

// RandomID draws an identifier.
func (w *World) RandomID() (id chord.ID) {
	for i := 0; i < len(id); i += 4 {
		binary.BigEndian.PutUint32(id[i:], w.Rand.Uint32())
	}
	return id
}

// Add adds a node that is in no ring.
func (w *World) Add(id chord.ID) chord.Peer {
	w.ids = append(w.ids, id)
	p := chord.Peer(len(w.ids))
	w.nodes = append(w.nodes, chord.NewMachine(&w.Settings, p))
	w.wakes = append(w.wakes, never)
	return p
}

const never = time.Duration(1<<63 - 1)

// Create begins a ring with a new node.
func (w *World) Create(id chord.ID) chord.Peer {
	p := w.Add(id)
	w.Do(p, func(m *chord.Machine, _ chord.Out) { m.Create(w.Now) })
	return p
}

// Join has a new node join through known.
func (w *World) Join(id chord.ID, known ...chord.Peer) chord.Peer {
	p := w.Add(id)
	w.Do(p, func(m *chord.Machine, out chord.Out) { m.Join(w.Now, known, out) })
	return p
}

// Fail stops a node without a word.
func (w *World) Fail(p chord.Peer) { w.nodes[p-1] = nil }

// Stable adds n nodes with random identifiers that form a ring in which every entry is right.
func (w *World) Stable(n int) {
	first := len(w.ids)
	ids := make([]chord.ID, n)
	for i := range ids {
		ids[i] = w.RandomID()
	}
	slices.SortFunc(ids, func(a, b chord.ID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		w.Add(id)
	}
	peer := func(i int) chord.Peer { return chord.Peer(first + i%n + 1) }
	for i, id := range ids {
		var succ []chord.Peer
		for j := range min(w.Settings.Successors, n-1) {
			succ = append(succ, peer(i+1+j))
		}
		w.Do(peer(i), func(m *chord.Machine, _ chord.Out) {
			m.Restore(w.Now, peer(i+n-1), succ, func(bit int) chord.Peer {
				j, _ := slices.BinarySearchFunc(ids, chord.Start(id, bit), func(a, b chord.ID) int { return bytes.Compare(a[:], b[:]) })
				return peer(j)
			})
		})
	}
}

// Do calls f with a node that is alive, and sends what it says.
func (w *World) Do(p chord.Peer, f func(m *chord.Machine, out chord.Out)) {
	m := w.nodes[p-1]
	f(m, func(to chord.Peer, msg *chord.Message) { w.send(p, to, msg) })
	if next := m.NextDeadline(); next < w.wakes[p-1] {
		w.wakes[p-1] = next
		w.queue.Push(next, uint32(p), 0, wake)
	}
	if w.After != nil {
		w.After(p)
	}
}

// send puts a copy of the message on its way.
func (w *World) send(from, to chord.Peer, msg *chord.Message) {
	if w.Lost != nil && w.Lost(from, to) {
		return
	}
	delay := time.Duration(1)
	if w.Delay != nil {
		delay = max(1, w.Delay(from, to))
	}
	i := int32(len(w.slots))
	if last := len(w.free) - 1; last >= 0 {
		i, w.free = w.free[last], w.free[:last]
	} else {
		w.slots = append(w.slots, slot{})
	}
	s := &w.slots[i]
	s.Message = *msg
	s.Peers = nil
	s.n = copy(s.peers[:], msg.Peers)
	w.queue.Push(w.Now+delay, uint32(to), uint32(from), i)
}

// Run lets time pass until the end, or until nothing is left to happen.
func (w *World) Run(end time.Duration) {
	for {
		e, ok := w.queue.Pop()
		if !ok {
			break
		}
		if e.At > end {
			w.queue.Push(e.At, e.To, e.From, e.Value)
			break
		}
		w.Now = e.At
		w.handle(chord.Peer(e.To), chord.Peer(e.From), e.Value)
	}
	w.Now = max(w.Now, end)
}

func (w *World) handle(to, from chord.Peer, value int32) {
	if value == wake {
		if w.wakes[to-1] != w.Now {
			return // an earlier one was queued after it
		}
		w.wakes[to-1] = never
		if w.nodes[to-1] != nil {
			w.Do(to, func(m *chord.Machine, out chord.Out) { m.Tick(w.Now, out) })
		}
		return
	}
	if w.nodes[to-1] != nil {
		w.Messages++
		w.current = w.slots[value] // a copy: what is sent in answer may move the slots
		msg := &w.current.Message
		msg.Peers = w.current.peers[:w.current.n]
		w.free = append(w.free, value)
		w.note(to, from, msg)
		w.Do(to, func(m *chord.Machine, out chord.Out) { m.Handle(w.Now, from, msg, out) })
		return
	}
	w.free = append(w.free, value)
}

// note makes the event part of the trace.
func (w *World) note(to, from chord.Peer, msg *chord.Message) {
	w.trace = mix(mix(mix(w.trace, uint64(w.Now)), uint64(to)<<32|uint64(from)), msg.Nonce^uint64(msg.Kind))
}

func mix(h, v uint64) uint64 {
	h ^= v + 0x9e3779b97f4a7c15 + h<<6 + h>>2
	return h * 0xff51afd7ed558ccd
}

// Trace is a digest of every message that was delivered, with its time.
func (w *World) Trace() uint64 { return w.trace }

// Alive returns the nodes that have not failed and are members, in the order of their identifiers.
func (w *World) Alive() []chord.Peer {
	var list []chord.Peer
	for i, m := range w.nodes {
		if m != nil && m.Member() {
			list = append(list, chord.Peer(i+1))
		}
	}
	slices.SortFunc(list, func(a, b chord.Peer) int {
		x, y := w.ID(a), w.ID(b)
		return bytes.Compare(x[:], y[:])
	})
	return list
}
