// Package netem makes a [lossy.Model] of the words that tc takes for a netem queue, in the
// syntax of tc-netem(8):
//
//	m, err := netem.Parse("delay 50ms 10ms distribution normal loss gemodel 1% 10%")
//	...
//	n := lossy.NewNetwork(m)
//
// These words may come in any order:
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
// A percentage may omit its sign. A time needs a unit (s, ms, us, ns), because the
// versions of tc do not agree on the default. A rate has the unit bit, kbit, mbit, gbit
// or tbit, or bps, kbps and so on for bytes per second; an i before the b means powers
// of 1024. A rate without a unit is in bits.
//
// An error names the word that is wrong.
//
// # Differences from netem
//
//   - Packets are duplicated, lost, corrupted, queued for the rate, delayed,
//     reordered and put into slots in this order. (netem delays before it
//     queues, and a packet that is duplicated and lost passes once.)
//   - A correlation leaves the probability as it is; see [lossy.Correlated].
//   - A distribution is computed. netem looks it up in a table, which ends; see
//     [lossy.ParetoDelay].
//   - The default limit is 1000 with a rate, as with netem, and none without a rate.
//   - The rate counts what netem would see on an Ethernet interface: 42 bytes
//     more than the payload.
//   - The word ecn is an error, and seed is [lossy.Seed].
//
// # Where the code does what
//
//	netem.go     the order in which models apply
//	parse.go     the words, one after the other
//	units.go     times, percentages and rates
//	table.go     distribution tables of tc
package netem

import (
	"fmt"
	"io"
	"strings"

	"github.com/ferrygo/ferry/lossy"
)

// Parse makes a Model of words, without distribution tables.
func Parse(words string) (lossy.Model, error) { return (&Parser{}).Parse(words) }

// A Parser makes Models of words. The zero value works.
type Parser struct {
	// Table opens the table of a distribution other than the four that the package
	// knows, in the format of tc's .dist files. If it is nil, there are no others.
	Table func(distribution string) (io.ReadCloser, error)
}

// Parse makes a Model of words.
func (p *Parser) Parse(words string) (lossy.Model, error) {
	s := spec{words: strings.Fields(words), open: p.Table, seen: make(map[string]bool)}
	err := s.parse()
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("netem: %w", err)
	}
	return lossy.Compose(s.models()...), nil
}

// defaultLimit is netem's limit.
const defaultLimit = 1000

// models returns the models in the order of the package comment.
func (s *spec) models() (all []lossy.Model) {
	for _, m := range []lossy.Model{s.duplicate, s.loss, s.corrupt} {
		if m != nil {
			all = append(all, m)
		}
	}
	var late []lossy.Model
	if s.rate != nil {
		late = append(late, lossy.RateWith(*s.rate))
	}
	if s.delay > 0 || s.jitter > 0 {
		late = append(late, s.delays())
	}
	if p := s.reorder[0]; p > 0 {
		late = []lossy.Model{correlated(s.reorder[1], lossy.Reorder(p, max(1, s.gap), late...))}
	}
	all = append(all, late...)
	if s.slots != nil {
		all = append(all, s.slots)
	}
	if s.limit == 0 && s.rate != nil {
		s.limit = defaultLimit
	}
	if s.limit > 0 {
		all = append(all, lossy.Limit(s.limit))
	}
	return all
}

// delays returns the model of the delay.
func (s *spec) delays() lossy.Model {
	var m lossy.Model
	switch {
	case s.jitter == 0:
		return lossy.Delay(s.delay)
	case s.table != nil:
		m = lossy.TableDelay(scale(s.table, s.delay, s.jitter))
	case s.distribution == "normal":
		m = lossy.NormalDelay(s.delay, s.jitter)
	case s.distribution == "pareto":
		m = lossy.ParetoDelay(s.delay, s.jitter)
	case s.distribution == "paretonormal":
		m = lossy.ParetoNormalDelay(s.delay, s.jitter)
	default:
		m = lossy.UniformDelay(s.delay, s.jitter)
	}
	return correlated(s.correlation, m)
}

// correlated applies a correlation, 0 for none.
func correlated(r float64, m lossy.Model) lossy.Model {
	if r == 0 {
		return m
	}
	return lossy.Correlated(r, m)
}
