package directory

import "time"

// The constants of the timer. The gains are those of RFC 6298 (section 2.3), which
// CEN 502 project 2 takes from Kurose and Ross without numbers.
const (
	initialTimeout = 100 * time.Millisecond // before the first sample
	minTimeout     = 2 * time.Millisecond
	maxTimeout     = time.Second
	granularity    = time.Millisecond
)

// A timer says how long to wait for an acknowledgement. It computes, in the order of
// CEN 502 project 2 (part II, 1.2.1),
//
//	EstimatedRTT = (1-α) EstimatedRTT + α SampleRTT             α = 1/8
//	DevRTT       = (1-β) DevRTT + β |SampleRTT - EstimatedRTT|  β = 1/4
//	timeout      = EstimatedRTT + 4 DevRTT
//
// so that the deviation is from the new estimate, where RFC 6298 (section 2.3) takes it
// from the old one. That is why internal/rtt does not serve here.
//
// The zero value is ready. It looks at no clock.
type timer struct {
	est, dev time.Duration
	measured bool
	backoff  uint // doublings, until something is heard
	late     uint // answers in a row that came only after a timeout
}

// lateRun is how many answers in a row may come only after a timeout before the timeout
// doubles for good, until the next sample. Where the round trip is longer than the
// timeout everything is sent twice, nothing is ever a sample, and the timer would never
// learn; chance alone hardly makes six in a row.
const lateRun = 6

// sample takes a measured round trip, of a datagram that was sent once (Karn; RFC 6298,
// section 3).
func (t *timer) sample(d time.Duration) {
	t.backoff, t.late = 0, 0
	if !t.measured {
		// The first sample sets both (RFC 6298, section 2.2).
		t.est, t.dev, t.measured = d, d/2, true
		return
	}
	t.est += (d - t.est) / 8
	t.dev += ((d - t.est).Abs() - t.dev) / 4
}

// heard says that the other side is alive, though nothing can be measured: backing off
// ends.
func (t *timer) heard() {
	if t.backoff > 0 {
		t.late++
	}
	t.backoff = 0
}

// timedOut doubles the timeout (RFC 6298, section 5.5).
func (t *timer) timedOut() { t.backoff++ }

// timeout is how long to wait from now on.
func (t *timer) timeout() time.Duration {
	d := initialTimeout
	if t.measured {
		d = max(t.est+max(4*t.dev, granularity), minTimeout)
	}
	doublings := min(t.backoff+t.late/lateRun, 16)
	return min(min(d, maxTimeout)<<doublings, maxTimeout)
}
