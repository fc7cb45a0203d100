//go:build race

package octoput

// thorough is the divisor of the number of test cases under the race detector, which is
// about ten times slower.
const thorough = 10
