package p2mp

import (
	"math"
	"time"

	"github.com/ferrygo/ferry"
)

// readAhead reads from a source that is read once what can be sent next.
func (t *sending) readAhead() error {
	var next uint32
	for i := range t.peers {
		if p := &t.peers[i]; p.stage == extended {
			next = max(next, p.flight.next)
		}
	}
	if next == 0 {
		return nil
	}
	upTo := min(uint64(next)+outboxSize, uint64(t.lowest())+uint64(t.window), math.MaxUint32)
	if uint64(next)+outboxSize > math.MaxUint32 {
		upTo = math.MaxUint32 // and the store says when that is not enough
	}
	had, start := t.store.count, time.Now()
	err := t.store.fill(uint32(upTo))
	if n := t.store.count - had; n > 0 {
		// As fast as wanted, twice over, or it is the source that others wait for.
		bits := 8 * float64(headerLen+t.mss) * float64(n)
		t.crowd.starved = bits < 2*t.minRate*time.Since(start).Seconds()
	}
	return err
}

// lowest is the last chunk that all receivers that still take part hold.
func (t *sending) lowest() uint32 {
	low, _ := t.store.chunks()
	if t.store.size < 0 {
		low = t.store.count
	}
	for i := range t.peers {
		if p := &t.peers[i]; p.stage == extended {
			low = min(low, p.flight.cum)
		}
	}
	if t.classic.active() {
		low = min(low, t.classic.steps.held())
	}
	return low
}

// stream sends an extended receiver what its flight says, a batch at a time.
func (t *sending) stream(now time.Time, i int) (wake time.Time, err error) {
	p := &t.peers[i]
	gone, wake := t.givesUp(now, i)
	if gone {
		return now, nil
	}
	f := &p.flight
	total, known := t.store.chunks()
	for range outboxSize {
		what, seq, w := f.act(now, t.store.available(), known)
		switch {
		case what == nothing:
			return earlier(wake, w), nil
		case what != askPoll && !t.share.may(now, p.deficit):
			f.limited = true
			f.wait(now)
			return earlier(wake, f.earliest(t.share.next)), nil
		}
		switch what {
		case askPoll:
			t.setAside(i)
			if err := t.ask(now, i, known && f.next > total || known && f.next == 0); err != nil {
				return wake, err
			}
		default:
			if err := t.postChunk(now, i, seq, what == oldChunk); err != nil {
				return wake, err
			}
			f.sent(now, seq)
		}
	}
	return now, nil // there is more, after the others' turn
}

// givesUp gives up a receiver that is silent, to which nothing gets, that takes too little
// or that checks the file for too long. wake says when it may be silent for too long.
func (t *sending) givesUp(now time.Time, i int) (gone bool, wake time.Time) {
	if t.policy == Wait {
		return false, time.Time{}
	}
	f := &t.peers[i].flight
	if since, silent := f.unanswered(); silent {
		wake = since.Add(t.giveUp)
		if !now.Before(wake) {
			t.giveUpOn(i, ferry.ErrSilent, t.giveUp)
			return true, wake
		}
	}
	if since, stalls := f.stalled(); stalls && !now.Before(since.Add(t.giveUp)) {
		t.giveUpOn(i, ErrStalled, t.giveUp)
		return true, wake
	}
	if period := max(leastPeriod, 3*t.giveUp); f.slow(now, period, max(1, min(leastChunks, leastBytes/t.mss))) {
		t.giveUpOn(i, ErrSlow, period)
		return true, wake
	}
	if limit := t.checkLimit(); !f.checkAt.IsZero() && !now.Before(f.checkAt.Add(limit)) {
		t.giveUpOn(i, errChecking, limit)
		return true, wake
	}
	return false, wake
}

// A receiver that takes fewer than leastChunks, and less than leastBytes, in leastPeriod is
// too slow, whatever the reason. Longer GiveUps make it three times of these.
const (
	leastPeriod = 30 * time.Second
	leastChunks = 8
	leastBytes  = 8 << 10
)

// checkLimit is how long a receiver may check and keep the file: slow disks write 10 MB in
// a second.
func (t *sending) checkLimit() time.Duration {
	size := max(0, t.store.size)
	return max(t.giveUp, 30*time.Second+time.Duration(size/10_000_000)*time.Second)
}

// setAside notes that a receiver is only polled, if it is so.
func (t *sending) setAside(i int) {
	p := &t.peers[i]
	if p.flight.silent < asideAfter || p.aside {
		return
	}
	p.aside = true
	if t.trace.SetAside != nil {
		t.trace.SetAside(PacketEvent{Addr: p.addr})
	}
}

// ask polls a receiver; the poll is a FIN where all chunks were sent.
func (t *sending) ask(now time.Time, i int, all bool) error {
	f := &t.peers[i].flight
	if f.waiting && t.trace.Timeout != nil && !now.Before(f.pollDue) {
		t.trace.Timeout(PacketEvent{Addr: t.peers[i].addr, Seq: f.cum + 1})
	}
	f.toGroup = t.crowd.packets
	if f.cc.stopped { // a filter may take what is handed to the system together for one packet
		t.searchSize(now, i)
		t.flushNow()
	}
	if !all {
		number := f.asked(now)
		t.poll = poll{session: t.session, number: number, highest: max(f.next-1, f.overheard)}
		t.postMessage(i, CategoryPoll, &t.poll)
		return nil
	}
	digest, err := t.store.digest()
	if err != nil {
		return err
	}
	number := f.asked(now)
	f.ending(now, number)
	t.fin = fin{session: t.session, number: number, rto: f.timer.RTO(), size: t.store.size, digest: digest}
	t.postMessage(i, CategoryFin, &t.fin)
	return nil
}

// searchSize sends a POLL that is filled up, while no chunk arrives.
func (t *sending) searchSize(now time.Time, i int) {
	f := &t.peers[i].flight
	if f.cc.probes < searchAfter {
		return
	}
	length := f.sizes.next(headerLen + t.mss)
	if length == 0 {
		return
	}
	t.flushNow()
	number := f.asked(now)
	f.sizes.asked(number, length)
	t.poll = poll{session: t.session, number: number, highest: f.next - 1, fill: length - headerLen - pollLen}
	t.postMessage(i, CategoryPoll, &t.poll)
}
