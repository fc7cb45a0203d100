//go:build !race

package relay

const thorough = 1
