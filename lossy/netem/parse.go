package netem

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// maxSum is the limit of a sum of probabilities: 1, and room for rounding.
const maxSum = 1 + 0x1p-40

// etherHeaders are the bytes of the UDP, IPv4 and Ethernet headers.
const etherHeaders = 8 + 20 + 14

// A spec holds the words that are left, and the values of those that have been read.
type spec struct {
	words []string
	open  func(string) (io.ReadCloser, error)
	seen  map[string]bool

	duplicate, loss, corrupt, slots lossy.Model // or nil

	limit         int
	delay, jitter time.Duration
	correlation   float64 // of the delay
	distribution  string
	table         []float64
	reorder       [2]float64 // probability, correlation
	gap           int
	rate          *lossy.RateConfig
}

// parse takes all words.
func (s *spec) parse() error {
	if len(s.words) == 0 {
		return errors.New("no words are given")
	}
	for len(s.words) > 0 {
		word := s.take()
		switch word { // other names for the same
		case "latency":
			word = "delay"
		case "drop":
			word = "loss"
		}
		f := s.parser(word)
		switch {
		case f == nil:
			return fmt.Errorf("%q is not understood", word)
		case s.seen[word]:
			return fmt.Errorf("%s is given twice", word)
		}
		s.seen[word] = true
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	return nil
}

// parser returns the function that reads the words after this one.
func (s *spec) parser(word string) func() error {
	switch word {
	case "limit":
		return func() error { return s.count(&s.limit) }
	case "delay":
		return s.parseDelay
	case "distribution":
		return s.parseDistribution
	case "loss":
		return s.parseLoss
	case "corrupt":
		return func() error { return s.chance(lossy.Corrupt, &s.corrupt) }
	case "duplicate":
		return func() error { return s.chance(lossy.Duplicate, &s.duplicate) }
	case "reorder":
		return func() error { return s.percents(1, s.reorder[:]) }
	case "gap":
		return func() error { return s.count(&s.gap) }
	case "rate":
		return s.parseRate
	case "slot":
		return s.parseSlot
	case "ecn":
		return func() error { return errors.New("there is no ECN in this network") }
	case "seed":
		return func() error { return errors.New("a seed is an option of its own, not a model") }
	}
	return nil
}

func (s *spec) parseDelay() error {
	if err := s.times(1, &s.delay, &s.jitter); err != nil {
		return err
	}
	c := []float64{0}
	err := s.percents(0, c)
	s.correlation = c[0]
	return err
}

func (s *spec) parseDistribution() error {
	s.distribution = s.take()
	switch s.distribution {
	case "":
		return errors.New("a name is missing")
	case "uniform", "normal", "pareto", "paretonormal":
		return nil
	}
	if s.open == nil {
		return fmt.Errorf("%q is not known", s.distribution)
	}
	r, err := s.open(s.distribution)
	if err != nil {
		return err
	}
	defer r.Close()
	if s.table, err = readTable(r); err != nil {
		return fmt.Errorf("%s: %w", s.distribution, err)
	}
	return nil
}

func (s *spec) parseLoss() error {
	switch s.peek() {
	case "state":
		s.take()
		p := []float64{0, -1, 0, 1, 0} // p13, p31, p32, p23, p14, as tc's defaults
		if err := s.percents(1, p); err != nil {
			return err
		}
		if p[1] < 0 {
			p[1] = 1 - p[0]
		}
		if max(p[0]+p[4], p[1]+p[2]) > maxSum {
			return errors.New("probabilities from one state add up to more than 100%")
		}
		s.loss = lossy.FourState(p[0], p[1], p[2], p[3], p[4])
	case "gemodel":
		s.take()
		p := []float64{0, -1, 1, 0} // p, r, 1-h, 1-k
		if err := s.percents(1, p); err != nil {
			return err
		}
		if p[1] < 0 {
			p[1] = 1 - p[0]
		}
		s.loss = lossy.GilbertElliott(p[0], p[1], p[2], p[3])
	case "random":
		s.take()
		fallthrough
	default:
		return s.chance(lossy.Loss, &s.loss)
	}
	return nil
}

// chance takes a probability and perhaps a correlation.
func (s *spec) chance(model func(float64) lossy.Model, m *lossy.Model) error {
	p := []float64{0, 0}
	if err := s.percents(1, p); err != nil {
		return err
	}
	*m = correlated(p[1], model(p[0]))
	return nil
}

func (s *spec) parseRate() error {
	if s.peekNumber() == "" {
		return errors.New("a rate is missing")
	}
	rate, err := parseRate(s.take())
	if err != nil {
		return err
	}
	s.rate = &lossy.RateConfig{BitsPerSecond: rate, Packets: -1}
	for _, v := range []*int{&s.rate.Overhead, &s.rate.Cell, &s.rate.CellOverhead} {
		if s.peekNumber() == "" {
			break
		}
		if *v, err = parseInt(s.take()); err != nil {
			return err
		}
	}
	if s.rate.Cell < 0 || s.rate.Cell+s.rate.CellOverhead < 0 {
		return errors.New("the size of a cell is negative")
	}
	s.rate.Overhead += etherHeaders
	return nil
}

func (s *spec) parseSlot() error {
	var lowest, highest time.Duration
	if s.peek() == "distribution" {
		return errors.New("slots have no distribution here, only MIN and MAX")
	}
	if err := s.times(1, &lowest, &highest); err != nil {
		return err
	}
	highest = max(highest, lowest)
	if highest == 0 {
		return errors.New("the time between slots is 0")
	}
	var packets, bytes int
	for {
		switch s.peek() {
		case "packets":
			s.take()
			if err := s.count(&packets); err != nil {
				return err
			}
		case "bytes":
			s.take()
			if err := s.count(&bytes); err != nil {
				return err
			}
		default:
			s.slots = lossy.Slots(lowest, highest, packets, bytes)
			return nil
		}
	}
}

// check finds words that contradict each other.
func (s *spec) check() error {
	switch {
	case s.distribution != "" && s.jitter == 0:
		return errors.New("a distribution needs a delay with jitter")
	case s.correlation > 0 && s.jitter == 0:
		return errors.New("a correlation of delays needs jitter")
	case s.seen["reorder"] && s.delay == 0:
		return errors.New("reorder needs a delay")
	case s.seen["gap"] && !s.seen["reorder"]:
		return errors.New("gap needs reorder")
	}
	return nil
}

// peek returns the next word, or nothing.
func (s *spec) peek() string {
	if len(s.words) == 0 {
		return ""
	}
	return s.words[0]
}

// peekNumber returns the next word if it begins as a number does.
func (s *spec) peekNumber() string {
	if word := s.peek(); word != "" && strings.IndexByte("0123456789.+-", word[0]) >= 0 {
		return word
	}
	return ""
}

func (s *spec) take() string {
	word := s.peek()
	if word != "" {
		s.words = s.words[1:]
	}
	return word
}

// times takes as many times as there are, up to those wanted.
func (s *spec) times(required int, into ...*time.Duration) (err error) {
	for i, v := range into {
		if s.peekNumber() == "" || strings.HasSuffix(s.peek(), "%") {
			if i < required {
				return errors.New("a time is missing")
			}
			return nil
		}
		if *v, err = parseTime(s.take()); err != nil {
			return err
		}
	}
	return nil
}

// percents takes as many percentages as there are, up to those wanted.
func (s *spec) percents(required int, into []float64) (err error) {
	for i := range into {
		if s.peekNumber() == "" {
			if i < required {
				return errors.New("a percentage is missing")
			}
			return nil
		}
		if into[i], err = parsePercent(s.take()); err != nil {
			return err
		}
	}
	return nil
}

// count takes a number of at least 1.
func (s *spec) count(into *int) error {
	if s.peekNumber() == "" {
		return errors.New("a number is missing")
	}
	n, err := parseInt(s.take())
	if err == nil && n < 1 {
		err = fmt.Errorf("%d is less than 1", n)
	}
	*into = n
	return err
}
