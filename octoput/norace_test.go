//go:build !race

package octoput

const thorough = 1
