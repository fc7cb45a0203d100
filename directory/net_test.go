package directory

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/ferrygo/ferry/lossy"
)

// A town is a directory and clients on a network in memory. It lives in a synctest
// bubble.
type town struct {
	t       testing.TB
	net     *lossy.Network
	conn    *lossy.Conn // the directory's
	at      netip.AddrPort
	stop    context.CancelFunc
	stopped chan struct{}
	stats   Stats
	conns   []*lossy.Conn
}

var hall = netip.MustParseAddrPort("10.0.0.1:7777")

func newTown(t testing.TB, s *Server, options ...lossy.Option) *town {
	v := &town{t: t, net: lossy.NewNetwork(options...), at: hall}
	v.open(s)
	return v
}

// open starts the directory, again perhaps.
func (v *town) open(s *Server) {
	conn, err := v.net.NewConn(v.at)
	if err != nil {
		v.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	v.conn, v.stop, v.stopped = conn, stop, stopped
	go func() {
		defer close(stopped)
		s.Serve(ctx, conn)
		v.stats = s.Stats()
	}()
}

// shut stops the directory.
func (v *town) shut() Stats {
	v.stop()
	<-v.stopped
	v.conn.Close()
	return v.stats
}

// close shuts the directory and closes all conns.
func (v *town) close() {
	v.shut()
	for _, c := range v.conns {
		c.Close()
	}
}

// listen opens a conn for a host, at any port.
func (v *town) listen(host string) *lossy.Conn {
	c, err := v.net.NewConn(netip.AddrPortFrom(netip.MustParseAddr(host), 0))
	if err != nil {
		v.t.Fatal(err)
	}
	v.conns = append(v.conns, c)
	return c
}

// client returns a client at a host.
func (v *town) client(host string) *Client {
	return &Client{Conn: v.listen(host), Directory: v.at}
}

func httpAt(host string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(host), 80)
}

func addrOf(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }
