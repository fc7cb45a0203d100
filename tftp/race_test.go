//go:build race

package tftp

// thorough is how many times less there is to do where the race detector makes
// everything ten times slower.
const thorough = 10
