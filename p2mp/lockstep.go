package p2mp

import (
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// A lockstep decides when the one chunk in flight is sent, and to which receivers: to all
// receivers first, then again to those that lack it, until all have it (P2MP-FTP report,
// "Client", point 2). It reads no socket and no clock.
//
// For each chunk the caller calls begin, and then next, sent and acked until settled. The
// shots of next may have to wait for the rate. The caller calls sent when one has left.
type lockstep struct {
	policy Policy
	join   time.Duration // how long to wait for a first answer
	giveUp time.Duration // how long to wait for an answer after that
	peers  []steppingPeer

	seq     uint32    // the chunk in flight
	last    bool      // whether it is the last one
	lacking int       // receivers still waited for
	wake    time.Time // nothing is due before this
	left    time.Time // when the latest shot did
	failed  bool      // a receiver was given up under the policy Fail
}

// A steppingPeer is one receiver as lockstep sees it.
type steppingPeer struct {
	addr  netip.AddrPort
	state State
	rtt   rtt.Estimator

	has   bool      // it acknowledged the chunk in flight
	tries int       // transmissions of the chunk in flight
	since time.Time // when the first one was; later by what the others had to wait
	sent  time.Time
	due   time.Time // when to send again
}

// A shot is one transmission that lockstep asks for.
type shot struct {
	peer  int
	again bool // the timer ran out: a retransmission
}

// begin puts the next chunk in flight.
func (l *lockstep) begin(now time.Time, last bool) {
	l.seq++
	l.last = last
	l.wake = now
	l.lacking = 0
	for i := range l.peers {
		p := &l.peers[i]
		if p.state == Dropped {
			continue
		}
		p.has, p.tries, p.since, p.due = false, 0, now, now
		l.lacking++
	}
}

// settled reports whether the chunk is finished: no receiver lacks it, or the transfer failed.
func (l *lockstep) settled() bool { return l.lacking == 0 || l.failed }

// held is the last chunk that all receivers have.
func (l *lockstep) held() uint32 {
	if l.settled() {
		return l.seq
	}
	return l.seq - 1
}

// leave takes a receiver out that goes on in another way.
func (l *lockstep) leave(i int) {
	if p := &l.peers[i]; p.state != Dropped {
		p.state = Dropped
		if !p.has && l.seq > 0 {
			l.lacking--
		}
	}
}

// alive reports whether there is anybody left to send to.
func (l *lockstep) alive() bool {
	for i := range l.peers {
		if l.peers[i].state != Dropped {
			return true
		}
	}
	return false
}

// next appends the transmissions that are due at now to shots. given lists the receivers
// that were given up. wake is when to call next again if no packet arrives before. The
// caller does not call next again before all shots have left or were spared.
func (l *lockstep) next(now time.Time, shots []shot) (_ []shot, given []int, wake time.Time) {
	if now.Before(l.wake) {
		return shots, nil, l.wake
	}
	l.wake = now.Add(time.Hour)
	for i := range l.peers {
		p := &l.peers[i]
		if !p.lacks() {
			continue
		}
		due := !now.Before(p.due)
		if due && l.left.After(p.due) { // the others' shots had not left
			p.since = p.since.Add(l.left.Sub(p.due))
		}
		end, ends := l.patience(p)
		switch {
		case ends && !now.Before(end) && p.tries > 0:
			p.state = Dropped
			l.lacking--
			l.failed = l.failed || l.policy == Fail
			given = append(given, i)
		case due:
			p.due = now
			shots = append(shots, shot{peer: i, again: p.tries > 0})
		default:
			l.wakeFor(now, p)
		}
	}
	return shots, given, l.wake
}

// lacks reports whether p has not acknowledged the chunk in flight, and is waited for.
func (p *steppingPeer) lacks() bool { return p.state != Dropped && !p.has }

// spares reports whether a shot has become needless while it had to wait.
func (l *lockstep) spares(s shot) bool { return !l.peers[s.peer].lacks() }

// sent records that a shot has left, and sets the timer. The timer doubles with each
// unanswered shot (RFC 6298, section 5.5). The time that the shot waited for the rate does
// not count as silence of the receiver.
func (l *lockstep) sent(now time.Time, s shot) {
	p := &l.peers[s.peer]
	if p.tries > 0 {
		p.rtt.TimedOut()
	}
	p.tries++
	p.since = p.since.Add(now.Sub(p.due))
	p.sent, l.left = now, now
	p.due = now.Add(p.rtt.RTO())
	l.wakeFor(now, p)
}

// wakeFor has next look at p again in time.
func (l *lockstep) wakeFor(now time.Time, p *steppingPeer) {
	l.wake = earlier(l.wake, p.due)
	if end, ends := l.patience(p); ends && end.After(now) {
		l.wake = earlier(l.wake, end)
	}
}

// patience returns when p is given up if it does not acknowledge the chunk in flight,
// and whether it ever is.
func (l *lockstep) patience(p *steppingPeer) (time.Time, bool) {
	return p.since.Add(l.limit(p)), l.policy != Wait
}

// limit is how long p is waited for.
func (l *lockstep) limit(p *steppingPeer) time.Duration {
	if p.state == Joining {
		return l.join
	}
	return l.giveUp
}

// An answer is what lockstep makes of an acknowledgement.
type answer int

const (
	fresh  answer = iota // of the chunk in flight, the first one
	stale                // a repeated or late one
	future               // of a chunk that was not sent yet
)

// acked records that peer acknowledged chunk seq. sample is the measured round trip. It is
// 0 if the chunk was retransmitted, because it is then unknown which transmission was
// acknowledged (Karn; RFC 6298, section 3).
func (l *lockstep) acked(now time.Time, peer int, seq uint32) (a answer, sample time.Duration) {
	p := &l.peers[peer]
	if seq > l.seq || seq == l.seq && p.lacks() && p.tries == 0 {
		return future, 0
	}
	p.rtt.Heard()
	if seq < l.seq || p.has || p.state == Dropped {
		return stale, 0
	}
	p.has = true
	p.state = Receiving
	if l.last {
		p.state = Complete
	}
	l.lacking--
	if p.tries == 1 {
		sample = now.Sub(p.sent)
		p.rtt.Sample(sample)
		// Doubling ends early where round trips are short: one try in three gets
		// through at 40 % loss, and a receiver lingers for two seconds only.
		p.rtt.Max = min(time.Second, max(initialTimeout, 8*p.rtt.RTO()))
	}
	return fresh, sample
}

// earlier returns the earlier of two times; zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
