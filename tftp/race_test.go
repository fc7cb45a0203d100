//go:build race

package tftp

// thorough divides the number of runs, because the race detector makes
// everything ten times slower.
const thorough = 10
