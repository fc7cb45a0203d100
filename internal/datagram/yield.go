package datagram

import (
	"runtime"
	"time"
)

// A yielder decides whether a Read gives way before it sleeps. Where that took long several
// times, and not for the sake of many packets, it is left alone for a while.
type yielder struct {
	on     bool
	failed int // times that it took long, since it brought many packets
	skip   int // Reads that sleep at once
}

const (
	// fewPackets is how many packets are few: it is worth while to let others send more first.
	fewPackets = 16

	// keptLong is how long giving way takes where somebody wants the processor for himself:
	// he keeps it for milliseconds, and gives it up at once for whoever slept.
	keptLong = 500 * time.Microsecond

	// hogSkip is how many Reads sleep at once then.
	hogSkip = 255
)

// giveWay lets other processes have the processor, and looks what they have sent then. A
// sender that shares its processor with receivers would otherwise be put off by each packet:
// whoever is woken up by it runs at once, reads that one, and sleeps again. Where nobody
// waits for the processor it takes a microsecond.
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
	case time.Since(start) > keptLong:
		if y.failed++; y.failed > patience {
			y.skip = hogSkip
		}
	}
	return pkts, err
}

// yielding is how a conn gives way. Where there is one processor for all goroutines of this
// process, too, they come first.
func yielding() func() {
	if runtime.GOMAXPROCS(0) > 1 {
		return yield
	}
	return func() {
		runtime.Gosched()
		yield()
	}
}
