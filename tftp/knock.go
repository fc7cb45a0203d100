package tftp

import (
	"errors"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// The timers of a transfer. The first value holds before a round trip is measured.
const (
	initialTimeout = 250 * time.Millisecond
	shortestRTO    = 5 * time.Millisecond
	longestRTO     = time.Second
	// A receiver repeats its ACK, too, when nothing arrives, but leaves it to the
	// sender to be the first to lose patience.
	receiverInitial = 500 * time.Millisecond
	receiverRTO     = 20 * time.Millisecond
	wideReceiverRTO = 250 * time.Millisecond
)

// senderTimer is the timer of one that sends blocks or requests. The timeout that a
// client asked for (RFC 2349) bounds it.
func senderTimer(s Settings) rtt.Config {
	return rtt.Config{Initial: initialTimeout, Min: shortestRTO, Max: max(longestRTO, s.Timeout)}
}

func receiverTimer(s Settings, wide bool) rtt.Config {
	c := rtt.Config{Initial: receiverInitial, Min: receiverRTO, Max: max(longestRTO, s.Timeout)}
	if wide {
		c.Min = wideReceiverRTO
	}
	return c
}

// A knock is the packet that opens a conversation: a request, or the OACK that answers
// one. It is sent until the other side answers. It reads no socket and no clock.
type knock struct {
	timer  rtt.Estimator
	budget *amplify.Budget // of what may go to an address that has not answered
	length int             // of the packet
	tries  int
	sent   time.Time
}

// next reports whether to send at now, and when to ask again.
func (k *knock) next(now time.Time) (send bool, wake time.Time) {
	if due := k.sent.Add(k.timer.RTO()); k.tries > 0 && now.Before(due) {
		return false, due
	}
	if !k.budget.Allows(k.length) {
		return false, time.Time{} // until the other side asks again, which wakes the read
	}
	if k.tries > 0 {
		k.timer.TimedOut()
	}
	k.budget.Sent(k.length)
	k.tries++
	k.sent = now
	return true, now.Add(k.timer.RTO())
}

// answered takes the round trip, if it can be told (Karn).
func (k *knock) answered(now time.Time) {
	if k.tries == 1 {
		k.timer.Sample(now.Sub(k.sent))
	} else {
		k.timer.Heard()
	}
}

// knock sends b until fits says that a packet is the answer, which it returns. Other
// packets have no place yet.
func (c *conversation) knock(k *knock, b []byte, fits func(Packet) (bool, error)) (Packet, error) {
	for {
		now := time.Now()
		if err := c.silence(now); err != nil {
			return Packet{}, err
		}
		if c.askedAgain() {
			renew(k.budget, k.length)
		}
		send, wake := k.next(now)
		if send {
			c.batch = append(c.batch, datagram.Packet{Data: b, Addr: c.to()})
			if err := c.flush(); err != nil {
				return Packet{}, err
			}
		}
		p, err := c.receive(c.until(wake))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return Packet{}, err
		}
		if ok, err := fits(p); err != nil {
			c.peer = c.from
			return Packet{}, err
		} else if ok {
			now = time.Now()
			k.answered(now)
			c.hear(now)
			return p, nil
		}
		c.unexpected(p)
	}
}

// unexpected counts a packet that came from the right host and has no place here.
func (c *conversation) unexpected(p Packet) {
	c.report.Bad++
	if !c.locked() {
		c.stray(c.from, p, nil)
		return
	}
	c.bad(c.from, ErrUnexpected)
}

// rtt is the round trip that answered measured, negative if it could not.
func (k *knock) rtt() time.Duration {
	if !k.timer.Measured() {
		return -1
	}
	return k.timer.SRTT()
}
