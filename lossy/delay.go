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

// UniformDelay delays each packet by a time uniformly distributed between mean-jitter
// and mean+jitter, where a negative one counts as zero: netem's default. It is [Jitter]
// by other parameters. It panics if the mean or the jitter is negative.
func UniformDelay(mean, jitter time.Duration) Model {
	checkDuration("UniformDelay", "mean", mean)
	checkDuration("UniformDelay", "jitter", jitter)
	return randomDelay(func(u float64) float64 { return float64(mean) + float64(jitter)*(2*u-1) })
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
// nanoseconds. A packet takes exactly one random number: a change of one model's
// parameters does not change the numbers of other models.
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

// ParetoDelay delays each packet by mean + jitter X, where X has a Pareto
// distribution: most packets are a little early, and a few are very late. It
// is netem's, which has shape 3 and is moved to a mean of zero and scaled by
// 4/3, so that
//
//	P(X <= x) = 1 - (3/4 x + 3/2)^-3, for x >= -2/3
//
// and the standard deviation is 2/√3 = 1.155 times the jitter. (netem's table
// ends at 4; this distribution does not.) A negative delay counts as zero. It panics if the
// mean or the jitter is negative.
func ParetoDelay(mean, jitter time.Duration) Model {
	checkDuration("ParetoDelay", "mean", mean)
	checkDuration("ParetoDelay", "jitter", jitter)
	return randomDelay(func(u float64) float64 {
		return float64(mean) + float64(jitter)*quantilePareto(u)
	})
}

// ParetoNormalDelay delays each packet by mean + jitter X, where X is a quarter of the X of
// [NormalDelay] plus three quarters of the X of [ParetoDelay], both from the same random
// number. netem does the same, because its authors measured such delays (the NIST Net
// emulator). A negative delay counts as zero. It panics if the mean or the jitter is
// negative.
func ParetoNormalDelay(mean, jitter time.Duration) Model {
	checkDuration("ParetoNormalDelay", "mean", mean)
	checkDuration("ParetoNormalDelay", "jitter", jitter)
	return randomDelay(func(u float64) float64 {
		return float64(mean) + float64(jitter)*(quantileNormal(u)/4+quantilePareto(u)*3/4)
	})
}

// quantilePareto is the inverse of the distribution function of X.
func quantilePareto(u float64) float64 {
	return (1/math.Cbrt(1-u) - 1.5) * 4 / 3
}

// TableDelay delays each packet by one of the delays, each as likely as any
// other: a table of measured delays gives their distribution again. The slice
// is copied. It panics if there are none, or if one is negative.
func TableDelay(delays []time.Duration) Model {
	if len(delays) == 0 {
		panic("lossy: TableDelay: the table is empty")
	}
	table := make([]float64, len(delays))
	for i, d := range delays {
		checkDuration("TableDelay", "delay", d)
		table[i] = float64(d)
	}
	return randomDelay(func(u float64) float64 { return table[int(u*float64(len(table)))] })
}
