package lossy

import (
	"fmt"
	"time"
)

// checkProbability panics unless p is a probability. option is what the user
// wrote, such as "Loss".
func checkProbability(option string, p float64) {
	if !(p >= 0 && p <= 1) { // NaN is neither
		panic(fmt.Sprintf("lossy: %s: probability %v is not within 0 and 1", option, p))
	}
}

// checkDuration panics if d is negative.
func checkDuration(option, name string, d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("lossy: %s: %s %v is negative", option, name, d))
	}
}
