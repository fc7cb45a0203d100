//go:build !linux

package datagram

import "net"

// bufferSize is 0: nothing here asks the system.
func bufferSize(net.PacketConn, direction) int { return 0 }
