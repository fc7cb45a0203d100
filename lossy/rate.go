package lossy

import (
	"fmt"
	"math"
	"time"
)

// Rate is a link that carries bitsPerSecond, with a queue in front of it for
// the packets that come while it is busy. When queue packets wait (one more
// is on the link), another is dropped: a tail drop. A queue of 0 drops
// every packet that finds the link busy. Payload bytes are counted, headers are not;
// [RateWith] can count them. It panics unless the rate is positive and finite
// and the queue is not negative.
func Rate(bitsPerSecond float64, queue int) Model {
	if queue < 0 {
		panic(fmt.Sprintf("lossy: Rate: a queue of %d packets is negative", queue))
	}
	checkRate("Rate", bitsPerSecond)
	return RateConfig{BitsPerSecond: bitsPerSecond}.model(queue)
}

// A RateConfig says what [RateWith] does.
type RateConfig struct {
	// BitsPerSecond is the rate of the link. It must be given.
	BitsPerSecond float64

	// Overhead is added to the payload of every packet: 28 bytes for UDP
	// and IPv4 headers, 42 with an Ethernet header. A negative one is
	// subtracted; the result is at least 0.
	Overhead int

	// Cell is the number of payload bytes in a cell, for a link that carries packets
	// in cells, and CellOverhead the number of other bytes: 48 and 5 with ATM.
	// A Cell of 0 means no cells.
	Cell, CellOverhead int

	// Packets and Bytes bound the queue; the packet on the link is not in it.
	// Bytes are payload and overhead. Packets of 0 means 1000, as with netem,
	// a negative one no bound; Bytes of 0 means no bound.
	Packets, Bytes int
}

// defaultQueue is netem's limit.
const defaultQueue = 1000

// RateWith is [Rate] with overhead for each packet, and a queue that may also be
// bounded in bytes. It panics unless the rate is positive and finite, and
// if Cell, the sum of it and CellOverhead, or Bytes is negative.
func RateWith(c RateConfig) Model {
	checkRate("RateWith", c.BitsPerSecond)
	if c.Cell < 0 || c.Cell+c.CellOverhead < 0 {
		panic(fmt.Sprintf("lossy: RateWith: cells of %d and %d bytes are negative", c.Cell, c.CellOverhead))
	}
	if c.Bytes < 0 {
		panic(fmt.Sprintf("lossy: RateWith: a queue of %d bytes is negative", c.Bytes))
	}
	switch {
	case c.Packets == 0:
		return c.model(defaultQueue)
	case c.Packets < 0:
		return c.model(math.MaxInt)
	}
	return c.model(c.Packets)
}

func checkRate(option string, bitsPerSecond float64) {
	if !(bitsPerSecond > 0) || math.IsInf(bitsPerSecond, 1) {
		panic(fmt.Sprintf("lossy: %s: %v bits per second is not a positive number", option, bitsPerSecond))
	}
}

// model makes the Model, with a queue of this number of packets.
func (c RateConfig) model(queue int) Model {
	perByte := 8 * float64(time.Second) / c.BitsPerSecond
	return stateful(func() judge {
		l := &link{config: c, perByte: perByte, queue: queue}
		return l.judge
	})
}

// size returns what a payload takes on the link, in bytes.
func (c *RateConfig) size(payload int) int {
	n := max(0, payload+c.Overhead)
	if c.Cell > 0 {
		n = (n + c.Cell - 1) / c.Cell * (c.Cell + c.CellOverhead)
	}
	return n
}

// A link is the state of one Rate.
type link struct {
	config  RateConfig
	perByte float64 // nanoseconds
	queue   int     // packets

	loads    ring[load]    // on the link and in its queue
	bytes    int           // of all of them
	free     time.Duration // when the last of them has left
	fraction float64       // of a nanosecond, by which free is too early
}

// A load is a packet on a link.
type load struct {
	leaves time.Duration
	size   int

	// The link's free and fraction before it came.
	free     time.Duration
	fraction float64
}

func (l *link) judge(x *passage) verdict {
	// A packet whose last bit leaves now occupies the link no more.
	for l.loads.count > 0 && l.loads.first().leaves <= x.at {
		l.bytes -= l.loads.pop().size
	}
	size := l.config.size(len(x.Payload))
	if !l.room(size) {
		return verdict{cause: CauseQueue}
	}
	p := load{size: size, free: l.free, fraction: l.fraction}
	if l.free < x.at {
		l.free, l.fraction = x.at, 0
	}
	whole, fraction := math.Modf(float64(size)*l.perByte + l.fraction)
	if whole >= math.MaxInt64/2 { // centuries
		whole, fraction = math.MaxInt64/2, 0
	}
	l.free, l.fraction = addDelay(l.free, time.Duration(whole)), fraction
	p.leaves = l.free
	l.loads.push(p)
	l.bytes += size
	x.holders = append(x.holders, l)
	return verdict{delay: l.free - x.at}
}

func (l *link) undo() {
	if l.loads.count == 0 {
		return // it took no time, and was removed already
	}
	p := l.loads.unpush()
	l.bytes -= p.size
	l.free, l.fraction = p.free, p.fraction
}

// room reports whether a packet finds a place on the link or in the queue.
func (l *link) room(size int) bool {
	if l.loads.count == 0 {
		return true
	}
	waiting := l.bytes - l.loads.first().size
	return l.loads.count <= l.queue && (l.config.Bytes == 0 || waiting+size <= l.config.Bytes)
}
