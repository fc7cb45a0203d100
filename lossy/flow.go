package lossy

import (
	"math/rand/v2"
	"net"
	"net/netip"
)

// A flowKey is one direction between two addresses.
type flowKey struct {
	from, to netip.AddrPort
}

// A flow is the state that belongs to one flowKey.
type flow struct {
	flowKey
	n      int      // packets so far
	stream rand.PCG // seeds the random numbers of each packet
	judges []judge  // one for each part of the chain
	addr   net.Addr // the result of udpAddr
}

// seedRand gives a packet random numbers of its own, so that every packet
// takes exactly two from the flow's stream, however many the models draw.
func (f *flow) seedRand(r *rand.PCG) {
	hi := f.stream.Uint64()
	r.Seed(hi, f.stream.Uint64())
}

// udpAddr returns the flow's destination as a net.Addr, which nobody changes.
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
// least recently used when there are too many is forgotten, and begins anew.
type flowTable struct {
	parts  []*part
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
	for _, p := range t.parts {
		f.judges = append(f.judges, t.judgeOf(p))
	}
	return f
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
