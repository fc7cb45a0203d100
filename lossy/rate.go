package lossy

import (
	"fmt"
	"math"
	"time"
)

// Rate is a link that carries bitsPerSecond, with a queue in front of it for
// the packets that come while it is busy. When queue packets wait (one more
// is on the link), another is dropped: a tail drop. A queue of 0 drops
// whatever finds the link busy. Payload bytes are counted, headers are not. It
// panics unless the rate is positive and finite and the queue is not negative.
func Rate(bitsPerSecond float64, queue int) Model {
	if !(bitsPerSecond > 0) || math.IsInf(bitsPerSecond, 1) {
		panic(fmt.Sprintf("lossy: Rate: %v bits per second is not a positive number", bitsPerSecond))
	}
	if queue < 0 {
		panic(fmt.Sprintf("lossy: Rate: a queue of %d packets is negative", queue))
	}
	perByte := 8 * float64(time.Second) / bitsPerSecond
	return stateful(func() judge {
		l := &link{perByte: perByte, queue: queue}
		return l.judge
	})
}

// A link is the state of one Rate.
type link struct {
	perByte float64 // nanoseconds
	queue   int

	departures instants      // of the packets on the link and in its queue
	free       time.Duration // when the last of them has left
	fraction   float64       // of a nanosecond, by which free is too early
}

func (l *link) judge(x *passage) verdict {
	// A packet whose last bit leaves now occupies the link no more.
	l.departures.dropBefore(x.at + 1)
	if l.departures.count > l.queue {
		return verdict{cause: CauseQueue}
	}
	if l.free < x.at {
		l.free, l.fraction = x.at, 0
	}
	whole, fraction := math.Modf(float64(len(x.Payload))*l.perByte + l.fraction)
	if whole >= math.MaxInt64/2 { // centuries
		whole, fraction = math.MaxInt64/2, 0
	}
	l.free, l.fraction = addDelay(l.free, time.Duration(whole)), fraction
	l.departures.push(l.free)
	return verdict{delay: l.free - x.at}
}
