// Package lossy impairs packets: it wraps any [net.PacketConn], or makes an
// in-memory network of them.
package lossy
