package tftp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A puppet is the other side of a conversation, moved by hand.
type manualPeer struct {
	t    *testing.T
	conn *lossy.Conn
}

func (p *testNet) manualPeer() *manualPeer { return &manualPeer{p.t.(*testing.T), p.client()} }

func (u *manualPeer) send(to netip.AddrPort, b []byte) {
	u.t.Helper()
	if _, err := u.conn.WriteToUDPAddrPort(b, to); err != nil {
		u.t.Fatal(err)
	}
}

func (u *manualPeer) packet(to netip.AddrPort, p Packet) {
	u.t.Helper()
	b, err := p.MarshalBinary()
	if err != nil {
		u.t.Fatal(err)
	}
	u.send(to, b)
}

// within returns what arrives in d, in words such as "DATA 1".
func (u *manualPeer) within(d time.Duration, wide bool) (said []string, from netip.AddrPort) {
	end := time.Now().Add(d)
	u.conn.SetReadDeadline(end)
	buf := make([]byte, 65536)
	for {
		n, a, err := u.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return said, from
		}
		from = a
		p, err := ParsePacket(buf[:n], wide)
		switch {
		case err != nil:
			said = append(said, err.Error())
		case p.Op == DATA || p.Op == ACK:
			said = append(said, fmt.Sprintf("%v %d", p.Op, p.Block))
		case p.Op == ERROR:
			said = append(said, fmt.Sprintf("ERROR %d", p.Code))
		default:
			said = append(said, fmt.Sprintf("%v%v", p.Op, p.Options))
		}
	}
}

func (u *manualPeer) expect(d time.Duration, wide bool, want ...string) netip.AddrPort {
	u.t.Helper()
	said, from := u.within(d, wide)
	if strings.Join(said, "; ") != strings.Join(want, "; ") {
		u.t.Errorf("got %q, want %q", said, want)
	}
	return from
}

// withServer runs f with a server that has the file "file" of size bytes.
func withServer(t *testing.T, size int, setup func(*testNet), f func(p *testNet, u *manualPeer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t)
		p.files.files["file"] = noise(1, size)
		if setup != nil {
			setup(p)
		}
		p.start()
		u := p.manualPeer()
		f(p, u)
		u.conn.Close()
		p.end()
	})
}

func rrq(options ...Option) Packet {
	return Packet{Op: RRQ, Name: "file", Mode: "octet", Options: options}
}

const ms = time.Millisecond
