package lossy

import (
	"math"
	"time"
)

// ParetoDelay delays each packet by mean + jitter X, where X has a Pareto
// distribution: most packets are a little early, and a few are very late. It
// is netem's, which has shape 3 and is moved to a mean of zero and scaled by
// 4/3, so that
//
//	P(X <= x) = 1 - (3/4 x + 3/2)^-3, for x >= -2/3
//
// and the standard deviation is 2/√3 = 1.155 times the jitter. (netem's table
// ends at 4, this does not.) A negative delay counts as zero. It panics if the
// mean or the jitter is negative.
func ParetoDelay(mean, jitter time.Duration) Model {
	checkDuration("ParetoDelay", "mean", mean)
	checkDuration("ParetoDelay", "jitter", jitter)
	return randomDelay(func(u float64) float64 {
		return float64(mean) + float64(jitter)*quantilePareto(u)
	})
}

// ParetoNormalDelay delays each packet by mean + jitter X, where X is a quarter
// of what it would be with [NormalDelay] and three quarters of what it
// would be with [ParetoDelay], both from the same random number. So does
// netem, whose authors found real delays to be so (the NIST Net emulator). A
// negative delay counts as zero. It panics if the mean or the jitter is
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
