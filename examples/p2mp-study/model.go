package main

import "math"

// rounds is how often a chunk is sent on average until all of n receivers have it, when
// each try fails at each of them with probability p: the sum over k of the probability that
// k tries are not enough.
func rounds(n int, p float64) float64 {
	sum := 0.0
	for k := 0; ; k++ {
		term := 1 - math.Pow(1-math.Pow(p, float64(k)), float64(n))
		if sum += term; term < 1e-12 {
			return sum
		}
	}
}

// slowest is the mean of the longest of n round trips, in seconds, where each of the two
// ways takes a time evenly distributed around delay, by jitter at most.
func slowest(n int, delay, jitter float64) float64 {
	// The integral of the probability that one takes longer; the sum of two such times
	// has a triangular distribution.
	const steps = 1000
	sum := 0.0
	for i := range steps {
		x := 2 * (float64(i) + 0.5) / steps // from the shortest, 0, to the longest, 2
		within := x * x / 2
		if x > 1 {
			within = 1 - (2-x)*(2-x)/2
		}
		sum += (1 - math.Pow(within, float64(n))) * 2 / steps
	}
	return 2*(delay-jitter) + 2*jitter*sum
}

// expected is what lock-step with the fixed timer takes, in seconds: for each chunk the
// slowest round trip, and a timer for each round that fails.
func expected(p point, chunks int) float64 {
	trip := slowest(p.receivers, delay.Seconds(), jitter.Seconds())
	return float64(chunks) * (trip + fixed.Seconds()*(rounds(p.receivers, p.loss)-1))
}
