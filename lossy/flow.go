package lossy

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A flowKey is one direction between two addresses.
type flowKey struct {
	from, to netip.AddrPort
}

// A hop is one direction between two hosts.
type hop struct {
	from, to netip.Addr
}

// A flow is the state that belongs to one flowKey.
type flow struct {
	flowKey
	n       int      // packets so far
	stream  rand.PCG // seeds the random numbers of each packet
	parts   []*part  // the chain
	judges  []judge  // one for each part
	version int      // of the table that the chain is from
	addr    net.Addr // the result of udpAddr
	stats   Stats    // in a Network
}

// seedRand seeds the random numbers of one packet, so that every packet
// takes exactly two from the flow's stream, however many the models draw.
func (f *flow) seedRand(r *rand.PCG) {
	hi := f.stream.Uint64()
	r.Seed(hi, f.stream.Uint64())
}

// udpAddr returns the flow's destination as a net.Addr, which must not be changed.
func (f *flow) udpAddr() net.Addr {
	if f.addr == nil {
		f.addr = net.UDPAddrFromAddrPort(f.to)
	}
	return f.addr
}

// maxFlows bounds the flows remembered to between maxFlows and twice as many:
// a wrapped server may hear from any number of made-up addresses.
const maxFlows = 1 << 15

// A flowTable has the flows of one chain of models. A flow that is among the
// least recently used when there are too many is forgotten, and starts again.
type flowTable struct {
	parts   []*part
	links   map[hop][]*part // those that have a chain of their own
	version int             // counts the changes of parts and links

	shared map[*part]judge                 // by all tables of a wrapped conn
	seed   func(k flowKey) (hi, lo uint64) // of a new flow

	last  *flow
	young map[flowKey]*flow
	old   map[flowKey]*flow
}

// get returns the flow of k, a new one if need be.
func (t *flowTable) get(k flowKey) *flow {
	if t.last != nil && t.last.flowKey == k {
		return t.last
	}
	f := t.young[k]
	if f == nil {
		f = t.insert(k)
	}
	t.last = f
	return f
}

// insert puts the flow of k among the young ones, from the old ones if it is
// there.
func (t *flowTable) insert(k flowKey) *flow {
	f := t.old[k]
	if f == nil {
		f = t.newFlow(k)
	}
	if t.young == nil || len(t.young) >= maxFlows {
		t.old, t.young = t.young, make(map[flowKey]*flow)
	}
	t.young[k] = f
	return f
}

func (t *flowTable) newFlow(k flowKey) *flow {
	f := &flow{flowKey: k}
	f.stream.Seed(t.seed(k))
	t.prepare(f, t.partsOf(k))
	return f
}

// partsOf returns the chain that the packets of a flow pass now.
func (t *flowTable) partsOf(k flowKey) []*part {
	if len(t.links) > 0 {
		if parts, ok := t.links[hop{k.from.Addr(), k.to.Addr()}]; ok {
			return parts
		}
	}
	return t.parts
}

// least returns what every packet is delayed by at the least, or 0 if that
// cannot be told.
func (t *flowTable) least() time.Duration {
	least := leastOf(t.parts)
	for _, parts := range t.links {
		least = min(least, leastOf(parts))
	}
	return least
}

func leastOf(parts []*part) (sum time.Duration) {
	for _, p := range parts {
		if p.eager {
			return 0
		}
		sum = addDelay(sum, p.least)
	}
	return sum
}

// renew gives f the chain that it passes now, if that has changed. A chain of
// the same models goes on where it was.
func (t *flowTable) renew(f *flow) {
	if f.version == t.version {
		return
	}
	if parts := t.partsOf(f.flowKey); !slices.Equal(parts, f.parts) {
		t.prepare(f, parts)
	}
	f.version = t.version
}

// prepare makes f begin a chain.
func (t *flowTable) prepare(f *flow, parts []*part) {
	f.parts, f.judges, f.version = parts, nil, t.version
	for _, p := range parts {
		f.judges = append(f.judges, t.judgeOf(p))
	}
}

func (t *flowTable) judgeOf(p *part) judge {
	if !p.shared {
		return p.newJudge()
	}
	j := t.shared[p]
	if j == nil {
		j = p.newJudge()
		t.shared[p] = j
	}
	return j
}

// A hash is a running hash of 64-bit words, the same on every machine and in
// every run. Its steps are those of the generator SplitMix64 (Steele, Lea and
// Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), whose
// output function spreads every bit of the state over all bits of the result.
type hash uint64

func (h *hash) word(w uint64) uint64 {
	z := uint64(*h) ^ w
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	*h = hash(z)
	return z
}

func (h *hash) bytes(b []byte) {
	h.word(uint64(len(b)))
	for _, c := range b {
		h.word(uint64(c))
	}
}

func (h *hash) addrPort(a netip.AddrPort) {
	h.bytes(a.Addr().AsSlice())
	h.bytes([]byte(a.Addr().Zone()))
	h.word(uint64(a.Port()))
}

// seedByAddress gives every flow of a network a separate stream, which depends
// on the seed and the flow's addresses only.
func seedByAddress(seed uint64) func(flowKey) (hi, lo uint64) {
	return func(k flowKey) (hi, lo uint64) {
		var h hash
		h.word(seed)
		h.addrPort(k.from)
		h.addrPort(k.to)
		return h.word(0), h.word(1)
	}
}

// seedByOrder gives the flows of a wrapped conn streams by the order in which
// they appear, because the ports of real sockets change from run to run.
func seedByOrder(seed uint64, d Direction) func(flowKey) (hi, lo uint64) {
	order := uint64(0)
	return func(flowKey) (hi, lo uint64) {
		var h hash
		h.word(seed)
		h.word(uint64(d))
		h.word(order)
		order++
		return h.word(0), h.word(1)
	}
}
