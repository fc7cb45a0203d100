package tftp

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestNoPartialFile: a write that fails leaves nothing. A write that succeeds has its file when
// the client returns.
func TestNoPartialFile(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	left := func() (names []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t, lossy.Delay(ms))
		p.server.Handler = &ferry.Dir{Root: root}
		p.start()
		conn := p.client()
		var c Client
		src := ferry.Source{R: &failingReader{100_000, errBroken}, Size: -1}
		if _, err := c.Put(t.Context(), conn, p.addr, "source fails", src); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		c.Trace = &Trace{Acked: func(PacketEvent) { cancel() }}
		src = ferry.Source{R: bytes.NewReader(noise(1, 100_000)), Size: 100_000}
		if _, err := c.Put(ctx, conn, p.addr, "cancelled", src); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		conn.Close()
		u := p.manualPeer()
		u.packet(p.addr, Packet{Op: WRQ, Name: "silent", Mode: "octet"})
		u.expect(ms*5, false, "ACK 0")
		if names := left(); len(names) != 1 || names[0] == "silent" {
			t.Errorf("while it is written: %q", names)
		}
		u.conn.Close()
		time.Sleep(DefaultServerGiveUp)
		if names := left(); len(names) != 0 {
			t.Errorf("left behind: %q", names)
		}
		if _, err := p.put(Client{}, "whole", noise(1, 100_000)); err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(dir + "/whole"); !bytes.Equal(got, noise(1, 100_000)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		p.end()
	})
	if names := left(); len(names) != 1 {
		t.Errorf("left behind: %q", names)
	}
}
