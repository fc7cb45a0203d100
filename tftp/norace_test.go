//go:build !race

package tftp

const thorough = 1
