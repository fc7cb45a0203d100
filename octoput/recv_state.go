package octoput

// A recvState decides what a receiver does with the octolegs of one file: where each
// belongs, which ones it has, and which to acknowledge. It reads no socket and no clock.
//
// "These octolegs can be sent at any time, and in any order" (CPSC 441 assignment 2,
// "Technical Requirements", paragraph 3).
type recvState struct {
	plan  plan
	block Block // the octoblock that is due; beyond the last one its number alone is set
	held  Legs  // of it
	buf   []byte

	// rough says that this octoblock does not come as it would without losses, each
	// octoleg once and in order; wasRough that the one before did not, or not only
	// once.
	rough, wasRough bool
}

// reset begins with the first octoblock.
func (t *recvState) reset(size int64) {
	*t = recvState{plan: plan(size), buf: make([]byte, max(LegsPerBlock, min(size, BlockSize)))}
	t.enter(1)
}

// enter makes octoblock n the one that is due.
func (t *recvState) enter(n uint64) {
	t.block = Block{Number: n}
	if n <= t.plan.count() {
		t.block = t.plan.block(n)
	}
	t.held = 0
	t.wasRough, t.rough = t.rough, false
}

// all reports whether all octoblocks were taken.
func (t *recvState) all() bool { return t.block.Number > t.plan.count() }

// A verdict is what to do with an octoleg.
type verdict int

const (
	ignore verdict = iota // no answer
	keep                  // call put
	repeat                // known: acknowledge it again, and write nothing
)

// judge says what to do with a LEG. The error says why it is ignored.
func (t *recvState) judge(p Packet) (verdict, error) {
	if p.Block > t.plan.count() || p.Block > t.block.Number {
		return ignore, ErrBlock
	}
	if len(p.Payload) != t.plan.block(p.Block).LegSize {
		return ignore, ErrLength
	}
	if p.Block < t.block.Number || t.held&p.Flags != 0 {
		t.rough = true
		return repeat, nil
	}
	return keep, nil
}

// put puts an octoleg that judge said to keep into its place. It reports whether
// the octoblock is whole now: then the caller takes data, and calls forward.
func (t *recvState) put(p Packet) (whole bool) {
	copy(t.buf[p.Flags.index()*t.block.LegSize:], p.Payload)
	t.held |= p.Flags
	t.rough = t.rough || t.held.gap()
	return t.held == AllLegs
}

// data is the octoblock without the blanks, which are removed by their number and never
// by what they look like (CPSC 441 assignment 2, "Technical Requirements", paragraph
// 4). It is overwritten by the next put.
func (t *recvState) data() []byte { return t.buf[:t.block.Data()] }

// forward goes on to the next octoblock.
func (t *recvState) forward() { t.enter(t.block.Number + 1) }

// owes reports whether an acknowledgement of the part that is held helps the sender:
// something is missing before what arrived, as when the octoleg that is sent last is
// there and others are not; or something arrived twice. While octolegs come as they
// were sent, the acknowledgement of the whole is enough.
func (t *recvState) owes() bool { return t.rough }

// copies is how many times to say an acknowledgement. Where octolegs are lost so
// are acknowledgements, and each of them costs a round trip. Once is enough elsewhere.
func (t *recvState) copies() int {
	if t.rough || t.wasRough {
		return 2
	}
	return 1
}
