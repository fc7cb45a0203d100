package p2mp

import (
	"math"
	"slices"
	"time"
)

// A congestion decides how fast data is sent to one receiver. It follows a model of the
// path, not its losses (the idea of BBR, draft-ietf-ccwg-bbr). The model has two values:
// the highest delivery rate, and the shortest round trip. The sender sends at the delivery
// rate. At intervals it sends a little faster for one round trip, to find a higher rate,
// and then a little slower for one round trip, to empty the queue. The rate changes only
// with a poll, so that each answer measures one rate. Random loss does not lower the rate.
//
// A queue has dropped packets if the delay shows a queue and more is lost than without
// one. The queue is then shared with other senders. Each sender lowers its rate by the same
// factor and raises it again by the same number of packets, so that the rates converge.
//
// All quantities are in packets. The caller passes the time.
type congestion struct {
	backoff
	// slack is how many packets may be in flight in addition to those that the path holds,
	// because receivers answer at intervals.
	slack  int
	phase  phase
	minRTT time.Duration // of the last minRTTMemory
	minAt  time.Time

	best     [rateMemory]float64 // highest delivery rate of each of the last rounds, in packets/s
	measured float64             // the highest of them
	round    int
	ends     uint32 // the round ends with the answer to this poll

	full     float64 // highest rate while starting
	fullFor  int     // rounds since it grew by a quarter
	step     step    // of probing
	stepAt   time.Time
	polls    int     // since then
	parts    int     // how many polls it takes until all receivers have answered one; 0: one
	cap      float64 // limit of the rate after the queue overflowed; 0: none
	rise     float64 // the next increase of the cap, in packets per round trip
	loss     float64 // smoothed share of packets lost while there is no queue
	policed  policed
	calm     int           // rounds since there was a queue
	roundGot int           // delivered in this round,
	roundOut int           // lost in it,
	roundAll int           // of these, lost by every receiver
	roundOf  int           // number of receivers
	roundRTT time.Duration // the fastest answer of this round,
	lastRTT  time.Duration // and of the one before
}

type phase int

const (
	starting phase = iota // doubling, until the rate grows no more
	draining              // emptying the queue that starting has built
	probing               // around the rate that was found
)

// A step of probing lasts for at least one round trip and ends with a poll. If receivers
// answer in turns, it ends when all have been polled. The last step is longer.
type step int

const (
	faster step = iota
	slower
	steady
)

const (
	rateMemory   = 10 // rounds
	minRTTMemory = 10 * time.Second
	startGain    = 2.885 // 2/ln 2: doubles the rate in a round
	firstWindow  = 16    // packets, before anything is known
	leastPace    = 10    // packets/s
	probeRest    = 6     // round trips, at the least, between two times of probing
	probePackets = 4     // more in a round trip, at least
	giveWay      = 0.75  // is kept of the rate when the queue overflows
	calmAfter    = 2     // rounds after a queue was seen, its losses are known
)

// rate is the estimated capacity of the path, in packets/s.
func (c *congestion) rate() float64 {
	if c.cap > 0 {
		return min(c.measured, c.cap)
	}
	return c.measured
}

// content is what the path holds without a queue.
func (c *congestion) content() float64 { return c.rate() * c.minRTT.Seconds() }

// pace is how many packets to send in a second; 0 while nothing is known.
func (c *congestion) pace() float64 {
	if c.rate() == 0 {
		return c.initialPace()
	}
	gain := 1.0
	switch {
	case c.phase == starting:
		gain = startGain
	case c.phase == draining:
		gain = 1 / startGain
	case c.step == faster:
		gain = 1 + c.excess()
	case c.step == slower:
		gain = 1 - c.excess()/2
	}
	// Random losses are made up for by sending more. The lower bound keeps the
	// measurements going after a wrong one.
	return max(leastPace, gain*c.rate()/(1-min(c.loss, 0.5)))
}

// initialPace is the pace while no rate is known: 0, because the first window is limit
// enough. After the data were stopped the first window is spread over a round trip, and
// each further stop halves the pace.
func (c *congestion) initialPace() float64 {
	if c.stops == 0 {
		return 0
	}
	return max(leastPace, firstWindow/c.minRTT.Seconds()/float64(uint64(1)<<min(c.stops, 32)))
}

// excess is how much faster than the rate a probing step is, as a share of the rate: a
// quarter, or four packets per round trip if that is more. A sender with a small share of
// the link therefore gets a larger one soon.
func (c *congestion) excess() float64 {
	return min(max(0.25, probePackets/max(1, c.content())), 1)
}

// window is how many packets may be under way.
func (c *congestion) window() int {
	if c.phase == starting {
		return max(firstWindow, int(2*startGain*c.content()))
	}
	return int(2*c.content()) + c.slack
}

// room is how many packets may be under way, two at least, or one probe.
func (c *congestion) room() int {
	if c.stopped {
		return 1
	}
	return max(2, c.window())
}

// interval is how many chunks are sent between polls: fewer if the window is small or the
// pace is low.
func (c *congestion) interval() int {
	if c.stopped {
		return 1
	}
	n := pollEvery
	if pace := c.pace(); pace > 0 {
		n = max(n, min(pollMost, int(pace*pollSoon.Seconds())))
		n = min(n, max(pollLeast, int(pace*max(2*c.minRTT, pollTime).Seconds())))
	}
	if c.suspect {
		n = min(n, suspectPoll)
	}
	return max(4, min(n, c.room()/2))
}

// A sample is what the sender learns from the answer to a poll.
type sample struct {
	poll      uint32 // the number of the poll, and of the next one
	nextPoll  uint32
	rtt       time.Duration
	delivered int     // newly known to have arrived
	lost      int     // newly known to be lost,
	lostByAll int     // at least this many by every receiver
	of        int     // number of receivers; lost is the highest of theirs
	rate      float64 // packets/s delivered; 0: not measured
	limited   bool    // there was too little to send for the rate to tell anything
	probed    bool    // it was sent at more than the rate
	underWay  int
	run       int  // the latest chunks before the poll that were lost, in a row
	silent    bool // several polls before this one were not answered in time
}

// update takes a sample.
func (c *congestion) update(now time.Time, s sample) {
	if c.minRTT == 0 || s.rtt <= c.minRTT || now.Sub(c.minAt) > minRTTMemory {
		c.minRTT, c.minAt = max(s.rtt, time.Microsecond), now
	}
	if c.judge(now, s.run, c.minRTT, s.silent) {
		c.resume(s)
	}
	if c.stopped {
		return // single packets do not measure a rate
	}
	c.police(now, s)
	c.roundGot += s.delivered
	c.roundOut += s.lost
	c.roundAll += s.lostByAll
	c.roundOf = max(c.roundOf, s.of)
	if c.roundRTT == 0 || s.rtt < c.roundRTT {
		c.roundRTT = s.rtt
	}
	c.delivers(max(c.best[c.round%rateMemory], s.rate))
	c.learnLoss(s)
	if s.poll >= c.ends {
		c.endRound(s)
	}
	c.advance(now, s)
}

// resume goes on after the data were stopped, at half the rate.
func (c *congestion) resume(s sample) {
	if rate := c.rate(); rate > 0 {
		c.cap, c.rise = keepRate*rate, 1
	}
	c.ends = s.nextPoll
	c.roundGot, c.roundOut, c.roundAll, c.roundOf = 0, 0, 0, 0
}

// policed counts arrived and lost packets since a time, for the receiver with the least loss.
type policed struct {
	since    time.Time
	got, out int
	most     bool // of what was sent before that time was lost
}

// How long and how much is measured before a policer is assumed.
const (
	policeTime   = 100 * time.Millisecond // or four round trips
	policeSample = 96                     // packets
)

// police limits the rate to the average delivery rate if more than half of the packets are
// lost. A policer passes bursts, so the highest measured rate is far above its average rate.
func (c *congestion) police(now time.Time, s sample) {
	p := &c.policed
	if p.since.IsZero() {
		p.since = now
		return
	}
	p.got += s.delivered + s.lost - s.lostByAll
	p.out += s.lostByAll
	d := now.Sub(p.since)
	if d < max(policeTime, 4*c.minRTT) || p.got+p.out < policeSample {
		return
	}
	if average := float64(p.got) / d.Seconds(); p.out > p.got && average < c.rate() {
		c.cap, c.rise = max(average, leastPace), 1
		clear(c.best[:])
		c.delivers(c.cap)
	}
	*p = policed{since: now, most: p.out > p.got}
}

// delivers notes the highest delivery rate of this round.
func (c *congestion) delivers(rate float64) {
	c.best[c.round%rateMemory] = rate
	c.measured = slices.Max(c.best[:])
}

// learnLoss estimates the random loss from packets that were sent no faster than the
// rate. While there is a queue, the queue may be the reason for losses. The estimate is
// then lowered quickly but raised slowly. A run of losses is not random and not counted.
func (c *congestion) learnLoss(s sample) {
	total := s.delivered + s.lost
	if total == 0 || s.probed || c.phase != probing || s.run >= lostRun/3 {
		return
	}
	d := float64(s.lost)/float64(total) - c.loss
	if d > 0 && c.calm <= calmAfter {
		d /= 16
	}
	c.loss += d * min(1, float64(total)/(4*pollEvery))
}

// queueing reports whether even the fastest answer of this round or of the one before
// waited in a queue. The round before counts because a full queue also drops polls. When
// a later poll is answered, the queue is empty again.
func (c *congestion) queueing() bool {
	return max(c.roundRTT, c.lastRTT) > c.minRTT+c.minRTT/4+time.Millisecond
}

// overflowed reports whether random loss does not explain the losses of this round. It
// compares the packets that all receivers lost, because they share the queue, and the
// highest losses of one receiver. The highest of n random losses is above their mean:
// sqrt(2 ln n) standard deviations bound the expected maximum of n normal variables.
func (c *congestion) overflowed() bool {
	total, out := float64(c.roundGot+c.roundOut), float64(c.roundOut)
	bound := 2 + total*(0.02+2*c.loss)
	chance := math.Sqrt(2 * math.Log(float64(max(1, c.roundOf))) * out)
	return float64(c.roundAll) > bound || out > max(bound, 2+0.02*total+chance)
}

func (c *congestion) endRound(s sample) {
	rate := c.rate()
	if c.calm++; c.queueing() {
		c.calm = 0
	}
	if c.calm == 0 && c.overflowed() {
		c.cap, c.rise = giveWay*rate, 1
	} else {
		c.raise()
	}
	if c.phase == starting && !s.limited {
		switch c.fullFor++; {
		case rate >= 1.25*c.full:
			c.full, c.fullFor = rate, 0
		case c.roundOut > c.roundGot/4: // a queue that drops this much is full for sure
			c.fullFor++
		}
	}
	c.round++
	if !s.limited && s.run < lostRun/3 { // without data the measurements do not expire
		rate = 0
	}
	c.delivers(rate)
	c.ends = s.nextPoll
	c.roundGot, c.roundOut, c.roundAll, c.roundOf = 0, 0, 0, 0
	c.lastRTT, c.roundRTT = c.roundRTT, 0
}

// raise lifts the cap after a round without overflow: by one packet per round trip, then
// two, four, eight. It at most doubles the cap. All senders that share the queue gain the
// same number of packets, so their rates converge (Chiu and Jain's additive increase).
func (c *congestion) raise() {
	if c.cap == 0 {
		return
	}
	c.cap += min(c.cap, c.rise/c.minRTT.Seconds())
	c.rise *= 2
	if c.cap >= c.measured {
		c.cap = 0
	}
}

// asked records that a poll is sent, and begins the next step of probing if it is due. It
// reports whether the packets before the poll were sent faster than the rate.
func (c *congestion) asked(now time.Time) (probed bool) {
	probed = c.phase == starting || c.phase == probing && c.step == faster
	c.polls++
	if c.phase == probing && now.Sub(c.stepAt) >= c.minRTT && c.polls >= c.parts {
		switch {
		case c.step != steady:
			c.step, c.stepAt, c.polls = c.step+1, now, 0
		case now.Sub(c.stepAt) >= probeRest*c.minRTT:
			c.step, c.stepAt, c.polls = faster, now, 0
		}
	}
	return probed
}

// advance goes from phase to phase.
func (c *congestion) advance(now time.Time, s sample) {
	switch c.phase {
	case starting:
		if c.fullFor >= 3*max(1, c.parts) {
			c.phase = draining
		}
	case draining:
		if float64(s.underWay) <= c.content()+float64(c.slack)/2 {
			c.phase, c.step, c.stepAt, c.polls = probing, steady, now, 0
		}
	}
}
