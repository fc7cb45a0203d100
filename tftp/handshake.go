package tftp

import (
	"errors"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// The timers of a transfer. The initial value holds until a round trip is measured.
const (
	initialTimeout = 250 * time.Millisecond
	minRTO         = 5 * time.Millisecond
	maxRTO         = time.Second
	// A receiver also repeats its ACK when nothing arrives. Its timer is longer, so that the
	// sender retransmits first.
	receiverInitial    = 500 * time.Millisecond
	receiverMinRTO     = 20 * time.Millisecond
	wideReceiverMinRTO = 250 * time.Millisecond
)

// senderTimer is the timer of the side that sends blocks or requests. The timeout that the
// server has granted (RFC 2349) raises the maximum.
func senderTimer(s Settings) rtt.Config {
	return rtt.Config{Initial: initialTimeout, Min: minRTO, Max: max(maxRTO, s.Timeout)}
}

func receiverTimer(s Settings, wide bool) rtt.Config {
	c := rtt.Config{Initial: receiverInitial, Min: receiverMinRTO, Max: max(maxRTO, s.Timeout)}
	if wide {
		c.Min = wideReceiverMinRTO
	}
	return c
}

// A handshake decides when to send the packet that begins a transfer: a request, or the OACK
// that answers one. The packet is retransmitted until the other side answers. A handshake
// reads no socket and no clock.
type handshake struct {
	timer  rtt.Estimator
	budget *amplify.Budget // what may be sent until the other side has answered
	length int             // of the packet
	tries  int
	sent   time.Time
}

// next reports whether to send at now, and when to call next again.
func (h *handshake) next(now time.Time) (send bool, wake time.Time) {
	if due := h.sent.Add(h.timer.RTO()); h.tries > 0 && now.Before(due) {
		return false, due
	}
	if !h.budget.Allows(h.length) {
		return false, time.Time{} // a repeated request wakes the read
	}
	if h.tries > 0 {
		h.timer.TimedOut()
	}
	h.budget.Sent(h.length)
	h.tries++
	h.sent = now
	return true, now.Add(h.timer.RTO())
}

// answered measures the round trip if the packet was sent once (Karn; RFC 6298, section 3).
func (h *handshake) answered(now time.Time) {
	if h.tries == 1 {
		h.timer.Sample(now.Sub(h.sent))
	} else {
		h.timer.Heard()
	}
}

// rtt returns the measured round trip, negative if there is none.
func (h *handshake) rtt() time.Duration {
	if !h.timer.Measured() {
		return -1
	}
	return h.timer.SRTT()
}

// handshake sends b until fits reports that a packet is the answer, and returns that packet.
// Other packets are counted as unexpected.
func (c *transfer) handshake(h *handshake, b []byte, fits func(Packet) (bool, error)) (Packet, error) {
	for {
		now := time.Now()
		if err := c.checkTimeout(now); err != nil {
			return Packet{}, err
		}
		if c.askedAgain() {
			grantAgain(h.budget, h.length)
		}
		send, wake := h.next(now)
		if send {
			c.batch = append(c.batch, datagram.Packet{Data: b, Addr: c.to()})
			if err := c.flush(); err != nil {
				return Packet{}, err
			}
		}
		p, err := c.receive(c.wakeBy(wake))
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
			h.answered(now)
			c.progressed(now)
			return p, nil
		}
		c.unexpected(p)
	}
}
