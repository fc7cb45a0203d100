package chord

import "time"

// fixFinger looks at the next finger. One that answers, and whose predecessor does not belong
// between, is right: that costs one request where the papers' fix_fingers costs a look-up. A
// node that has just joined goes on at once until it has looked at all.
func (m *Machine) fixFinger(now time.Duration, out Out) {
	low := m.lowestBit()
	bit := max(int(m.bit), low)
	if bit >= Bits {
		m.warm = true
		bit = low
		if bit >= Bits {
			return
		}
	}
	m.bit = int16(bit)
	if p := m.finger(bit); p != 0 {
		m.call(now, call{to: p, kind: Neighbours, purpose: forFinger, bit: uint8(bit)}, out)
		return
	}
	m.lookupFinger(now, bit, out)
}

// fingerAnswered keeps a finger unless its predecessor would be a better one.
func (m *Machine) fingerAnswered(now time.Duration, c *call, a *Message, out Out) {
	begin := Start(m.id, int(c.bit))
	if a.Pred != 0 && (m.Names.ID(a.Pred) == begin || between(begin, m.Names.ID(a.Pred), m.Names.ID(c.to))) {
		m.lookupFinger(now, int(c.bit), out)
		return
	}
	m.fingerFound(now, int(c.bit), c.to, out)
}

// lookupFinger looks the finger up.
func (m *Machine) lookupFinger(now time.Duration, bit int, out Out) {
	if m.member() {
		m.look(now, &lookup{Result: Result{Key: Start(m.id, bit)}, then: thenFinger, bit: uint8(bit)}, out)
	}
}

func (m *Machine) fingerFound(now time.Duration, bit int, p Peer, out Out) {
	if !m.member() {
		return
	}
	m.bit = int16(m.setFinger(bit, p))
	if !m.warm {
		m.fixFinger(now, out)
	}
}
