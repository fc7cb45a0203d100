package datagram

import (
	"net"
	"net/netip"
)

// A udpConn reads and writes a *net.UDPConn, one packet per call, on any system. It does
// not know the local addresses of packets.
type udpConn struct {
	conn   *net.UDPConn
	remote netip.AddrPort // valid if the socket is connected
	buf    []byte
	max    int
}

func newUDPConn(conn *net.UDPConn, cfg *Config) *udpConn {
	return &udpConn{conn: conn, remote: addrPort(conn.RemoteAddr()), max: cfg.readSize()}
}

func (c *udpConn) read(pkts []Packet) ([]Packet, error) {
	if c.buf == nil {
		c.buf = make([]byte, c.max+1)
	}
	n, from, err := c.conn.ReadFromUDPAddrPort(c.buf)
	// On Windows it is an error that a datagram has been cut off.
	if err != nil && !(TooLong(err) && n > 0) {
		return pkts, err
	}
	return appendPacket(pkts, c.buf[:n], from, netip.Addr{}), nil
}

func (c *udpConn) write(pkts []Packet) (int, error) {
	for i, p := range pkts {
		if err := c.writeOne(p); err != nil {
			return i, err
		}
	}
	return len(pkts), nil
}

func (c *udpConn) writeOne(p Packet) error {
	if err := mayReach(c.remote, p.Addr); err != nil {
		return writeError(c.conn, p.Addr, err)
	}
	if c.remote.IsValid() {
		_, err := c.conn.Write(p.Data)
		return err
	}
	_, err := c.conn.WriteToUDPAddrPort(p.Data, p.Addr)
	return err
}

// mayReach returns an error if a socket that is connected to remote (if that is valid)
// cannot send to an address.
func mayReach(remote, to netip.AddrPort) error {
	switch {
	case !to.IsValid():
		return errNoAddr
	case remote.IsValid() && to != remote:
		return net.ErrWriteToConnected
	}
	return nil
}

// writeError returns an error of a write in the form of the net package.
func writeError(conn *net.UDPConn, to netip.AddrPort, err error) error {
	return &net.OpError{
		Op: "write", Net: "udp", Source: conn.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: err,
	}
}
