//go:build race

package relay

// thorough divides the volume of tests under the race detector, which is ten times slower.
const thorough = 10
