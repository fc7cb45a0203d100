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
	if err := c.check(p.Addr); err != nil {
		return err
	}
	if c.remote.IsValid() {
		_, err := c.conn.Write(p.Data)
		return err
	}
	_, err := c.conn.WriteToUDPAddrPort(p.Data, p.Addr)
	return err
}

// check reports whether the socket may send there.
func (c *udpConn) check(to netip.AddrPort) error {
	switch {
	case !to.IsValid():
		return errNoAddr
	case c.remote.IsValid() && to != c.remote:
		return errElsewhere
	}
	return nil
}
