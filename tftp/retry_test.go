package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestRetryWithoutOptions: a request that was refused may have been refused for its
// options, and is sent once more without them.
func TestRetryWithoutOptions(t *testing.T) {
	for code, retried := range map[Code]bool{
		CodeUndefined: true, CodeIllegal: true, CodeOption: true, CodeNotFound: false, CodeAccess: false, CodeExists: false,
	} {
		get := func(p *testNet) error {
			got, r, err := p.get(Client{}, "file")
			if err == nil && (string(got) != "text" || r.BlockSize != 512 || r.WindowSize != 1) {
				err = errBroken
			}
			return err
		}
		err := withManualServer(t, get, func(server *manualPeer) {
			client := server.expect(ms, false, "RRQ[{tsize 0} {blksize 1428} {windowsize 16}]")
			server.packet(client, Packet{Op: ERROR, Code: code, Message: "what?"})
			if !retried {
				server.expect(ms, false)
				return
			}
			server.expect(ms, false, "RRQ[]")
			server.packet(client, Packet{Op: DATA, Block: 1, Payload: []byte("text")})
			server.expect(ms, false, "ACK 1")
		})
		var said *Error
		if retried != (err == nil) || !retried && (!errors.As(err, &said) || said.Code != code) {
			t.Errorf("code %d: %v", code, err)
		}
	}
	put := func(p *testNet) error { _, err := p.put(Client{}, "new", []byte("text")); return err }
	err := withManualServer(t, put, func(server *manualPeer) {
		client := server.expect(ms, false, "WRQ[{tsize 4} {blksize 1428} {windowsize 16}]")
		server.packet(client, Packet{Op: ERROR, Code: CodeOption})
		server.expect(ms, false, "WRQ[]")
		server.packet(client, Packet{Op: ACK})
		server.expect(ms, false, "DATA 1")
		server.packet(client, Packet{Op: ACK, Block: 1})
	})
	if err != nil {
		t.Errorf("put: %v", err)
	}
}

// TestRefusedTwice: the second refusal is the result, and a request without options is
// not sent again.
func TestRefusedTwice(t *testing.T) {
	var said *Error
	get := func(p *testNet) error { _, _, err := p.get(Client{}, "file"); return err }
	err := withManualServer(t, get, func(server *manualPeer) {
		client := server.expect(ms, false, "RRQ[{tsize 0} {blksize 1428} {windowsize 16}]")
		server.packet(client, Packet{Op: ERROR, Code: CodeOption})
		server.expect(ms, false, "RRQ[]")
		server.packet(client, Packet{Op: ERROR, Code: CodeUndefined, Message: "no such thing"})
		server.expect(time.Minute, false)
	})
	if !errors.As(err, &said) || said.Message != "no such thing" {
		t.Error(err)
	}
}

// TestEachCopyRefused: the refusals of repeated requests arrive after the retry, and do not
// end it.
func TestEachCopyRefused(t *testing.T) {
	get := func(p *testNet) error { _, _, err := p.get(Client{}, "file"); return err }
	err := withManualServer(t, get, func(server *manualPeer) {
		first := "RRQ[{tsize 0} {blksize 1428} {windowsize 16}]"
		client := server.expect(300*ms, false, first, first)
		server.packet(client, Packet{Op: ERROR, Code: CodeOption})
		server.packet(client, Packet{Op: ERROR, Code: CodeOption})
		server.expect(ms, false, "RRQ[]")
		server.packet(client, Packet{Op: DATA, Block: 1, Payload: []byte("text")})
		server.expect(ms, false, "ACK 1")
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLingerUnmeasured: where no round trip could be measured, the client lingers for a
// second at most; back-off does not lengthen it.
func TestLingerUnmeasured(t *testing.T) {
	for name, serve := range map[string]func(server *manualPeer){
		"repeated request": func(server *manualPeer) {
			client := server.expect(300*ms, false, "RRQ[]", "RRQ[]")
			server.packet(client, Packet{Op: DATA, Block: 1, Payload: []byte("text")})
		},
		"every block twice": func(server *manualPeer) {
			client := server.expect(ms, false, "RRQ[]")
			for block := range uint32(10) {
				p := Packet{Op: DATA, Block: block + 1, Payload: make([]byte, 512)}
				if block == 9 {
					p.Payload = nil
				}
				server.packet(client, p)
				server.packet(client, p)
				server.within(ms, false)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestNet(t)
			var lingered time.Duration
			done := make(chan error)
			go func() {
				start := time.Now()
				_, r, err := p.get(Client{BlockSize: -1, WindowSize: -1}, "file")
				lingered = time.Since(start) - r.Elapsed
				done <- err
			}()
			serve(&manualPeer{t, p.conn})
			if err := <-done; err != nil || lingered > time.Second {
				t.Errorf("%s: lingered for %v, %v", name, lingered, err)
			}
			p.conn.Close()
		})
	}
}

// TestGiveUp: a put waits longer than a get, for devices that erase their flash; and a
// negative bound is none.
func TestGiveUp(t *testing.T) {
	for _, tt := range []struct {
		giveUp   time.Duration
		get, put time.Duration
	}{{0, 10 * time.Second, 30 * time.Second}, {time.Minute, time.Minute, time.Minute}, {-1, time.Hour, time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork()
			conn, err := n.NewConn(clientAddr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			c := Client{GiveUp: tt.giveUp}
			start := time.Now()
			_, err = c.Get(ctx, conn, serverAddr, "x", ferry.To(io.Discard))
			if took := time.Since(start).Round(ms); err == nil || took != tt.get {
				t.Errorf("GiveUp %v: a get ends after %v, want %v; %v", tt.giveUp, took, tt.get, err)
			}
			ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			start = time.Now()
			_, err = c.Put(ctx, conn, serverAddr, "x", ferry.Source{R: bytes.NewReader(nil)})
			if took := time.Since(start).Round(ms); err == nil || took != tt.put {
				t.Errorf("GiveUp %v: a put ends after %v, want %v; %v", tt.giveUp, took, tt.put, err)
			}
		})
	}
}
