//go:build !linux

package proxy

import "net"

func force(net.PacketConn, int) bool { return false }

func drops(net.PacketConn) int { return 0 }
