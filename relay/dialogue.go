package relay

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/rtt"
)

// maxFormer is the maximum number of earlier sessions of the other peer that are remembered.
const maxFormer = 8

// After the other peer's exit a Peer lingers: the acknowledgement may be lost, and then the exit comes again.
const (
	lingerTimers = 8 // retransmission timeouts
	maxLinger    = 2 * time.Second
)

// A dialogue is the state machine of a Peer: it decides what is sent and when, and what a received packet means. One
// message is in flight at a time. It reads no socket and no clock.
//
// Call say when idle, leave to end, arrived for each packet, and next until over.
type dialogue struct {
	other   netip.AddrPort
	session uint64
	rtt     rtt.Estimator
	join    time.Duration // timeout of the first answer
	giveUp  time.Duration // timeout of any other answer
	parting time.Duration // timeout of the answer to exit

	// Sending.
	number uint32 // of the last message
	text   string
	busy   bool // the last message is not acknowledged
	tries  int
	began  time.Time // when the message was sent first
	sent   time.Time // when it was sent last
	due    time.Time // when to retransmit

	leaving  bool // leave was called
	exiting  bool // the last message is exit
	left     bool // exit is acknowledged
	deadline time.Time

	// Receiving.
	answered bool   // a packet has arrived
	theirs   uint64 // the other peer's session
	known    bool   // theirs is set
	heard    uint32 // the last number of theirs
	former   []uint64
	gone     bool // the other peer said exit
	lingers  time.Time
}

// idle reports whether say may be called.
func (d *dialogue) idle() bool { return !d.busy && !d.leaving && !d.gone }

// say sends a message.
func (d *dialogue) say(now time.Time, text string) {
	d.number++
	d.text, d.busy, d.tries = text, true, 0
	d.began, d.due = now, now
}

// leave sends exit, after the message in flight.
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

// over reports whether the chat has ended.
func (d *dialogue) over(now time.Time) bool {
	if d.gone {
		return !now.Before(d.lingers)
	}
	return d.left
}

// next reports whether to send the message now, and whether that is a retransmission. Call it again at wake, or when a
// packet arrives; a zero wake means never. The error is a *PeerError and ends the chat.
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

// giveUpAt returns the time at which the message in flight has failed, or zero.
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

// failure returns the error when the message in flight has failed.
func (d *dialogue) failure() error {
	e := &PeerError{Addr: d.other, Number: d.number, Text: d.text, Elapsed: d.giveUpAt().Sub(d.began), Err: ferry.ErrSilent}
	switch {
	case d.exiting:
		e.Err = ferry.ErrUnconfirmed
	case !d.answered:
		e.Err = ferry.ErrNoAnswer
	}
	return e
}

// A verdict classifies a packet.
type verdict int

const (
	fresh  verdict = iota // a new message or acknowledgement
	repeat                // a duplicate
	ignore                // unexpected
)

// arrived takes a packet from the other peer. The caller acknowledges a Say that is not ignored, and passes on a fresh
// one that is not exit. The error says why a packet is ignored.
func (d *dialogue) arrived(now time.Time, p Packet) (verdict, error) {
	take := d.acked
	if p.Kind == Say {
		take = d.said
	}
	what, err := take(now, p)
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
		// A retransmitted message gives no sample (Karn's algorithm; RFC 6298, section 3).
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
		return ignore, ferry.ErrUnsolicited // our own packet came back
	case slices.Contains(d.former, p.Session):
		return ignore, ErrNumber
	case d.gone && p.Session != d.theirs:
		return ignore, ErrNumber // the other peer was restarted: this is the next chat
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

// meet accepts a new session of the other peer. If there was another before, the other peer was restarted. If the number
// is not 1, this peer was.
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
