package lossy

import (
	"fmt"
	"math"
	"time"
)

// Delay delays every packet by d, and so keeps their order. It panics if d is
// negative.
func Delay(d time.Duration) Model {
	checkDuration("Delay", "delay", d)
	return stateless(func(*passage) verdict { return verdict{delay: d} })
}

// Jitter delays each packet by a time uniformly distributed between least and
// most. A packet may overtake another sent less than most-least before it.
// It panics if least is negative or more than most.
func Jitter(least, most time.Duration) Model {
	checkDuration("Jitter", "least delay", least)
	if most < least {
		panic(fmt.Sprintf("lossy: Jitter: most %v is below least %v", most, least))
	}
	width := float64(most - least)
	return stateless(func(x *passage) verdict {
		return verdict{delay: least + time.Duration(x.uniform()*width)}
	})
}

// NormalDelay delays each packet by a normally distributed time, where a
// negative one counts as zero. Packets overtake each other. It panics if the
// mean or the standard deviation is negative.
func NormalDelay(mean, stddev time.Duration) Model {
	checkDuration("NormalDelay", "mean", mean)
	checkDuration("NormalDelay", "standard deviation", stddev)
	return stateless(func(x *passage) verdict {
		d := float64(mean) + float64(stddev)*x.normal()
		// A float64 beyond the int64s converts to an unspecified one.
		if d >= math.MaxInt64 {
			return verdict{delay: math.MaxInt64}
		}
		return verdict{delay: max(0, time.Duration(math.Round(d)))}
	})
}

// normal returns a number from the standard normal distribution. It inverts
// the distribution function, because that takes exactly one random number: a
// change of one model's parameters leaves the others' numbers as they were.
func (p *passage) normal() float64 {
	// The middle of one of 2^53 intervals, never 0 or 1.
	u := (float64(p.rng.Uint64()>>11) + 0.5) / (1 << 53)
	return math.Sqrt2 * math.Erfinv(2*u-1)
}
