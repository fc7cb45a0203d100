package rtt

import "time"

const (
	defaultInitial = 100 * time.Millisecond
	defaultMin     = 2 * time.Millisecond
	defaultMax     = time.Second

	// granularity is G of RFC 6298, section 2: what a timer is taken to be good for.
	// Timers of today fire within tens of microseconds; the rest of the millisecond is
	// for a peer that must be scheduled before it can answer.
	granularity = time.Millisecond

	// longest is the most that a sample counts for. It keeps 7*SRTT and 4*RTTVAR far
	// from overflow, and no timer of a sane Max ever gets near it.
	longest = time.Hour

	// patience is how many answers in a row may come after a timeout, none of them a
	// sample, before the timer is taken to be shorter than the round trip.
	patience = 6
)

// A Config holds the bounds of a retransmission timer. The zero value is ready: a field
// that is zero means its default, and Fixed means off.
type Config struct {
	// Initial is the timer before the first sample: 100 ms by default, the value of the
	// P2MP-FTP report. (RFC 6298, section 2.1 has one second.)
	Initial time.Duration

	// Min is the shortest timer: 2 ms by default. (RFC 6298, section 2.4 has one
	// second, for the coarse clocks and delayed acknowledgements of TCP, and ours has
	// neither.) Negative means no floor but the granularity of 1 ms.
	Min time.Duration

	// Max is the longest timer, backed off or not: one second by default. (RFC 6298,
	// section 2.5 allows 60 seconds or more.) It wins over Min and Initial. Negative
	// means no cap but one hour.
	Max time.Duration

	// Fixed, if positive, is the timer at all times: not measured, not bounded by Min
	// and Max, never backed off.
	Fixed time.Duration
}

func (c *Config) initial() time.Duration {
	if c.Initial <= 0 {
		return defaultInitial
	}
	return c.Initial
}

func (c *Config) floor() time.Duration {
	if c.Min == 0 {
		return defaultMin
	}
	return max(c.Min, granularity)
}

func (c *Config) ceiling() time.Duration {
	switch {
	case c.Max == 0:
		return defaultMax
	case c.Max < 0:
		return longest
	}
	return c.Max
}

// An Estimator estimates the round trip time to one peer. The zero value is ready to use with
// the defaults of [Config], which may be set before the first call and changed at any time. A
// copy of an Estimator is independent of the original. It is not safe for concurrent use.
type Estimator struct {
	Config

	measured bool          // there has been a sample
	srtt     time.Duration // smoothed round trip
	rttvar   time.Duration // how much it varies
	latest   time.Duration // the last sample
	least    time.Duration // the smallest sample

	timeouts int // in a row, nothing heard between them
	late     int // answers in a row that came after a timeout
}

// Sample takes the time from sending a packet to the arrival of its answer. The packet
// must have been sent once (Karn's algorithm; RFC 6298, section 3), or the answer must
// say which copy it answers. Backing off ends: "once a new RTT measurement is obtained
// [...] the computations outlined in Section 2 are performed, including the computation
// of RTO" (RFC 6298, section 5).
//
// Zero is a sample. A negative d is not, whatever clock gave it, and counts as
// [Estimator.Heard]. More than an hour counts as an hour.
func (e *Estimator) Sample(d time.Duration) {
	if d < 0 {
		e.Heard()
		return
	}
	e.timeouts, e.late = 0, 0
	e.measure(min(d, longest))
}

func (e *Estimator) measure(r time.Duration) {
	e.latest = r
	if !e.measured {
		// "When the first RTT measurement R is made, the host MUST set SRTT <- R,
		// RTTVAR <- R/2" (RFC 6298, section 2.2).
		e.measured, e.srtt, e.rttvar, e.least = true, r, r/2, r
		return
	}
	e.least = min(e.least, r)
	// RTTVAR first, from the old SRTT: "The value of SRTT used in the update to RTTVAR
	// is its value before updating SRTT itself" (RFC 6298, section 2.3, with alpha =
	// 1/8 and beta = 1/4).
	e.rttvar = (3*e.rttvar + (e.srtt - r).Abs()) / 4
	e.srtt = (7*e.srtt + r) / 8
}

// Heard says that something arrived from the peer that is not a sample. The peer is
// alive, so backing off ends; "Choices" in the package comment has the one exception.
func (e *Estimator) Heard() {
	if e.timeouts > 0 {
		e.timeouts = 0
		e.late++
	}
}

// TimedOut says that the timer ran out. It doubles the next, up to Max (RFC 6298, rule
// 5.5: "The host MUST set RTO <- RTO * 2").
func (e *Estimator) TimedOut() { e.timeouts++ }

// RTO is how long to wait for an answer from now on before sending again: SRTT + max(1
// ms, 4 RTTVAR) (RFC 6298, section 2.3) within Min and Max, Initial before the first
// sample, doubled for every timeout since the peer was last heard, and never more than
// Max. It is always positive.
func (e *Estimator) RTO() time.Duration {
	if e.Fixed > 0 {
		return e.Fixed
	}
	rto := e.initial()
	if e.measured {
		rto = e.srtt + max(granularity, 4*e.rttvar)
	}
	most := e.ceiling()
	rto = min(max(rto, e.floor()), most)
	// A loop and not a shift: it stops at Max however many the timeouts.
	for n := e.timeouts + e.late/patience; n > 0 && rto < most; n-- {
		rto = double(rto, most)
	}
	return rto
}

// double is 2*d, or most if that is less, without overflow.
func double(d, most time.Duration) time.Duration {
	if d > most/2 {
		return most
	}
	return 2 * d
}

// SRTT is the smoothed round trip, 0 before the first sample.
func (e *Estimator) SRTT() time.Duration { return e.srtt }

// RTTVar is the round trip's variation, 0 before the first sample.
func (e *Estimator) RTTVar() time.Duration { return e.rttvar }

// MinRTT is the shortest sample, 0 before the first: the closest there is to the path's
// delay without its queues.
func (e *Estimator) MinRTT() time.Duration { return e.least }

// Latest is the last sample, 0 before the first.
func (e *Estimator) Latest() time.Duration { return e.latest }

// Measured reports whether there has been a sample.
func (e *Estimator) Measured() bool { return e.measured }
