package lossy

import (
	"fmt"
	"io"
	"strings"
)

// Netem makes a Model of the words that tc takes for a netem queue, in the
// syntax of tc-netem(8):
//
//	limit PACKETS
//	delay TIME [JITTER [CORRELATION]] [distribution uniform|normal|pareto|paretonormal]
//	loss [random] PERCENT [CORRELATION]
//	loss state P13 [P31 [P32 [P23 [P14]]]]
//	loss gemodel PERCENT [R [1-H [1-K]]]
//	corrupt PERCENT [CORRELATION]
//	duplicate PERCENT [CORRELATION]
//	reorder PERCENT [CORRELATION] [gap DISTANCE]
//	rate RATE [PACKETOVERHEAD [CELLSIZE [CELLOVERHEAD]]]
//	slot MIN [MAX] [packets PACKETS] [bytes BYTES]
//
// in any order. A percentage may go without its sign. A time needs a unit (s,
// ms, us, ns), because tc's versions do not agree what it is without one. A
// rate has bit, kbit, mbit, gbit or tbit, or bytes per second: bps, kbps and so
// on; an i before the b makes them powers of 1024. Without a unit it is in bits.
//
// It differs from netem in this:
//
//   - Packets are duplicated, lost, corrupted, queued for the rate, delayed,
//     reordered and put into slots in this order. (netem delays before it
//     queues, and a packet that is to be duplicated and lost passes once.)
//   - A correlation leaves the probability as it is; see [Correlated].
//   - A distribution is computed, not looked up in a table that ends; see
//     [ParetoDelay].
//   - The limit, 1000 with a rate as with netem, is none by default without a
//     rate.
//   - The rate counts what netem would see on an Ethernet interface: 42 bytes
//     more than the payload.
//   - There is no ecn, and seed is [Seed].
//
// An error names the word that is wrong.
func Netem(words string) (Model, error) { return (&NetemParser{}).Parse(words) }

// A NetemParser is [Netem] for those who have distributions of their own.
type NetemParser struct {
	// Table opens the table of a distribution that is not one of the four, in
	// the format of tc's .dist files. If it is nil there are none.
	Table func(distribution string) (io.ReadCloser, error)
}

// Parse is [Netem] with the parser's tables.
func (p *NetemParser) Parse(words string) (Model, error) {
	s := netemSpec{words: strings.Fields(words), open: p.Table, seen: make(map[string]bool)}
	err := s.parse()
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("lossy: netem: %w", err)
	}
	return Compose(s.models()...), nil
}
