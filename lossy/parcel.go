package lossy

import (
	"cmp"
	"net"
	"net/netip"
	"time"
)

// A parcel is a packet in flight, or a copy of one. It owns its payload.
type parcel struct {
	event   // its arrival, or its departure from a wrapped conn
	flow    *flow
	n       int // the packet's number in its flow
	copy    int // 0 for the packet itself, from 1 for its copies
	payload []byte

	sender *Conn         // in a Network
	sent   time.Duration // in a Network
	turn   int           // behind Wrap: the order in which they were scheduled
	addr   net.Addr      // behind Wrap: the other end, if it is not a UDP address
	local  netip.Addr    // behind Wrap: the address of this host, if it is known

	group     netip.Addr // in a Network: that it was sent to, if to one
	members   bool       // it stands for one parcel to each member of the group
	corrupted bool
	refused   bool // by the conn that it was written to
}

// overhead is added to the payload of a parcel in bounds on memory.
const overhead = 256

func (p *parcel) size() int { return len(p.payload) + overhead }

// compare orders the parcels of one instant: those of a wrapped conn as they
// were scheduled, those of a Network by destination, source and number.
func (p *parcel) compare(q *parcel) int {
	if p.turn != q.turn {
		return cmp.Compare(p.turn, q.turn)
	}
	if p.flow != q.flow {
		if c := p.flow.to.Compare(q.flow.to); c != 0 {
			return c
		}
		if c := p.flow.from.Compare(q.flow.from); c != 0 {
			return c
		}
	}
	if p.n != q.n {
		return cmp.Compare(p.n, q.n)
	}
	return cmp.Compare(p.copy, q.copy)
}

// packet returns p as a Trace is to see it.
func (p *parcel) packet() Packet {
	return Packet{From: p.flow.from, To: p.flow.to, Group: p.group, Payload: p.payload, N: p.n}
}

// A pool has parcels to be used again. It is not safe for concurrent use.
type pool struct {
	free  []*parcel
	bytes int
}

// maxPooled bounds the memory that a pool keeps.
const maxPooled = 16 << 20

// get returns a parcel with a copy of payload.
func (p *pool) get(payload []byte) *parcel {
	last := len(p.free) - 1
	if last < 0 {
		c := &parcel{payload: append([]byte(nil), payload...)}
		c.event.parcel = c
		return c
	}
	c := p.free[last]
	p.free[last] = nil
	p.free = p.free[:last]
	p.bytes -= cap(c.payload) + overhead
	c.payload = append(c.payload, payload...)
	return c
}

// put takes back a parcel that is no longer used.
func (p *pool) put(c *parcel) {
	size := cap(c.payload) + overhead
	if p.bytes+size > maxPooled {
		return
	}
	*c = parcel{payload: c.payload[:0]}
	c.event.parcel = c
	p.bytes += size
	p.free = append(p.free, c)
}
