package lossy

import "net/netip"

// An outbox is a batch of datagrams to be written to a wrapped conn.
type outbox struct {
	bufs  [][]byte
	to    []netip.AddrPort
	flows []*flow
	local []netip.Addr // from which address of this host
	index []int        // in the caller's batch

	altered []*parcel // whose payloads are in bufs instead of the caller's
}

func (x *outbox) add(b []byte, f *flow, local netip.Addr, index int) {
	x.bufs = append(x.bufs, b)
	x.to = append(x.to, f.to)
	x.flows = append(x.flows, f)
	x.local = append(x.local, local)
	x.index = append(x.index, index)
}

func (x *outbox) len() int { return len(x.bufs) }

// skip removes the first n datagrams.
func (x *outbox) skip(n int) {
	x.bufs, x.to, x.flows, x.local, x.index = x.bufs[n:], x.to[n:], x.flows[n:], x.local[n:], x.index[n:]
}

// takeOutbox returns an empty outbox, to be given back to putOutbox.
func (w *wrapped) takeOutbox() *outbox {
	if x := w.out.spare.Swap(nil); x != nil {
		return x
	}
	return &outbox{}
}

// putOutbox forgets the caller's buffers, and keeps the outbox for the next.
func (w *wrapped) putOutbox(x *outbox) {
	w.putAltered(x.altered)
	clear(x.bufs)
	*x = outbox{x.bufs[:0], x.to[:0], x.flows[:0], x.local[:0], x.index[:0], x.altered[:0]}
	w.out.spare.Store(x)
}
