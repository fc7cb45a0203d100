package netem

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

func netem(t *testing.T, words string) lossy.Model {
	t.Helper()
	m, err := Parse(words)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return m
}

// TestWords compares what words make with the models that they stand for:
// packet by packet, with the same random numbers.
func TestWords(t *testing.T) {
	const ms = time.Millisecond
	uniform := func(mean, jitter float64) lossy.Model {
		return lossy.UniformDelay(time.Duration(mean), time.Duration(jitter))
	}
	link := func(c lossy.RateConfig) lossy.Model {
		c.Packets = -1
		return lossy.Compose(lossy.RateWith(c), lossy.Limit(1000))
	}
	for words, want := range map[string]lossy.Model{
		"delay 50ms":                           lossy.Delay(50 * ms),
		"latency 0.5s":                         lossy.Delay(500 * ms),
		"delay 0":                              lossy.Compose(),
		"delay 100us 10us":                     uniform(1e5, 1e4),
		"delay 10ms 20ms":                      uniform(1e7, 2e7), // clamped at 0
		"delay 50ms 10ms 25%":                  lossy.Correlated(0.25, uniform(5e7, 1e7)),
		"delay 5ms 1ms distribution normal":    lossy.NormalDelay(5*ms, ms),
		"delay 5ms 1ms 30 distribution pareto": lossy.Correlated(0.3, lossy.ParetoDelay(5*ms, ms)),
		"distribution paretonormal delay 5msec 1000usec": lossy.ParetoNormalDelay(5*ms, ms),
		"delay 5ms 1ms distribution uniform":             uniform(5e6, 1e6),
		"loss 10%":                                       lossy.Loss(0.1),
		"loss 10":                                        lossy.Loss(0.1),
		"drop 0.5%":                                      lossy.Loss(0.005),
		"loss random 10% 25%":                            lossy.Correlated(0.25, lossy.Loss(0.1)),
		"loss gemodel 1%":                                lossy.GilbertElliott(0.01, 0.99, 1, 0),
		"loss gemodel 1% 10%":                            lossy.GilbertElliott(0.01, 0.1, 1, 0),
		"loss gemodel 1% 10% 70% 0.1%":                   lossy.GilbertElliott(0.01, 0.1, 0.7, 0.001),
		"loss state 5%":                                  lossy.FourState(0.05, 0.95, 0, 1, 0),
		"loss state 5% 30% 20% 40% 3%":                   lossy.FourState(0.05, 0.3, 0.2, 0.4, 0.03),
		"loss state 90% 90% 10% 40% 10%":                 lossy.FourState(0.9, 0.9, 0.1, 0.4, 0.1),
		"corrupt 2%":                                     lossy.Corrupt(0.02),
		"corrupt 2% 50%":                                 lossy.Correlated(0.5, lossy.Corrupt(0.02)),
		"duplicate 3% 10%":                               lossy.Correlated(0.1, lossy.Duplicate(0.03)),
		"delay 10ms reorder 25%":                         lossy.Reorder(0.25, 1, lossy.Delay(10*ms)),
		"reorder 25% 50% gap 5 delay 10ms":               lossy.Correlated(0.5, lossy.Reorder(0.25, 5, lossy.Delay(10*ms))),
		"rate 8mbit":                                     link(lossy.RateConfig{BitsPerSecond: 8e6, Overhead: 42}),
		"rate 1mbps 10":                                  link(lossy.RateConfig{BitsPerSecond: 8e6, Overhead: 52}),
		"rate 8000000 -42 48 5":                          link(lossy.RateConfig{BitsPerSecond: 8e6, Cell: 48, CellOverhead: 5}),
		"rate 1kibit":                                    link(lossy.RateConfig{BitsPerSecond: 1024, Overhead: 42}),
		"rate 1Gibps":                                    link(lossy.RateConfig{BitsPerSecond: 8 << 30, Overhead: 42}),
		"rate 1mbit limit 7":                             lossy.Compose(lossy.RateWith(lossy.RateConfig{BitsPerSecond: 1e6, Overhead: 42, Packets: -1}), lossy.Limit(7)),
		"limit 3 delay 1s":                               lossy.Compose(lossy.Delay(time.Second), lossy.Limit(3)),
		"slot 10ms":                                      lossy.Slots(10*ms, 10*ms, 0, 0),
		"slot 10ms 20ms packets 3 bytes 2000":            lossy.Slots(10*ms, 20*ms, 3, 2000),
		"delay 50ms 10ms distribution normal loss gemodel 1% 10%": lossy.Compose(lossy.GilbertElliott(0.01, 0.1, 1, 0), lossy.NormalDelay(50*ms, 10*ms)),
		// The order of application, whatever that of the words.
		"slot 5ms delay 3ms 1ms rate 9mbit corrupt 10% loss 10% duplicate 10%": lossy.Compose(
			lossy.Duplicate(0.1), lossy.Loss(0.1), lossy.Corrupt(0.1), lossy.RateWith(lossy.RateConfig{BitsPerSecond: 9e6, Overhead: 42, Packets: -1}),
			uniform(3e6, 1e6), lossy.Slots(5*ms, 5*ms, 0, 0), lossy.Limit(1000)),
	} {
		got, wanted := treatment(t, netem(t, words)), treatment(t, want)
		if got != wanted {
			t.Errorf("%q: not what was wanted:\n%.300s\n%.300s", words, got, wanted)
		}
	}
}

// TestOverload offers twice what gets through, for two minutes: the rate stays what
// it is, and when all have left the next packet does not wait.
func TestOverload(t *testing.T) {
	const ms = time.Millisecond
	for words, test := range map[string]struct {
		interval time.Duration // from packet to packet
		want     int           // how many leave in a second
		alone    time.Duration // what one takes that finds no other
	}{
		"rate 1mbit":                     {4 * ms, 120, 8336 * time.Microsecond},
		"rate 1mbit limit 20":            {4 * ms, 120, 8336 * time.Microsecond},
		"rate 1mbit limit 30 delay 50ms": {4 * ms, 120, 58336 * time.Microsecond},
		"slot 100ms packets 1 limit 5":   {50 * ms, 10, 100 * ms},
		"slot 100ms bytes 2500 limit 5":  {25 * ms, 20, 100 * ms},
	} {
		left := make(map[time.Duration]int) // in each second
		events := judged(t, netem(t, words), make([]byte, 1000), int(2*time.Minute/test.interval), test.interval)
		for i, e := range events {
			if e.Verdict != lossy.Dropped {
				left[(time.Duration(i)*test.interval+e.Delay)/time.Second]++
			}
		}
		for i := time.Duration(1); i < 120; i++ {
			if got := left[i]; got < test.want-2 || got > test.want+2 {
				t.Errorf("%s: %d leave in second %d, want %d", words, got, i, test.want)
				break
			}
		}
		if got := events[len(events)-1].Delay; got != test.alone {
			t.Errorf("%s: a packet that is alone takes %v, want %v", words, got, test.alone)
		}
	}
}

// judged sends n packets through a model, one in each interval, and another a minute later.
// It returns an event for each packet and copy.
func judged(t *testing.T, m lossy.Model, payload []byte, n int, interval time.Duration) (events []lossy.Event) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := lossy.NewNetwork(m, lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
			if e.Direction == lossy.Outgoing && e.Cause != lossy.CauseNobody {
				e.Payload = bytes.Clone(e.Payload)
				events = append(events, e)
			}
		}}))
		c, err := network.NewConn(netip.AddrPort{})
		if err != nil {
			t.Fatal(err)
		}
		to := netip.MustParseAddrPort("10.0.0.99:99") // nobody
		for range n {
			c.WriteToUDPAddrPort(payload, to)
			time.Sleep(interval)
		}
		time.Sleep(time.Minute)
		c.WriteToUDPAddrPort(payload, to)
		time.Sleep(time.Second)
		network.Stats() // all has been judged
		c.Close()
	})
	return events
}

// treatment describes what a model does to packets.
func treatment(t *testing.T, m lossy.Model) string {
	t.Helper()
	var b strings.Builder
	for _, e := range judged(t, m, make([]byte, 300), 2000, 100*time.Microsecond) {
		fmt.Fprintf(&b, "%d %q %d %x; ", e.N, e.Cause, e.Delay, bytes.TrimLeft(e.Payload, "\x00"))
	}
	return b.String()
}

// TestMistakes: each error names the word that is wrong.
func TestMistakes(t *testing.T) {
	for words, want := range map[string]string{
		"":                               "no words",
		"dealy 10ms":                     `"dealy" is not understood`,
		"delay":                          "delay: a time is missing",
		"delay 10":                       `delay: "10" lacks a unit`,
		"delay 10mz":                     `delay: "10mz" has a unit that is not known`,
		"delay 1..2ms":                   `delay: "1..2ms" is not a number`,
		"delay -10ms":                    `delay: "-10ms" is negative`,
		"delay 1e9s":                     `delay: "1e9s"`,
		"delay 99999999999s":             `too long`,
		"delay 10ms 1ms 5% 7%":           `"7%" is not understood`,
		"delay 10ms latency 5ms":         "delay is given twice",
		"delay 10ms 5%":                  "a correlation of delays needs jitter",
		"delay 10ms ten":                 `"ten" is not understood`,
		"loss":                           "loss: a percentage is missing",
		"loss 101%":                      `loss: "101%" is not within 0 and 100%`,
		"loss -1%":                       "not within",
		"loss NaN":                       "a percentage is missing",
		"loss 1% drop 2%":                "loss is given twice",
		"loss random":                    "a percentage is missing",
		"loss gemodel":                   "a percentage is missing",
		"loss state 60% 50% 0% 50% 50%":  "more than 100%",
		"loss stat 1%":                   "loss: a percentage is missing",
		"corrupt 1% 200%":                `"200%"`,
		"duplicate x":                    "duplicate: a percentage is missing",
		"reorder 25%":                    "reorder needs a delay",
		"delay 1ms gap 5":                "gap needs reorder",
		"delay 1ms reorder 5% gap 0":     "gap: 0 is less than 1",
		"delay 1ms reorder 5% gap":       "gap: a number is missing",
		"delay 1ms distribution normal":  "a distribution needs a delay with jitter",
		"delay 1ms 1ms distribution":     "distribution: a name is missing",
		"delay 1ms 1ms distribution foo": `distribution: "foo" is not known`,
		"rate":                           "rate: a rate is missing",
		"rate 0bit":                      `rate: "0bit" is not a positive rate`,
		"rate 10furlong":                 "rate: ",
		"rate 1mbit x":                   `"x" is not understood`,
		"rate 1mbit 1.5":                 `rate: "1.5" is not a number`,
		"rate 1mbit 0 48 -49":            "the size of a cell is negative",
		"limit 0":                        "limit: 0 is less than 1",
		"limit 99999999999":              "is not a number",
		"slot":                           "slot: a time is missing",
		"slot 0":                         "the time between slots is 0",
		"slot 1ms packets":               "a number is missing",
		"slot distribution normal 1ms":   "slots have no distribution",
		"loss 1% ecn":                    "ecn: there is no ECN",
		"loss 1% seed 5":                 "seed: a seed is an option",
	} {
		m, err := Parse(words)
		if err == nil || m != nil || !strings.HasPrefix(err.Error(), "netem: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want an error with %q", words, m, err, want)
		}
	}
}

// TestTable: a distribution of one's own, and the errors of reading it.
func TestTable(t *testing.T) {
	broken := errors.New("broken")
	p := &Parser{Table: func(name string) (io.ReadCloser, error) {
		switch name {
		case "mine":
			return io.NopCloser(strings.NewReader("8192 16384 -8192 0")), nil
		case "bad":
			return io.NopCloser(strings.NewReader("one")), nil
		}
		return nil, broken
	}}
	m, err := p.Parse("delay 10ms 2ms distribution mine")
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[time.Duration]int)
	const n = 10000
	for _, e := range judged(t, m, nil, n, 0) {
		count[e.Delay/time.Millisecond]++
	}
	for _, d := range []time.Duration{12, 14, 8, 10} {
		if got := count[d]; got < n/4-200 || got > n/4+200 { // more than four standard deviations
			t.Errorf("%d of %d take %d ms, want a quarter", got, n, d)
		}
	}
	if _, err := p.Parse("delay 10ms 2ms distribution bad"); err == nil || !strings.Contains(err.Error(), `distribution: bad: "one" is not a number`) {
		t.Errorf("a bad table: %v", err)
	}
	if _, err := p.Parse("delay 10ms 2ms distribution other"); !errors.Is(err, broken) {
		t.Errorf("a table that cannot be opened: %v", err)
	}
}

// FuzzParse: any words give a model or an error, and no panic.
func FuzzParse(f *testing.F) {
	for _, words := range []string{
		"delay 50ms 10ms 25% distribution normal loss gemodel 1% 10%", "rate 1mbit 10 48 5 limit 10",
		"reorder 25% 50% gap 5 delay 10ms corrupt 1% duplicate 1%", "slot 1ms 2ms packets 4 bytes 5", "loss state 1% 2% 3% 4% 5%",
		"delay 9223372036s 9223372036s", "rate 1tibps -9 1", "loss 1e", "delay +.5us",
	} {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		m, err := Parse(words)
		if (m == nil) == (err == nil) {
			t.Fatalf("%v, %v", m, err)
		}
		if err != nil {
			return
		}
		for _, e := range judged(t, m, make([]byte, 1000), 20, time.Millisecond) {
			if e.Delay < 0 {
				t.Errorf("a delay of %v", e.Delay)
			}
		}
	})
}
