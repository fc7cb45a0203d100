//go:build race

package lossy

// raceFactor divides the samples of statistical tests, which the race
// detector makes slow.
const raceFactor = 8
