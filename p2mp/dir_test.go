package p2mp

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

func openRoot(t *testing.T) (*os.Root, string) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// names lists a directory, hidden files included.
func names(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDir(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, Dir(root))
		files := [][]byte{noise(1, 1000), nil, noise(2, 3)}
		for _, data := range files {
			p.mustSend(data)
		}
		p.stop()
		got := names(t, dir)
		if len(got) != len(files) {
			t.Fatalf("files %q, want %d", got, len(files))
		}
		for i, name := range got { // in the order of time
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.Equal(b, files[i]) {
				t.Errorf("%s: %d bytes, %v; want %d", name, len(b), err, len(files[i]))
			}
		}
		if !strings.HasPrefix(got[0], "20000101T000000.001") || !strings.HasSuffix(got[0], "_10.0.0.1_7735") {
			t.Errorf("the first file is %s, want the time and the sender's address", got[0])
		}
	})
}

func TestClassicName(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 4, 5, 678900, time.UTC)
	for addr, want := range map[string]string{
		"10.0.0.2:50123":      "20260314T150405.000678_10.0.0.2_50123",
		"[2001:db8::1]:7":     "20260314T150405.000678_2001-db8--1_7",
		"[fe80::1%eth0]:7735": "20260314T150405.000678_fe80--1-eth0_7735",
	} {
		if got := classicName(Offer{From: netip.MustParseAddrPort(addr)}, at); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// A file is there only when it is whole, and an unfinished one leaves nothing.
func TestSaveAs(t *testing.T) {
	root, dir := openRoot(t)
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	contents := func() string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{}, SaveAs(root, "f"))
		p.write(chunk(1, "ab"))
		p.read()
		if got := contents(); got != "old" {
			t.Errorf("in mid-file it holds %q, want the old contents", got)
		}
		p.write(chunk(2, "c"))
		p.read()
		if got := contents(); got != "abc" {
			t.Errorf("afterwards it holds %q", got)
		}
		p.write(chunk(1, "xy"))
		p.read()
		p.stop() // in mid-file
		if got := contents(); got != "abc" {
			t.Errorf("after an unfinished transfer it holds %q", got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("files %q are left, want f alone", got)
		}
	})
}

// A disk that fills up at any chunk ends the transfer with an error that says so, and
// leaves no partial file.
func TestDiskFull(t *testing.T) {
	root, dir := openRoot(t)
	for full := range 4 {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond))
			var ended error
			trace := &Trace{Finished: func(_ Offer, _ Report, err error) { ended = err }}
			p.serve(Receiver{Trace: trace}, HandlerFunc(func(o Offer) (Sink, error) {
				sink, err := Dir(root).Accept(o)
				return &fullDisk{Sink: sink, room: 100 * full}, err
			}))
			if err := p.sendFrom(p.sender, noise(1, 350)); err == nil {
				t.Error("Send did not notice")
			}
			p.stop()
			if !errors.Is(ended, syscall.ENOSPC) {
				t.Errorf("full after %d bytes: %v", 100*full, ended)
			}
			if got := names(t, dir); len(got) != 0 {
				t.Errorf("full after %d bytes: files %q are left", 100*full, got)
			}
		})
	}
}

type fullDisk struct {
	Sink
	room int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, &os.PathError{Op: "write", Path: "f", Err: syscall.ENOSPC}
	}
	return d.Sink.Write(b)
}
