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
	return &part{
		newJudge: func() judge { return func(*passage) verdict { return verdict{delay: d} } },
		least:    d,
	}
}

// Jitter delays each packet by a time uniformly distributed between least and
// most. A packet may overtake another sent less than most-least before it,
// unless [InOrder] follows. It panics if least is negative or more than most.
func Jitter(least, most time.Duration) Model {
	checkDuration("Jitter", "least delay", least)
	if most < least {
		panic(fmt.Sprintf("lossy: Jitter: most %v is below least %v", most, least))
	}
	width := float64(most - least)
	return &part{
		least: least,
		newJudge: func() judge {
			return func(x *passage) verdict {
				return verdict{delay: least + time.Duration(x.uniform()*width)}
			}
		},
		correlated: correlatedDelay(func(u float64) float64 { return float64(least) + u*width }),
	}
}

// NormalDelay delays each packet by a normally distributed time, where a
// negative one counts as zero. Packets overtake each other, unless [InOrder]
// follows. It panics if the mean or the standard deviation is negative.
func NormalDelay(mean, stddev time.Duration) Model {
	checkDuration("NormalDelay", "mean", mean)
	checkDuration("NormalDelay", "standard deviation", stddev)
	return randomDelay(func(u float64) float64 {
		return float64(mean) + float64(stddev)*quantileNormal(u)
	})
}

// randomDelay makes a model of the quantiles of its distribution, in
// nanoseconds. They take exactly one random number: a change of one model's
// parameters leaves the others' numbers as they were.
func randomDelay(quantile func(u float64) float64) Model {
	return &part{
		newJudge: func() judge {
			return func(x *passage) verdict {
				return verdict{delay: nanoseconds(quantile(x.open()))}
			}
		},
		correlated: correlatedDelay(quantile),
	}
}

func correlatedDelay(quantile func(u float64) float64) func(r float64) func() judge {
	return func(r float64) func() judge {
		return func() judge {
			d := drift{r: r}
			return func(x *passage) verdict {
				return verdict{delay: nanoseconds(quantile(d.next(x)))}
			}
		}
	}
}

// nanoseconds returns the Duration next to d, and 0 for a negative one.
func nanoseconds(d float64) time.Duration {
	// A float64 beyond the int64s converts to an unspecified one.
	if d >= math.MaxInt64 {
		return math.MaxInt64
	}
	return max(0, time.Duration(math.Round(d)))
}

// open returns a random number in (0, 1): the middle of one of 2^53 intervals.
func (p *passage) open() float64 {
	return (float64(p.rng.Uint64()>>11) + 0.5) / (1 << 53)
}

// normal returns a number from the standard normal distribution.
func (p *passage) normal() float64 { return quantileNormal(p.open()) }

// quantileNormal is the inverse of the standard normal distribution function.
func quantileNormal(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }
