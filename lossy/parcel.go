package lossy

import (
	"net"
	"time"
)

// A parcel is a packet with a copy of its payload, on its way.
type parcel struct {
	event
	payload []byte
	sent    time.Duration
	flow    *flow
	sender  *Conn    // in a Network
	addr    net.Addr // behind Wrap: where to write it, or who sent it
}

// overhead is what a parcel counts in bounds on memory, besides its payload.
const overhead = 256

func (p *parcel) size() int { return len(p.payload) + overhead }

// A pool has parcels to be used again. It is not safe for concurrent use.
type pool struct {
	free  []*parcel
	bytes int
}

// maxPooled bounds the memory a pool keeps.
const maxPooled = 4 << 20

// get returns a parcel with a copy of payload.
func (p *pool) get(payload []byte) *parcel {
	var c *parcel
	if last := len(p.free) - 1; last >= 0 {
		c = p.free[last]
		p.free[last] = nil
		p.free = p.free[:last]
		p.bytes -= cap(c.payload) + overhead
	} else {
		c = &parcel{}
		c.event.parcel = c
	}
	c.payload = append(c.payload[:0], payload...)
	return c
}

// put takes back a parcel that nobody uses any more.
func (p *pool) put(c *parcel) {
	size := cap(c.payload) + overhead
	if p.bytes+size > maxPooled {
		return
	}
	payload := c.payload[:0]
	*c = parcel{payload: payload}
	c.event.parcel = c
	p.bytes += size
	p.free = append(p.free, c)
}
