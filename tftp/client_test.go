package tftp

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
)

// TestRepeatedOACK: the server has not heard the answer to its OACK, which is given
// again at once.
func TestRepeatedOACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t)
		server := &manualPeer{t, p.conn}
		done := make(chan error)
		go func() {
			got, _, err := p.get(Client{BlockSize: -1, WindowSize: 2}, "file")
			if err == nil && string(got) != "text" {
				err = errBroken
			}
			done <- err
		}()
		client := server.expect(ms, false, "RRQ[{tsize 0} {windowsize 2}]")
		oack := Packet{Op: OACK, Options: []Option{{"windowsize", "2"}}}
		for range 2 {
			server.packet(client, oack)
			server.expect(ms, false, "ACK 0")
		}
		server.packet(client, Packet{Op: DATA, Block: 1, Payload: []byte("text")})
		server.expect(ms, false, "ACK 1")
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.conn.Close()
	})
}

// TestOneServerPort: a client that has its answer knows the server's port, and takes
// nothing from another: the stranger is told so, once for each packet.
func TestOneServerPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t)
		server := &manualPeer{t, p.conn}
		other := &manualPeer{t, p.listen(netip.MustParseAddrPort("10.0.0.1:70"))}
		elsewhere := &manualPeer{t, p.listen(netip.MustParseAddrPort("10.0.0.3:69"))}
		done := make(chan error)
		var r Report
		go func() {
			var got []byte
			var err error
			got, r, err = p.get(Client{BlockSize: -1, WindowSize: -1}, "file")
			if err == nil && len(got) != 513 {
				err = errBroken
			}
			done <- err
		}()
		client := server.expect(ms, false, "RRQ[]")
		elsewhere.packet(client, Packet{Op: DATA, Block: 1, Payload: []byte("no")})
		elsewhere.expect(ms, false, "ERROR 5")
		other.packet(client, Packet{Op: DATA, Block: 1, Payload: make([]byte, 512)})
		other.expect(ms, false, "ACK 1")
		server.packet(client, Packet{Op: DATA, Block: 2, Payload: []byte("no")})
		server.expect(ms, false, "ERROR 5")
		other.packet(client, Packet{Op: DATA, Block: 2, Payload: []byte("x")})
		other.expect(ms, false, "ACK 2")
		if err := <-done; err != nil || r.Addr.Port() != 70 || r.Unsolicited != 2 {
			t.Errorf("%v, %+v", err, r)
		}
		for _, u := range []*manualPeer{server, other, elsewhere} {
			u.conn.Close()
		}
	})
}

// withManualServer runs call as a client, and f as the server that it talks to.
func withManualServer(t *testing.T, call func(p *testNet) error, f func(server *manualPeer)) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t)
		done := make(chan error)
		go func() { done <- call(p) }()
		f(&manualPeer{t, p.conn})
		err = <-done
		p.conn.Close()
	})
	return err
}

// TestAskedWindow: no more is asked for than a receive buffer takes.
func TestAskedWindow(t *testing.T) {
	c := Client{BlockSize: 8192, WindowSize: 64, GiveUp: 100 * ms}
	get := func(p *testNet) error { _, _, err := p.get(c, "file"); return err }
	put := func(p *testNet) error { _, err := p.put(c, "file", []byte("text")); return err }
	for want, call := range map[string]func(*testNet) error{
		"RRQ[{tsize 0} {blksize 8192} {windowsize 12}]": get,
		"WRQ[{tsize 4} {blksize 8192} {windowsize 12}]": put,
	} {
		err := withManualServer(t, call, func(server *manualPeer) { server.expect(ms, false, want) })
		if !errors.Is(err, ferry.ErrNoAnswer) {
			t.Error(err)
		}
	}
}

// TestWhatIsNotAsked fails before anything is sent.
func TestWhatIsNotAsked(t *testing.T) {
	for _, name := range []string{strings.Repeat("x", maxName+1), "a\x00b"} {
		err := withManualServer(t, func(p *testNet) error { _, _, err := p.get(Client{}, name); return err }, func(server *manualPeer) {
			server.expect(ms, false)
		})
		if err == nil || errors.Is(err, ferry.ErrNoAnswer) {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
}

// TestWideInAnyOrder: the first block that comes need not be block 1.
func TestWideInAnyOrder(t *testing.T) {
	err := withManualServer(t, func(p *testNet) error {
		got, _, err := p.get(Client{Wide: true}, "file")
		if err == nil && string(got[512:]) != "text" {
			err = errBroken
		}
		return err
	}, func(server *manualPeer) {
		client := server.expect(ms, true, "RRQ[]")
		server.packet(client, Packet{Op: DATA, Wide: true, Block: 2, Payload: []byte("text")})
		server.expect(ms, true, "ACK 2")
		server.packet(client, Packet{Op: DATA, Wide: true, Block: 1, Payload: make([]byte, 512)})
		server.expect(ms, true, "ACK 1")
	})
	if err != nil {
		t.Error(err)
	}
}

// TestClientLingers: a client lingers for a few timeouts by default.
func TestClientLingers(t *testing.T) {
	var took time.Duration
	err := withManualServer(t, func(p *testNet) error {
		start := time.Now()
		_, _, err := p.get(Client{BlockSize: -1, WindowSize: -1}, "file")
		took = time.Since(start)
		return err
	}, func(server *manualPeer) {
		client := server.expect(10*ms, false, "RRQ[]") // so long is the round trip
		last := Packet{Op: DATA, Block: 1, Payload: []byte("text")}
		for range 2 {
			server.packet(client, last)
			server.expect(20*ms, false, "ACK 1")
		}
	})
	if err != nil || took < 100*ms || took > 2*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}
