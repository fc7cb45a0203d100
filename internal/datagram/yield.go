package datagram

import (
	"runtime"
	"time"
)

// A yielder decides whether a Read yields the processor before it sleeps. If that took long
// several times, without bringing many packets, it stops for a while.
type yielder struct {
	on     bool
	failed int // how often it took long, since it last brought many packets
	skip   int // the number of Reads that sleep at once
}

const (
	// fewPackets is the number of packets below which the next Read yields, so that others
	// can send more first.
	fewPackets = 16

	// longYield is how long it takes to yield to a process that only computes. Such a
	// process keeps the processor for milliseconds, but gives it at once to one that slept.
	longYield = 500 * time.Microsecond

	// skipAfterLong is how many Reads sleep at once after that.
	skipAfterLong = 255
)

// giveWay lets other processes have the processor, then polls for their packets. Otherwise
// each packet preempts a sender that shares the processor with its receivers: the receiver
// wakes, reads that packet, and sleeps again. If no process waits for the processor, it takes
// a microsecond.
func (c *Conn) giveWay(p poller) ([]Packet, error) {
	y := &c.yielder
	if n := len(c.pkts); !y.on || n == 0 || n >= fewPackets {
		return nil, nil
	}
	if y.skip > 0 {
		y.skip--
		return nil, nil
	}
	start := time.Now()
	c.yield()
	pkts, err := c.keep(p.poll(c.pkts[:0]))
	switch {
	case len(pkts) >= fewPackets:
		y.failed = 0
	case time.Since(start) > longYield:
		if y.failed++; y.failed > maxFailures {
			y.skip = skipAfterLong
		}
	}
	return pkts, err
}

// yielding returns the function that yields the processor. If this process has only one for
// all its goroutines, these come first.
func yielding() func() {
	if runtime.GOMAXPROCS(0) > 1 {
		return yield
	}
	return func() {
		runtime.Gosched()
		yield()
	}
}
