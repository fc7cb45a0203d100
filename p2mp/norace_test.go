//go:build !race

package p2mp

const thorough = 1
