package lossy

import "time"

// setAlarm sets the timer to the first departure, unless it goes off before
// or its goroutine is at work and will set it.
func (w *wrapped) setAlarm() {
	o := &w.out
	next := o.heap.next()
	if o.sending || next >= o.alarm {
		return
	}
	o.alarm = next
	d := next - w.clock.now()
	if o.timer == nil {
		o.timer = time.AfterFunc(d, w.depart)
	} else {
		o.timer.Reset(d)
	}
}

// depart is what the timer calls, in a goroutine of its own. It writes what
// is due. If the conn has been closed and nothing is left, it closes the
// inner conn.
func (w *wrapped) depart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := &w.out
	if o.sending {
		return // it had gone off when it was set again
	}
	o.alarm = never
	o.sending = true
	for w.collect() {
		w.mu.Unlock()
		w.writeDue()
		w.mu.Lock()
		w.settle()
	}
	o.sending = false
	if w.closed && o.heap.next() == never {
		w.inner.pc.Close()
		return
	}
	w.setAlarm()
}

// maxDue bounds how many parcels are written before the lock is taken again.
const maxDue = 64

// collect takes what is due from the heap, and reports whether there is any.
func (w *wrapped) collect() bool {
	o := &w.out
	o.due = o.due[:0]
	now := w.clock.now()
	for o.heap.next() <= now && len(o.due) < maxDue {
		o.due = append(o.due, o.heap.pop().parcel)
	}
	return len(o.due) > 0
}

// writeDue writes what was collected. The conn is not locked.
func (w *wrapped) writeDue() {
	if w.inner.batchWriter == nil {
		for _, p := range w.out.due {
			p.refused = w.inner.write(p.payload, p.flow, p.addr) != nil
		}
		return
	}
	box := w.takeOutbox()
	defer w.putOutbox(box)
	for i, p := range w.out.due {
		box.add(p.payload, p.flow, p.local, i)
	}
	for box.len() > 0 {
		n, err := w.inner.writeBatch(box)
		if err == nil {
			return
		}
		w.out.due[box.index[n]].refused = true
		box.skip(n + 1)
	}
}

// settle counts what was written.
func (w *wrapped) settle() {
	o := &w.out
	now := w.clock.now()
	for i, p := range o.due {
		o.due[i] = nil
		o.bytes -= p.size()
		if p.refused {
			o.chain.drop(p, CauseRefused, Outgoing, now, &o.stats)
		} else {
			o.stats.Passed++
		}
		w.pool.put(p)
	}
}
