package lossy

import (
	"fmt"
	"math"
	"time"
)

// A Reading settles what the text of the UDP file delivery assignment leaves open about
// its packet-drop probability: what n counts, and over which packets. Its two
// questions make four readings.
type Reading uint8

// The text says that the simulator counts the packets delivered, but also
// that all are dropped when the program attempts to send 36 or more within
// 200 ms; only a count of attempts does that.
const (
	CountAttempts   Reading = iota // n counts every packet sent (the default)
	CountDeliveries                // n counts the packets that were not dropped, from when they were sent
	CountEachWay                   // each direction between two addresses has its own n (the default)
	CountBothWays                  // all packets are counted together, as by Shared
)

// Crowding drops packets with a probability that grows with their number:
// base + n*perPacket, or 1 if that is more, where n is the number of packets
// in the preceding window (one exactly that old is counted). It panics unless
// base and perPacket are within 0 and 1 and the window is not negative.
func Crowding(window time.Duration, base, perPacket float64, readings ...Reading) Model {
	checkDuration("Crowding", "window", window)
	checkProbability("Crowding", base)
	checkProbability("Crowding", perPacket)
	var deliveries, together bool
	for _, r := range readings {
		switch r {
		case CountAttempts, CountDeliveries:
			deliveries = r == CountDeliveries
		case CountEachWay, CountBothWays:
			together = r == CountBothWays
		default:
			panic(fmt.Sprintf("lossy: Crowding: there is no Reading %d", r))
		}
	}
	m := stateful(func() judge {
		c := &crowd{window: window, base: base, perPacket: perPacket, deliveries: deliveries}
		return c.judge
	})
	if together {
		return Shared(m)
	}
	return m
}

// Assignment is the network of the UDP file delivery assignment ("Network
// model"): each packet is dropped with probability n/40 + 0.1, or 1 if that
// is more, where n is the number of packets in the preceding 200 ms, and
// otherwise takes a normally distributed time of mean 50 ms and standard
// deviation 10 ms.
func Assignment(readings ...Reading) Model {
	return Compose(
		Crowding(200*time.Millisecond, 0.1, 1.0/40, readings...),
		NormalDelay(50*time.Millisecond, 10*time.Millisecond),
	)
}

// A crowd is the state of one Crowding.
type crowd struct {
	window          time.Duration
	base, perPacket float64
	deliveries      bool

	recent instants // in the window
}

func (c *crowd) judge(x *passage) verdict {
	c.recent.dropBefore(x.at - c.window)
	dropped := x.uniform() < c.probability(c.recent.count)
	if !dropped || !c.deliveries {
		c.count(x.at)
	}
	if dropped {
		return verdict{cause: CauseCrowding}
	}
	return verdict{}
}

// probability returns that of a drop when n packets are in the window.
func (c *crowd) probability(n int) float64 {
	return min(1, c.base+float64(n)*c.perPacket)
}

// count notes a packet. Once a drop is certain, no more packets are needed: the newest
// replaces the oldest.
func (c *crowd) count(at time.Duration) {
	if c.perPacket == 0 {
		return
	}
	c.recent.push(at)
	if float64(c.recent.count) > math.Ceil((1-c.base)/c.perPacket) {
		c.recent.pop()
	}
}

// instants is a queue of times, oldest first.
type instants struct {
	ring[time.Duration]
}

// dropBefore removes the times before t.
func (q *instants) dropBefore(t time.Duration) {
	for q.count > 0 && q.first() < t {
		q.pop()
	}
}
