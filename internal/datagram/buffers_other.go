//go:build !linux

package datagram

import "net"

// systemBufferSize is 0: nothing here asks the system.
func systemBufferSize(net.PacketConn, direction) int { return 0 }
