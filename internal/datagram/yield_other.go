//go:build !linux

package datagram

// yield does nothing: it is useful where batches are read.
func yield() {}
