package relay

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// maxFormer bounds the sessions of the other peer that are remembered as over.
const maxFormer = 8

// A repeated exit is acknowledged again for so many timers after the first, and not
// longer than this: its first acknowledgement may be lost.
const (
	lingerTimers = 8
	maxLinger    = 2 * time.Second
)

// A dialogue decides what a Peer sends to the other and when, and what it makes of what
// comes from there. One message is on its way at a time. It reads no socket and no
// clock.
//
// Its use is say (when idle), leave and arrived as these happen, and next until over.
type dialogue struct {
	other   netip.AddrPort
	session uint64
	rtt     rtt.Estimator
	join    time.Duration // how long a first answer may take
	giveUp  time.Duration // how long any other
	parting time.Duration // how long that to exit

	// What we say.
	number uint32 // of the message on its way, or the last one
	text   string
	busy   bool // it is not acknowledged
	tries  int
	began  time.Time
	sent   time.Time
	due    time.Time // when to send again

	leaving  bool // we want to end
	exiting  bool // the message on its way is exit
	left     bool // it is acknowledged
	deadline time.Time

	// What the other says.
	answered bool // it has ever said anything
	theirs   uint64
	known    bool // theirs is set
	heard    uint32
	former   []uint64
	gone     bool // it said exit
	lingers  time.Time
}

// idle reports whether say may be called.
func (d *dialogue) idle() bool { return !d.busy && !d.leaving && !d.gone }

// say puts a message on its way.
func (d *dialogue) say(now time.Time, text string) {
	d.number++
	d.text, d.busy, d.tries = text, true, 0
	d.began, d.due = now, now
}

// leave says exit, after what is on its way.
func (d *dialogue) leave(now time.Time) {
	if d.leaving {
		return
	}
	d.leaving = true
	d.deadline = now.Add(d.parting)
	d.sayExit(now)
}

func (d *dialogue) sayExit(now time.Time) {
	if d.leaving && !d.busy && !d.exiting && !d.gone {
		d.exiting = true
		d.say(now, exit)
	}
}

// over reports whether the chat has come to its end.
func (d *dialogue) over(now time.Time) bool {
	if d.gone {
		return !now.Before(d.lingers) // nobody else will answer a repeated exit
	}
	return d.left
}

// next says whether to send the message on its way, and when to ask again if nothing
// arrives before; zero: never. The error is a *PeerError, and ends the chat.
func (d *dialogue) next(now time.Time) (send, again bool, wake time.Time, err error) {
	end := d.giveUpAt()
	if !end.IsZero() && !now.Before(end) {
		return false, false, time.Time{}, d.failure()
	}
	wake = end
	if d.gone {
		wake = d.lingers
	}
	if !d.busy {
		return false, false, wake, nil
	}
	if !now.Before(d.due) {
		send, again = true, d.tries > 0
		if again {
			d.rtt.TimedOut() // RFC 6298, section 5.5
		}
		d.tries++
		d.sent = now
		d.due = now.Add(d.rtt.RTO())
	}
	if d.due.Before(wake) {
		wake = d.due
	}
	return send, again, wake, nil
}

// giveUpAt is when the message on its way has failed; zero if there is no such time.
func (d *dialogue) giveUpAt() time.Time {
	switch {
	case !d.busy, d.gone && d.exiting:
		return time.Time{}
	case d.gone:
		return d.lingers
	case d.leaving:
		return d.deadline
	}
	return d.began.Add(d.limit())
}

func (d *dialogue) limit() time.Duration {
	if d.answered {
		return d.giveUp
	}
	return d.join
}

// failure is the error when the message on its way has failed.
func (d *dialogue) failure() error {
	e := &PeerError{Peer: d.other, Number: d.number, Text: d.text, Silence: d.limit(), Err: ErrSilent}
	switch {
	case d.gone:
		e.Silence = d.lingers.Sub(d.began)
	case d.leaving:
		e.Silence = d.deadline.Sub(d.began)
	}
	switch {
	case d.exiting:
		e.Err = ErrUnconfirmed
	case !d.answered:
		e.Err = ErrNoAnswer
	}
	return e
}

// A verdict is what to make of a packet.
type verdict int

const (
	fresh  verdict = iota // a message or an acknowledgement that is new
	repeat                // it has come before
	ignore                // it has no place here
)

// arrived takes a packet from the other peer. A Say that is fresh or repeat is to be
// acknowledged, a fresh one that is not exit is to be heard. The error says why a
// packet is ignored.
func (d *dialogue) arrived(now time.Time, p Packet) (verdict, error) {
	v, err := d.acked, error(nil)
	if p.Kind == Say {
		v = d.said
	}
	what, err := v(now, p)
	if what != ignore {
		d.answered = true
	}
	if what == repeat {
		d.rtt.Heard()
	}
	return what, err
}

// acked takes an acknowledgement.
func (d *dialogue) acked(now time.Time, p Packet) (verdict, error) {
	switch {
	case p.Session != d.session, p.Number > d.number, p.Number == d.number && d.busy && d.tries == 0:
		return ignore, ErrNumber
	case p.Number < d.number, !d.busy:
		return repeat, nil
	}
	d.busy = false
	d.left = d.exiting
	if d.tries == 1 {
		// What was sent twice cannot be measured (Karn; RFC 6298, section 3).
		d.rtt.Sample(now.Sub(d.sent))
	} else {
		d.rtt.Heard()
	}
	d.sayExit(now)
	return fresh, nil
}

// said takes a message.
func (d *dialogue) said(now time.Time, p Packet) (verdict, error) {
	switch {
	case p.Session == d.session:
		return ignore, ErrForeign // our own, come back
	case slices.Contains(d.former, p.Session):
		return ignore, ErrNumber
	case d.gone && p.Session != d.theirs:
		return ignore, ErrNumber // the other has started again: for the next chat
	case !d.known || p.Session != d.theirs:
		d.meet(p)
	}
	switch {
	case p.Number > d.heard+1:
		return ignore, ErrNumber
	case p.Number <= d.heard:
		if d.gone {
			d.linger(now)
		}
		return repeat, nil
	}
	d.heard = p.Number
	if string(p.Text) == exit {
		d.gone = true
		d.linger(now)
	}
	d.rtt.Heard()
	return fresh, nil
}

// meet begins with a session of the other peer. If it is not the first that we see, the
// other has started again; if its number is not 1, we have.
func (d *dialogue) meet(p Packet) {
	if d.known {
		d.former = append(d.former, d.theirs)
		d.former = d.former[max(0, len(d.former)-maxFormer):]
	}
	d.theirs, d.known = p.Session, true
	d.heard = p.Number - 1
}

func (d *dialogue) linger(now time.Time) {
	d.lingers = now.Add(min(lingerTimers*d.rtt.RTO(), maxLinger))
}
