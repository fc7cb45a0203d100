package tftp

import (
	"net/netip"
	"testing"
	"testing/synctest"
)

// TestRepeatedOACK: the server has not heard the answer to its OACK, which is given again at once.
func TestRepeatedOACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newStage(t)
		server := &puppet{t, p.conn}
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

// TestOneServerPort: a client that has its answer knows the server's port, and takes nothing
// from another: the stranger is told so, once for each packet.
func TestOneServerPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newStage(t)
		server := &puppet{t, p.conn}
		other := &puppet{t, p.listen(netip.MustParseAddrPort("10.0.0.1:70"))}
		elsewhere := &puppet{t, p.listen(netip.MustParseAddrPort("10.0.0.3:69"))}
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
		if err := <-done; err != nil || r.Peer.Port() != 70 || r.Foreign != 2 {
			t.Errorf("%v, %+v", err, r)
		}
		for _, u := range []*puppet{server, other, elsewhere} {
			u.conn.Close()
		}
	})
}
