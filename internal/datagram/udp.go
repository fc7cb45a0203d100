package datagram

import (
	"net"
	"net/netip"
)

// A udpConn reads and writes a *net.UDPConn a packet at a time, on any system.
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
	// Windows calls it an error if a datagram has been cut off.
	if err != nil && !(TooLong(err) && n > 0) {
		return pkts, err
	}
	return appendPacket(pkts, c.buf[:n], from), nil
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

// mayReach reports whether a socket that is connected to remote, if that is valid, may
// send there.
func mayReach(remote, to netip.AddrPort) error {
	switch {
	case !to.IsValid():
		return errNoAddr
	case remote.IsValid() && to != remote:
		return net.ErrWriteToConnected
	}
	return nil
}

// writeError is an error of writing, as the net package has them.
func writeError(conn *net.UDPConn, to netip.AddrPort, err error) error {
	return &net.OpError{
		Op: "write", Net: "udp", Source: conn.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: err,
	}
}
