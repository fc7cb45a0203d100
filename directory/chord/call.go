package chord

import (
	"slices"
	"time"
)

// A purpose says what an answer is for.
type purpose uint8

const (
	forStabilise purpose = iota // the first successor's neighbours
	forCandidate                // those of a node that may be a closer successor
	forRectify                  // does the predecessor still answer?
	forFinger                   // does a finger still answer, and is there a closer one?
	forLookup                   // a step of a look-up
	forTask                     // a step of a publication or of finding holders
)

// A call is a request that waits for its answer.
type call struct {
	nonce    uint64
	to       Peer
	kind     Kind
	purpose  purpose
	tries    uint8
	bit      uint8         // forFinger
	other    Peer          // forRectify: the node that would be the predecessor
	sent     time.Duration // first
	deadline time.Duration
	key      ID // forLookup
	lookup   *lookup
	task     *task
}

func (c *call) inUse(f func(Peer)) {
	f(c.to)
	f(c.other)
	if c.lookup != nil {
		c.lookup.inUse(f)
	}
	if c.task != nil {
		c.task.inUse(f)
	}
}

// maxTimeout is the longest time before a request is sent again.
const maxTimeout = 2 * time.Second

// call sends a request. Nothing may be asked of the node itself.
func (m *Machine) call(now time.Duration, c call, out Out) {
	c.nonce = m.Random.Uint64()
	c.sent = now
	m.calls = append(m.calls, c)
	m.send(now, &m.calls[len(m.calls)-1], out)
}

// send sends a request, for the first time or again.
func (m *Machine) send(now time.Duration, c *call, out Out) {
	c.tries++
	c.deadline = now + min(m.rtt.RTO()<<(c.tries-1), maxTimeout)
	msg := Message{Kind: c.kind, Nonce: c.nonce}
	switch c.purpose {
	case forLookup:
		msg.Key = c.key
	case forTask:
		c.task.request(&msg, c.to)
	}
	out(c.to, &msg)
}

// timedOut sends the call at i again, or takes its node to have failed.
func (m *Machine) timedOut(now time.Duration, i int, out Out) {
	if c := &m.calls[i]; int(c.tries) < m.Tries {
		m.send(now, c, out)
		return
	}
	c := m.calls[i]
	m.calls = slices.Delete(m.calls, i, i+1)
	if len(m.succ) > 0 && c.to == m.succ[0] {
		m.remember(c.to)
	}
	m.remove(c.to)
	m.failed(now, &c, out)
}

// failed goes on without the answer to a call.
func (m *Machine) failed(now time.Duration, c *call, out Out) {
	switch c.purpose {
	case forStabilise:
		m.stabilise(now, out) // with the next successor
	case forCandidate:
		m.notify(out)
	case forRectify:
		m.checked = false
		if m.pred == c.to {
			m.pred = c.other
		}
	case forFinger:
		m.lookupFinger(now, int(c.bit), out)
	case forLookup:
		c.lookup.Timeouts++
		m.advance(now, c.lookup, out)
	case forTask:
		m.taskFailed(now, c.task, c.to, out)
	}
	if len(m.succ) == 0 && m.pred != 0 {
		m.orphaned(now, out)
	}
}

// answered takes an answer, if there is a request that it belongs to.
func (m *Machine) answered(now time.Duration, from Peer, msg *Message, out Out) {
	i := slices.IndexFunc(m.calls, func(c call) bool {
		return c.nonce == msg.Nonce && c.to == from && c.kind+1 == msg.Kind
	})
	if i < 0 {
		return
	}
	c := m.calls[i]
	m.calls = slices.Delete(m.calls, i, i+1)
	if c.tries == 1 { // Karn: a request that was sent again measures nothing (RFC 6298, section 3)
		m.rtt.Sample(now - c.sent)
	}
	switch c.purpose {
	case forStabilise:
		m.stabilised(now, from, msg, out)
	case forCandidate:
		m.candidateAnswered(from, msg, out)
	case forRectify:
		m.checked = false
	case forFinger:
		m.fingerAnswered(now, &c, msg, out)
	case forLookup:
		m.lookupAnswered(now, c.lookup, c.key, from, msg, out)
	case forTask:
		m.taskAnswered(now, c.task, from, msg, out)
	}
}
