package p2mp

import "time"

// A congestion decides how fast one receiver is sent to. It follows a model of the path
// and not its losses: how many packets per second arrive at the most, and how long an
// undisturbed round trip takes (the idea of BBR, draft-ietf-ccwg-bbr). It sends at the
// rate that arrives, a little more in one round of eight, to see whether more would,
// and a little less in the next, to empty the queue that made. So random loss slows
// nothing down, and a queue that overflows is noticed by its delay.
//
// All quantities are in packets. It is told the time.
type congestion struct {
	// slack is what may be under way beyond the path's own content, because receivers
	// answer in intervals.
	slack  int
	phase  phase
	minRTT time.Duration // of the last minRTTMemory
	minAt  time.Time

	best  [rateMemory]float64 // highest delivery rate of each of the last rounds, in packets/s
	round int
	ends  uint32 // the round ends with the answer to this poll

	full     float64 // highest rate while starting
	fullFor  int     // rounds since it grew by a quarter
	step     int     // of the probing cycle
	stepAt   time.Time
	cap      float64       // what the rate is held to after the queue overflowed; 0: nothing
	loss     float64       // smoothed share of packets lost while there is no queue
	calm     int           // rounds since there was a queue
	roundGot int           // delivered in this round
	roundOut int           // lost in this round
	roundRTT time.Duration // the fastest answer of this round,
	lastRTT  time.Duration // and of the one before
}

type phase int

const (
	starting phase = iota // doubling, until the rate grows no more
	draining              // emptying the queue that starting has built
	probing               // around the rate that was found
)

const (
	rateMemory   = 10 // rounds
	minRTTMemory = 10 * time.Second
	startGain    = 2.885 // 2/ln 2: doubles the rate in a round
	firstWindow  = 16    // packets, before anything is known
	leastPace    = 10    // packets/s
)

// probeGains is the cycle of probing.
var probeGains = [...]float64{1.25, 0.75, 1, 1, 1, 1, 1, 1}

// rate is the highest delivery rate of the last rounds, in packets/s.
func (c *congestion) rate() float64 {
	var r float64
	for _, b := range c.best {
		r = max(r, b)
	}
	if c.cap > 0 {
		r = min(r, c.cap)
	}
	return r
}

// content is what the path holds without a queue.
func (c *congestion) content() float64 { return c.rate() * c.minRTT.Seconds() }

// pace is how many packets to send in a second; 0 while nothing is known.
func (c *congestion) pace() float64 {
	gain := probeGains[c.step]
	switch c.phase {
	case starting:
		gain = startGain
	case draining:
		gain = 1 / startGain
	}
	if c.rate() == 0 {
		return 0
	}
	// What is lost at random must be sent on top of what arrives. And however bad a
	// measurement was, there must be others.
	return max(leastPace, gain*c.rate()/(1-min(c.loss, 0.5)))
}

// window is how many packets may be under way.
func (c *congestion) window() int {
	if c.phase == starting {
		return max(firstWindow, int(2*startGain*c.content()))
	}
	return int(2*c.content()) + c.slack
}

// A sample is what the answer to a poll tells.
type sample struct {
	poll      uint32 // the number of the poll, and of the next one
	nextPoll  uint32
	rtt       time.Duration
	delivered int     // newly known to have arrived
	lost      int     // newly known to be lost
	rate      float64 // packets/s delivered; 0: not measured
	limited   bool    // there was too little to send for the rate to tell anything
	underWay  int
}

// update takes a sample.
func (c *congestion) update(now time.Time, s sample) {
	if c.minRTT == 0 || s.rtt <= c.minRTT || now.Sub(c.minAt) > minRTTMemory {
		c.minRTT, c.minAt = max(s.rtt, time.Microsecond), now
	}
	c.roundGot += s.delivered
	c.roundOut += s.lost
	if c.roundRTT == 0 || s.rtt < c.roundRTT {
		c.roundRTT = s.rtt
	}
	if s.rate > 0 && (!s.limited || s.rate > c.rate()) {
		i := c.round % rateMemory
		c.best[i] = max(c.best[i], s.rate)
	}
	if s.poll >= c.ends {
		c.endRound(s)
	}
	c.advance(now, s)
}

// queueing reports whether even the fastest answer of this round, or the one before,
// had to wait in a queue. The one before counts because a full queue drops polls, too,
// and when a later one is answered the queue has gone.
func (c *congestion) queueing() bool {
	return max(c.roundRTT, c.lastRTT) > c.minRTT+c.minRTT/4+time.Millisecond
}

func (c *congestion) endRound(s sample) {
	rate := c.rate()
	if total := c.roundGot + c.roundOut; total > 0 {
		lost := float64(c.roundOut) / float64(total)
		if c.calm++; c.queueing() {
			c.calm = 0
		}
		switch {
		case c.calm > 0:
			if c.calm > 2 { // what a queue dropped earlier has been reported by then
				c.loss += (lost - c.loss) / 4
			}
			c.cap = min(c.cap*1.1, 10*rate)
		case lost > 0.02+2*c.loss:
			// The queue overflows: there are others who want their share.
			c.cap = 0.85 * rate
		default:
			c.cap *= 1.05
		}
	}
	if c.phase == starting && !s.limited {
		if c.fullFor++; rate >= 1.25*c.full {
			c.full, c.fullFor = rate, 0
		}
	}
	c.round++
	c.best[c.round%rateMemory] = 0
	if s.limited { // what is known does not grow old while nothing is sent
		c.best[c.round%rateMemory] = rate
	}
	c.ends = s.nextPoll
	c.roundGot, c.roundOut, c.lastRTT, c.roundRTT = 0, 0, c.roundRTT, 0
}

// advance goes from phase to phase.
func (c *congestion) advance(now time.Time, s sample) {
	switch c.phase {
	case starting:
		if c.fullFor >= 3 {
			c.phase = draining
		}
	case draining:
		if float64(s.underWay) <= c.content()+float64(c.slack)/2 {
			c.phase, c.step, c.stepAt = probing, 2, now
		}
	case probing:
		if now.Sub(c.stepAt) >= c.minRTT {
			c.step, c.stepAt = (c.step+1)%len(probeGains), now
		}
	}
}
