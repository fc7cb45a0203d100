package lossy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func netem(t *testing.T, words string) Model {
	t.Helper()
	m, err := Netem(words)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return m
}

// TestNetem compares what words make with the models that they stand for:
// packet by packet, with the same random numbers.
func TestNetem(t *testing.T) {
	const ms = time.Millisecond
	uniform := func(mean, jitter float64) Model {
		return randomDelay(func(u float64) float64 { return mean + jitter*(2*u-1) })
	}
	link := func(c RateConfig) Model {
		c.Packets = -1
		return Compose(RateWith(c), Limit(1000))
	}
	for words, want := range map[string]Model{
		"delay 50ms":                           Delay(50 * ms),
		"latency 0.5s":                         Delay(500 * ms),
		"delay 0":                              Compose(),
		"delay 100us 10us":                     uniform(1e5, 1e4),
		"delay 10ms 20ms":                      uniform(1e7, 2e7), // clamped at 0
		"delay 50ms 10ms 25%":                  Correlated(0.25, uniform(5e7, 1e7)),
		"delay 5ms 1ms distribution normal":    NormalDelay(5*ms, ms),
		"delay 5ms 1ms 30 distribution pareto": Correlated(0.3, ParetoDelay(5*ms, ms)),
		"distribution paretonormal delay 5msec 1000usec": ParetoNormalDelay(5*ms, ms),
		"delay 5ms 1ms distribution uniform":             uniform(5e6, 1e6),
		"loss 10%":                                       Loss(0.1),
		"loss 10":                                        Loss(0.1),
		"drop 0.5%":                                      Loss(0.005),
		"loss random 10% 25%":                            Correlated(0.25, Loss(0.1)),
		"loss gemodel 1%":                                GilbertElliott(0.01, 0.99, 1, 0),
		"loss gemodel 1% 10%":                            GilbertElliott(0.01, 0.1, 1, 0),
		"loss gemodel 1% 10% 70% 0.1%":                   GilbertElliott(0.01, 0.1, 0.7, 0.001),
		"loss state 5%":                                  FourState(0.05, 0.95, 0, 1, 0),
		"loss state 5% 30% 20% 40% 3%":                   FourState(0.05, 0.3, 0.2, 0.4, 0.03),
		"loss state 90% 90% 10% 40% 10%":                 FourState(0.9, 0.9, 0.1, 0.4, 0.1),
		"corrupt 2%":                                     Corrupt(0.02),
		"corrupt 2% 50%":                                 Correlated(0.5, Corrupt(0.02)),
		"duplicate 3% 10%":                               Correlated(0.1, Duplicate(0.03)),
		"delay 10ms reorder 25%":                         Reorder(0.25, 1, Delay(10*ms)),
		"reorder 25% 50% gap 5 delay 10ms":               append(composed(flatten("", []Model{Correlated(0.5, flatten("", []Model{Reorder(0.25, 5, Delay(1))})[0])})), flatten("", []Model{Delay(10 * ms)})...),
		"rate 8mbit":                                     link(RateConfig{BitsPerSecond: 8e6, Overhead: 42}),
		"rate 1mbps 10":                                  link(RateConfig{BitsPerSecond: 8e6, Overhead: 52}),
		"rate 8000000 -42 48 5":                          link(RateConfig{BitsPerSecond: 8e6, Cell: 48, CellOverhead: 5}),
		"rate 1kibit":                                    link(RateConfig{BitsPerSecond: 1024, Overhead: 42}),
		"rate 1Gibps":                                    link(RateConfig{BitsPerSecond: 8 << 30, Overhead: 42}),
		"rate 1mbit limit 7":                             Compose(RateWith(RateConfig{BitsPerSecond: 1e6, Overhead: 42, Packets: -1}), Limit(7)),
		"limit 3 delay 1s":                               Compose(Delay(time.Second), Limit(3)),
		"slot 10ms":                                      Slots(10*ms, 10*ms, 0, 0),
		"slot 10ms 20ms packets 3 bytes 2000":            Slots(10*ms, 20*ms, 3, 2000),
		"delay 50ms 10ms distribution normal loss gemodel 1% 10%": Compose(GilbertElliott(0.01, 0.1, 1, 0), NormalDelay(50*ms, 10*ms)),
		// The order of application, whatever that of the words.
		"slot 5ms delay 3ms 1ms rate 9mbit corrupt 10% loss 10% duplicate 10%": Compose(
			Duplicate(0.1), Loss(0.1), Corrupt(0.1), RateWith(RateConfig{BitsPerSecond: 9e6, Overhead: 42, Packets: -1}),
			uniform(3e6, 1e6), Slots(5*ms, 5*ms, 0, 0), Limit(1000)),
	} {
		got, wanted := treatment(netem(t, words)), treatment(want)
		if got != wanted {
			t.Errorf("%q: not what was wanted:\n%.300s\n%.300s", words, got, wanted)
		}
	}
}

// TestNetemOverload offers twice what gets through, for two minutes: the rate stays what
// it is, and when all have left the next packet waits for nobody.
func TestNetemOverload(t *testing.T) {
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
		c := testChain(1, netem(t, words))
		f := c.flows.get(testFlow(1))
		payload := make([]byte, 1000)
		var s Stats
		left := make(map[time.Duration]int) // in each second
		for at := time.Duration(0); at < 2*time.Minute; at += test.interval {
			if fate := c.judge(f, 1, payload, at, &s)[0]; fate.cause == "" {
				left[(at+fate.delay)/time.Second]++
			}
		}
		for i := time.Duration(1); i < 120; i++ {
			if got := left[i]; got < test.want-2 || got > test.want+2 {
				t.Errorf("%s: %d leave in second %d, want %d", words, got, i, test.want)
				break
			}
		}
		if fate := c.judge(f, 1, payload, 3*time.Minute, &s)[0]; fate.delay != test.alone {
			t.Errorf("%s: a packet that is alone takes %v, want %v", words, fate.delay, test.alone)
		}
	}
}

// treatment describes what a model does to packets.
func treatment(m Model) string {
	var b strings.Builder
	c := testChain(1, m)
	f := c.flows.get(testFlow(1))
	payload := make([]byte, 300)
	var s Stats
	for i := range 2000 {
		for _, fate := range c.judge(f, i+1, payload, time.Duration(i)*100*time.Microsecond, &s) {
			fmt.Fprintf(&b, "%d %q %d %x; ", i, fate.cause, fate.delay, fate.altered)
		}
	}
	return b.String()
}

// TestNetemMistakes: each error names the word that is wrong.
func TestNetemMistakes(t *testing.T) {
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
		m, err := Netem(words)
		if err == nil || m != nil || !strings.HasPrefix(err.Error(), "lossy: netem: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want an error with %q", words, m, err, want)
		}
	}
}

// TestNetemTable: a distribution of one's own, and the errors of reading it.
func TestNetemTable(t *testing.T) {
	broken := errors.New("broken")
	p := &NetemParser{Table: func(name string) (io.ReadCloser, error) {
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
	for _, f := range judgeN(n, 0, 1, m) {
		count[f.delay/time.Millisecond]++
	}
	for _, d := range []time.Duration{12, 14, 8, 10} {
		if err := checkShare(count[d], n, 0.25); err != nil {
			t.Errorf("%d ms: %v", d, err)
		}
	}
	if _, err := p.Parse("delay 10ms 2ms distribution bad"); err == nil || !strings.Contains(err.Error(), `distribution: bad: "one" is not a number`) {
		t.Errorf("a bad table: %v", err)
	}
	if _, err := p.Parse("delay 10ms 2ms distribution other"); !errors.Is(err, broken) {
		t.Errorf("a table that cannot be opened: %v", err)
	}
}

// FuzzNetem: any words give a model or an error, and no panic.
func FuzzNetem(f *testing.F) {
	for _, words := range []string{
		"delay 50ms 10ms 25% distribution normal loss gemodel 1% 10%", "rate 1mbit 10 48 5 limit 10",
		"reorder 25% 50% gap 5 delay 10ms corrupt 1% duplicate 1%", "slot 1ms 2ms packets 4 bytes 5", "loss state 1% 2% 3% 4% 5%",
		"delay 9223372036s 9223372036s", "rate 1tibps -9 1", "loss 1e", "delay +.5us",
	} {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		m, err := Netem(words)
		if (m == nil) == (err == nil) {
			t.Fatalf("%v, %v", m, err)
		}
		if err != nil {
			return
		}
		for _, fate := range judgeN(20, time.Millisecond, 1, m) {
			if fate.delay < 0 {
				t.Errorf("a delay of %v", fate.delay)
			}
		}
	})
}

func TestSlots(t *testing.T) {
	const ms = time.Millisecond
	leaves := func(n int, interval time.Duration, models ...Model) (at []time.Duration) {
		for i, f := range judgeN(n, interval, 1, models...) {
			at = append(at, time.Duration(i)*interval+f.delay)
		}
		return at
	}
	// A packet each ms, a slot each 10: bursts of ten.
	for i, at := range leaves(1000, ms, Slots(10*ms, 10*ms, 0, 0)) {
		if want := time.Duration(i/11*11+10) * ms; at != want {
			t.Fatalf("packet %d leaves at %v, want %v", i, at, want)
		}
	}
	// Of a burst, three leave in each slot.
	for i, at := range leaves(30, 0, Slots(10*ms, 10*ms, 3, 0)) {
		if want := time.Duration(i/3+1) * 10 * ms; at != want {
			t.Fatalf("with three to a slot, packet %d leaves at %v, want %v", i, at, want)
		}
	}
	// 2500 bytes are two packets of 1000; a single one always fits.
	for i, at := range leaves(30, 0, Slots(10*ms, 10*ms, 0, 2500)) {
		if want := time.Duration(i/2+1) * 10 * ms; at != want {
			t.Fatalf("with two to a slot, packet %d leaves at %v, want %v", i, at, want)
		}
	}
	for i, at := range leaves(30, 0, Slots(10*ms, 10*ms, 0, 1)) {
		if want := time.Duration(i+1) * 10 * ms; at != want {
			t.Fatalf("with one to a slot, packet %d leaves at %v, want %v", i, at, want)
		}
	}
	// The times between slots are uniform.
	const n = 100000 / raceFactor
	uniform := func(d time.Duration) float64 { return min(1, max(0, float64(d-5*ms)/float64(10*ms))) }
	plausible(t, "interval", func(scale float64) error {
		at := leaves(n, 0, Slots(5*ms, 5*ms+scaled(10*ms, scale), 1, 0))
		between := make([]time.Duration, n)
		for i := range between {
			between[i] = at[i]
			if i > 0 {
				between[i] -= at[i-1]
			}
		}
		return checkDistribution(between, uniform)
	})
	if f := judgeN(3, 0, 1, Slots(math.MaxInt64, math.MaxInt64, 1, 1)); f[2].delay <= 0 {
		t.Errorf("slots that never come delay by %v", f[2].delay)
	}
}

func TestPresets(t *testing.T) {
	for _, test := range []struct {
		name       string
		least, avg time.Duration // of the delay of 1000 bytes
		loss       float64
	}{
		{"lan", 108 * time.Microsecond, 109 * time.Microsecond, 0},
		{"wifi", 0, 3300 * time.Microsecond, 0.005},
		{"lte", 0, 36 * time.Millisecond, 0},
		{"satellite", 279 * time.Millisecond, 280 * time.Millisecond, 0.00114},
		{"assignment", 0, 50 * time.Millisecond, 0.1},
	} {
		m, err := Preset(test.name)
		if err != nil {
			t.Fatal(err)
		}
		const n = 1 << 16
		fates := judgeN(n, time.Second, 1, m)
		if err := checkShare(drops(fates)/2, n/2, test.loss); err != nil && test.loss > 0 {
			t.Errorf("%s: %v", test.name, err)
		}
		var sum time.Duration
		all := delays(fates)
		for _, d := range all {
			sum += d
			if d < test.least {
				t.Fatalf("%s: a delay of %v, less than %v", test.name, d, test.least)
			}
		}
		if avg := sum / time.Duration(len(all)); math.Abs(float64(avg-test.avg)) > 0.03*float64(test.avg) {
			t.Errorf("%s: the mean delay is %v, want %v", test.name, avg, test.avg)
		}
	}
	if m, err := Preset("moon"); m != nil || err == nil || !strings.Contains(err.Error(), `"moon", only assignment, lan, lte, satellite, wifi`) {
		t.Errorf("an unknown preset: %v", err)
	}
}
