package lossy

import (
	"net"
	"net/netip"
)

// WriteBatch writes bufs[i] to to[i] in order, each as one datagram, which is judged
// separately. Datagrams that are neither dropped nor delayed go to the inner conn as one
// batch. It returns how many were written; if those are not all, the error is
// about the next, and the rest is judged again when it is written again.
func (w *wrapped) WriteBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (int, error) {
	n, err := w.writeBatch(bufs, to, local)
	if w.counted && !w.out.judged && w.inner.udp { // the others are counted one by one
		w.count(&w.out.stats, n, total(bufs[:n]))
	}
	return n, err
}

func total(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}

func (w *wrapped) writeBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (int, error) {
	if !w.inner.udp {
		return w.writeEach(bufs, to)
	}
	box := w.takeOutbox()
	defer w.putOutbox(box)
	judged, err := w.judgeBatch(box, bufs, to, local)
	if n, err := w.inner.writeBatch(box); err != nil {
		w.refused(box.len() - n)
		return box.index[n], err
	}
	if err != nil || judged == len(bufs) {
		return judged, err
	}
	// The next cannot be sent. The inner conn knows why.
	_, err = w.inner.pc.WriteTo(bufs[judged], net.UDPAddrFromAddrPort(to[judged]))
	return judged, err
}

// judgeBatch judges datagrams and puts those to write now into box. It
// stops before one that cannot be sent, and returns how many it judged.
func (w *wrapped) judgeBatch(box *outbox, bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (judged int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.outNow()
	if err := w.writable(now); err != nil {
		return 0, w.inner.opError("write", nil, err)
	}
	added := 0 // of those that were altered
	for i, b := range bufs {
		if !to[i].IsValid() || len(b) > maxPayload(to[i].Addr()) {
			return i, nil
		}
		f := w.out.chain.flows.get(flowKey{w.inner.local, unmap(to[i])})
		copies := 1
		var from netip.Addr
		if local != nil {
			from = local[i]
		}
		if w.out.judged {
			copies, box.altered = w.judge(f, b, nil, from, now, box.altered)
		}
		for range copies {
			box.add(b, f, from, i)
		}
		for ; added < len(box.altered); added++ {
			box.add(box.altered[added].payload, f, from, i)
		}
	}
	return len(bufs), nil
}

// writeEach is WriteBatch for a conn that is not of UDP.
func (w *wrapped) writeEach(bufs [][]byte, to []netip.AddrPort) (int, error) {
	for i, b := range bufs {
		if _, err := w.WriteTo(b, net.UDPAddrFromAddrPort(to[i])); err != nil {
			return i, err
		}
	}
	return len(bufs), nil
}

// Offload says whether what WriteBatch lets pass may go to the system in one piece, if
// the inner conn has such a choice. Reads never do.
func (w *wrapped) Offload(write, _ bool) (joined bool) {
	w.inner.offload(write)
	return false
}

// ReadBatch waits for a datagram that the models let pass, and returns it and
// others that are there: sizes[i] bytes from from[i] in bufs[i]. Where
// segments[i] is positive, they are several datagrams of that size, of which
// the last may be shorter; each was judged separately.
func (w *wrapped) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (int, error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	if !w.in.judged {
		n, err := w.inner.readBatch(bufs, sizes, segments, from, local)
		if w.counted {
			w.countRead(sizes[:n], segments[:n])
		}
		return n, w.readError(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.in.turn.Signal()
	if err := w.readable(); err != nil {
		return 0, w.inner.opError("read", nil, err)
	}
	for {
		p, err := w.await()
		if err != nil {
			return 0, err
		}
		if p != nil {
			return w.takeAll(p, bufs, sizes, segments, from, local), nil
		}
		n, err := w.readInnerBatch(bufs, sizes, segments, from, local)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// countRead counts the datagrams of a batch that was not judged.
func (w *wrapped) countRead(sizes, segments []int) {
	packets, bytes := 0, 0
	for i, size := range sizes {
		bytes += size
		packets++
		if s := segments[i]; s > 0 && size > s {
			packets += (size - 1) / s
		}
	}
	w.count(&w.in.stats, packets, bytes)
}

// takeAll puts p and others whose delay is over into bufs.
func (w *wrapped) takeAll(p *parcel, bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (n int) {
	for p != nil {
		segments[n] = 0
		if local != nil {
			local[n] = p.local
		}
		sizes[n], from[n], _ = w.take(p, bufs[n])
		if n++; n == len(bufs) {
			break
		}
		p = w.due()
	}
	return n
}

// readInnerBatch reads the inner conn once, and leaves in bufs what passes. It
// returns nothing and no error if that is nothing.
func (w *wrapped) readInnerBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (kept int, err error) {
	w.beginRead()
	n, err := w.inner.readBatch(bufs, sizes, segments, from, local)
	if again, err := w.endRead(err); again || err != nil {
		return 0, err
	}
	for i := range n {
		b, segment := bufs[i][:sizes[i]], segments[i]
		from[i] = unmap(from[i])
		var at netip.Addr
		if local != nil {
			at = local[i]
		}
		size, ok := w.judgeSegments(b, segment, from[i], at)
		if !ok {
			continue
		}
		sizes[kept], segments[kept], from[kept] = size, segment, from[i]
		if local != nil {
			local[kept] = at
		}
		if kept < i {
			sizes[kept] = copy(bufs[kept], b[:size])
		}
		kept++
	}
	return kept, nil
}

// judgeSegments judges each datagram in b, of which all but the last are
// segment bytes long (0: it is one datagram), and moves what passes to the
// front of b. It returns the length of that, and whether there is any.
func (w *wrapped) judgeSegments(b []byte, segment int, from netip.AddrPort, local netip.Addr) (size int, ok bool) {
	if segment <= 0 {
		segment = len(b)
	}
	for rest := b; ; {
		one := rest[:min(segment, len(rest))]
		if payload, now := w.judgeRead(one, from, nil, local); now {
			size += copy(b[size:], payload)
			ok = true
		}
		if rest = rest[len(one):]; len(rest) == 0 {
			return size, ok
		}
	}
}
