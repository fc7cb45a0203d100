//go:build !linux

package datagram

import "net"

// system is the system's own way to read and write many packets at once: none here.
func system(*net.UDPConn) (BatchReader, BatchWriter) { return nil, nil }
