package p2mp

import (
	"errors"
	"fmt"
	"time"
)

// What a sending does with its crowd.

// ErrNobody is returned by Send when no receiver joined the group.
var ErrNobody = errors.New("p2mp: nobody has joined")

// lateHello is how often the group is told of a transfer that is under way already.
const lateHello = time.Second

// inviting reports whether the transfer still waits for those who will join.
func (t *sending) inviting() bool { return t.invitation.until.After(t.start) }

// invite sends HELLOs to the group: often while the transfer waits for receivers, and then,
// if they can still have the whole file, now and then.
func (t *sending) invite(now time.Time) (wake time.Time, err error) {
	j := &t.invitation
	if t.inviting() && !now.Before(j.until) {
		j.until, j.due = t.start, now.Add(lateHello) // begin without the rest
		t.refuseBusy()
		if len(t.peers) == 0 {
			return now, t.nobody()
		}
	}
	if !t.inviting() && t.store.at == nil {
		return time.Time{}, nil
	}
	if now.Before(j.due) {
		return j.due, nil
	}
	if j.tries++; t.inviting() {
		j.due = earlier(now.Add(min(initialTimeout*time.Duration(j.tries), helloSpacing)), j.until)
	} else {
		j.due = now.Add(lateHello)
	}
	t.postTo(t.crowd.addr, everybody, t.hello)
	return j.due, nil
}

// nobody returns the error for a transfer without receivers. It includes the reason if the
// invitation could not be sent.
func (t *sending) nobody() error {
	if t.invitation.unsent != nil {
		return fmt.Errorf("%w: %w", ErrNobody, t.invitation.unsent)
	}
	return ErrNobody
}

// workCrowd does what is due in the group.
func (t *sending) workCrowd(now time.Time, undecided bool) (wake time.Time, err error) {
	c := &t.crowd
	switch c.state {
	case gatheringCrowd:
		if undecided {
			return time.Time{}, nil
		}
		c.state, c.due = askingCrowd, now
		for _, i := range c.members {
			c.number = max(c.number, t.peers[i].flight.lastPoll)
		}
	case askingCrowd:
	case sendingCrowd:
		return t.sendToCrowd(now)
	default:
		return time.Time{}, nil
	}
	return t.askAround(now)
}

// askAround finds out whom the group reaches: who answers a poll that went there.
func (t *sending) askAround(now time.Time) (wake time.Time, err error) {
	c := &t.crowd
	silent, parts := 0, t.crowdParts()
	rto := initialTimeout
	for _, i := range c.members {
		if f := &t.peers[i].flight; f.answered == 0 {
			silent++
			rto = max(rto, f.timer.RTO())
		}
	}
	switch {
	case len(c.members) < 2:
		t.disperse(now)
		return now, nil
	case silent > 0 && c.asks < crowdAsks*parts, c.asks < parts:
		if now.Before(c.due) {
			return c.due, nil
		}
		// Each time twice as long: where a HELLO was sent again no round trip is known.
		c.due = now.Add(rto << (c.asks / parts))
		if c.asks++; c.asks%parts != 0 {
			c.due = now.Add(time.Millisecond) // the next part
		}
		t.pollCrowd(now)
		return c.due, nil
	case silent > 0 && now.Before(c.due):
		return c.due, nil
	}
	c.state, c.next, c.scout = sendingCrowd, 1, noScout
	t.thin(now, func(i int) bool { return t.peers[i].flight.answered > 0 })
	c.cc.slack = maxSlack
	for _, i := range c.members {
		p := &t.peers[i]
		t.report.Peers[i].Multicast = true
		c.cc.slack = min(c.cc.slack, p.flight.cc.slack)
		c.cc.minRTT, c.cc.minAt = max(c.cc.minRTT, p.flight.timer.SRTT()), now
	}
	return now, nil
}

// thin has all those leave the crowd who are not to stay.
func (t *sending) thin(now time.Time, stays func(int) bool) {
	c := &t.crowd
	kept := c.members[:0]
	for _, i := range c.members {
		p := &t.peers[i]
		if p.stage == extended && stays(i) {
			kept = append(kept, i)
			continue
		}
		p.flight.grouped = false
		if c.state == sendingCrowd { // it still hears the group's polls, which have other numbers
			p.flight.renumber(now)
		}
		if p.flight.cc.backoff = c.cc.backoff; !c.cc.stopped {
			p.flight.cc.judge(now, p.flight.run, p.flight.cc.minRTT, false)
		}
		p.flight.nextSend = now
	}
	c.members = kept
}

// disperse ends the crowd: each member is served by unicast from now on.
func (t *sending) disperse(now time.Time) {
	t.crowd.state = crowdOver
	t.thin(now, func(int) bool { return false })
}

// sendToCrowd sends what the crowd says, a batch at a time.
func (t *sending) sendToCrowd(now time.Time) (wake time.Time, err error) {
	c := &t.crowd
	total, known := t.store.chunks()
	silence := c.silence(t.peers)
	if !c.cc.stopped {
		c.scout = noScout
	}
	t.thin(now, func(i int) bool {
		f := &t.peers[i].flight
		since, owes := f.unanswered()
		owed, stalls := f.stalled()
		absent, _ := f.absent(now)
		gone := absent && f.silent >= asideAfter && silence == 0 || owes && !now.Before(since.Add(t.giveUp)) ||
			stalls && !now.Before(owed.Add(t.giveUp))
		return !gone && !c.leavesDeaf(now, t.peers, i, t.giveUp*3/4) && !(known && f.cum == total)
	})
	t.shed(now)
	if i, ok := c.farBehind(t.peers); ok {
		t.shedOne(now, i, t.minRate > 0)
	}
	wake, err = t.remind(now)
	if err != nil || silence >= asideAfter && len(c.members) > 0 {
		return wake, err
	}
	for range outboxSize {
		if len(c.members) < 2 {
			t.disperse(now)
			return now, nil
		}
		if c.sincePoll >= c.cc.interval() {
			wake = earlier(wake, t.pollCrowd(now))
			continue
		}
		seq, to, ok, full := c.pick(t.peers, t.store.available())
		switch {
		case !ok:
			c.limited = true
			if full {
				t.leaveBehind(now)
				if c.lack(t.peers, true); len(c.repairs) > 0 {
					continue
				}
			}
			fallthrough
		case c.underWay(t.peers) >= c.cc.room():
			switch {
			case !ok && known && c.next > total && c.settled(t.peers, true):
				t.disperse(now)
				return now, nil
			case !c.waiting(t.peers) && (c.sincePoll > 0 || !c.settled(t.peers, false)):
				wake = earlier(wake, t.pollCrowd(now)) // nothing else would open a window
				continue
			}
			return wake, nil
		case c.cc.waits(now):
			return earlier(wake, c.cc.due), nil
		case c.holds(now):
			return earlier(wake, c.nextSend), nil
		case !t.share.may(now, c.deficit):
			c.limited = true
			for _, i := range c.members {
				t.peers[i].flight.wait(now)
			}
			return earlier(wake, t.share.next), nil
		}
		again := seq != c.next
		if err := t.postChunk(now, to, seq, again); err != nil {
			return wake, err
		}
		c.posted(now, t.peers, seq, to)
	}
	return now, nil
}

// shed has the slowest member leave when the rate is below what the caller wants.
func (t *sending) shed(now time.Time) {
	c := &t.crowd
	rate := 8 * float64(headerLen+t.mss) * c.cc.rate()
	if t.minRate == 0 || rate >= t.minRate || c.cc.phase != probing {
		return
	}
	if slowest, ok := c.slowest(t.peers); ok {
		t.shedOne(now, slowest, true)
	}
}

// shedOne has a member leave for whose sake the others would be too slow. It is given up if
// the caller wants that, or else served by unicast.
func (t *sending) shedOne(now time.Time, slowest int, drop bool) {
	c := &t.crowd
	// What the others can take is found out from the beginning.
	c.cc = congestion{slack: c.cc.slack, minRTT: c.cc.minRTT, minAt: c.cc.minAt, ends: c.number + 1}
	p := &t.peers[slowest]
	if drop && t.policy != Wait {
		t.tell(slowest, ReasonGivenUp)
		t.drop(slowest, &PeerError{Addr: p.addr, Seq: p.flight.cum + 1, Err: ErrSlow})
	}
	t.thin(now, func(i int) bool { return i != slowest })
}

// remind asks members that owe an answer, one by one, and says when the next one will. If
// no member has answered the latest poll, the group is asked again, with one packet.
func (t *sending) remind(now time.Time) (wake time.Time, err error) {
	c := &t.crowd
	again := c.polled.Add(c.longestTimer(t.peers))
	mute := c.mute() && len(c.members) > 1
	if mute && !now.Before(again) {
		t.askMute(now)
		again = now.Add(c.longestTimer(t.peers))
	}
	for _, i := range c.members {
		f := &t.peers[i].flight
		if !f.waiting && !f.resting {
			continue
		}
		if f.waiting && mute {
			wake = earlier(wake, again)
		} else if !now.Before(f.pollDue) {
			if err := t.remindOne(now, i); err != nil {
				return wake, err
			}
		}
		if !f.waiting || !mute {
			wake = earlier(wake, f.pollDue)
		}
		if since, owes := f.unanswered(); owes {
			wake = earlier(wake, since.Add(t.giveUp))
		}
	}
	return wake, nil
}

// askMute asks a group again of which no member has answered the latest poll.
func (t *sending) askMute(now time.Time) {
	c := &t.crowd
	for _, i := range c.members {
		if f := &t.peers[i].flight; f.waiting {
			f.timer.TimedOut()
			f.silent++
			t.setAside(i)
			f.pollDue = now.Add(f.timer.RTO())
		}
	}
	t.pollCrowd(now)
}

// remindOne asks one member again, or for company.
func (t *sending) remindOne(now time.Time, i int) error {
	f := &t.peers[i].flight
	if f.waiting {
		f.timer.TimedOut()
		f.silent++
		t.setAside(i)
	}
	if err := t.ask(now, i, false); err != nil {
		return err
	}
	// Others wait for it: it is asked often.
	if due := now.Add(max(reminding, 2*f.timer.SRTT())); due.Before(f.pollDue) {
		f.pollDue = due
	}
	return nil
}

// leaveBehind has members leave that hold up the others, who have to wait until there is
// room in their windows.
func (t *sending) leaveBehind(now time.Time) {
	c := &t.crowd
	if c.silence(t.peers) > 0 {
		return
	}
	t.thin(now, func(i int) bool {
		f := &t.peers[i].flight
		full := c.next-f.cum > uint32(len(f.slots))
		absent, _ := f.absent(now)
		return !full || !absent && (f.owed.IsZero() || now.Before(f.owed.Add(patience)))
	})
}

// crowdParts is into how many parts the members are divided.
func (t *sending) crowdParts() int {
	window := maxWindow
	for _, i := range t.crowd.members {
		window = min(window, len(t.peers[i].flight.slots))
	}
	return t.crowd.parts(window)
}

// pollCrowd polls a part of the members, in turn. It returns when the first of them must be
// polled again.
func (t *sending) pollCrowd(now time.Time) (wake time.Time) {
	c := &t.crowd
	number := c.number
	for _, i := range c.members {
		number = max(number, t.peers[i].flight.lastPoll)
	}
	number++
	q := poll{session: t.session, number: number, highest: max(c.next, 1) - 1}
	if c.cc.parts = t.crowdParts(); c.cc.parts > 1 {
		parts := c.cc.parts
		c.turn = (c.turn + 1) % parts
		q.modulus, q.remainder = uint16(parts), uint16(c.turn)
	}
	want := 0
	for _, i := range c.members {
		p := &t.peers[i]
		if !q.asks(p.id) {
			continue
		}
		want++
		f := &p.flight
		late, due := f.waiting, f.pollDue
		f.toGroup = c.packets
		if f.askedAs(now, number); late {
			f.pollDue = due // it owes an answer since then
		}
		wake = earlier(wake, f.pollDue)
	}
	c.asked(now, number, want)
	t.poll = q
	t.postMessageTo(c.addr, everybody, CategoryPoll, &t.poll)
	return wake
}
