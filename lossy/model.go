package lossy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Model is one kind of impairment: it decides about each packet whether it
// is dropped, delayed, duplicated or corrupted. Loss, Delay, Rate and the other
// functions of this package make them; they are values without state, and
// one may be given to any number of conns and networks.
//
// Given as an [Option] it applies to what a wrapped conn writes, or to every
// link of a [Network]. Models are applied in the order given: a packet that
// one drops is not seen by the next, and delays add up. Each judges at the
// moment the packet is sent, whatever delay another has given it.
//
// The state of a model (a queue, a counter) belongs to one flow, that is to
// one direction between two addresses, unless [Shared] says otherwise.
type Model interface {
	Option

	// appendParts flattens the model into the parts it is composed of.
	appendParts(parts []*part) []*part
}

// A judge decides about one packet. It has the state of one flow, or of all
// flows if its part is shared, and is called by one goroutine at a time.
type judge func(p *passage) verdict

// A passage is a packet on its way through the models.
type passage struct {
	Packet
	at    time.Duration // when the packet was sent, since the clock's start
	delay time.Duration // by the models so far
	rng   rand.PCG      // this packet's own random numbers

	holders []holder // that it has met, in their order

	altered []byte // the payload once a bit has been flipped
	own     bool   // altered is not shared with the packet or another copy
	scratch []byte // where altered payloads are, until the next packet
}

// A holder is the state of a model in which packets wait for each other.
type holder interface {
	// undo restores the state before the packet that was judged last.
	undo()
}

// undo undoes what the models so far did for the packet.
func (p *passage) undo() {
	for _, h := range slices.Backward(p.holders) {
		h.undo()
	}
	p.holders = p.holders[:0]
}

// flip inverts one bit of the payload, in a copy of it.
func (p *passage) flip(bit int) {
	if !p.own {
		start := len(p.scratch)
		p.scratch = append(p.scratch, p.Payload...)
		p.altered = p.scratch[start:len(p.scratch):len(p.scratch)]
		p.Payload, p.own = p.altered, true
	}
	p.altered[bit/8] ^= 0x80 >> (bit % 8)
}

// uniform returns a random number in [0, 1).
func (p *passage) uniform() float64 {
	return float64(p.rng.Uint64()>>11) / (1 << 53)
}

// A verdict is what one model says about one packet. The zero verdict lets
// it pass.
type verdict struct {
	cause  Cause         // not empty: dropped
	delay  time.Duration // in addition to that of the other models
	copies int           // besides the packet itself
	skip   int           // of the judges that follow, how many are passed by
}

// A part is a model that is not composed of others.
type part struct {
	newJudge func() judge
	shared   bool

	timeless bool // it does not look at the time, and never delays

	least time.Duration // the minimum delay of every packet
	eager bool          // it may skip others, or call a function of the user's, and so must judge at once

	// correlated is newJudge for decisions that are correlated with the
	// ones before. It is nil where nothing is random.
	correlated func(r float64) func() judge

	inner int // how many of the parts that follow are the models inside this one
}

func (m *part) apply(c *config) { c.egress = m.appendParts(c.egress) }

func (m *part) appendParts(parts []*part) []*part { return append(parts, m) }

// stateless makes a model of a judge that remembers nothing.
func stateless(j judge) Model {
	return &part{newJudge: func() judge { return j }}
}

// stateful makes a model that has a judge for each flow.
func stateful(newJudge func() judge) Model {
	return &part{newJudge: newJudge}
}

// composed is several models as one.
type composed []*part

func (m composed) apply(c *config) { c.egress = m.appendParts(c.egress) }

func (m composed) appendParts(parts []*part) []*part { return append(parts, m...) }

// Compose makes one model of several, applied in order.
func Compose(models ...Model) Model {
	return composed(flatten("Compose", models))
}

// Shared makes a model keep one state for all packets that pass it, whatever
// their flow and direction: Shared(Rate(1e6, 50)) is one uplink that all the
// receivers behind it share. Each call of Shared makes a separate state in
// each Network and each wrapped conn; use the same Model for both directions
// of a wrapped conn to let them share it.
func Shared(m Model) Model {
	var shared composed
	for _, p := range flatten("Shared", []Model{m}) {
		s := *p
		s.shared = true
		shared = append(shared, &s)
	}
	return shared
}

// flatten returns the parts of all models. It panics if one of them is nil,
// naming the function that was called with it.
func flatten(name string, models []Model) []*part {
	var parts []*part
	for _, m := range models {
		if m == nil {
			panic("lossy: " + name + ": a Model is nil")
		}
		parts = m.appendParts(parts)
	}
	return parts
}

// checkProbability panics unless p is a probability. option is what the user
// wrote, such as "Loss".
func checkProbability(option string, p float64) {
	if !(p >= 0 && p <= 1) { // NaN is neither
		panic(fmt.Sprintf("lossy: %s: probability %v is not within 0 and 1", option, p))
	}
}

// checkDuration panics if d is negative.
func checkDuration(option, name string, d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("lossy: %s: %s %v is negative", option, name, d))
	}
}
