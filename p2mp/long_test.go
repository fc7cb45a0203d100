package p2mp

import "flag"

var long = flag.Bool("long", false, "run the random tests in full numbers")

// thorough returns the divisor of the numbers of random tests.
func thorough() int {
	if *long {
		return 1
	}
	return leastThorough
}
