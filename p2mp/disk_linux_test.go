package p2mp

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestFullFileSystem: one that has no room for the bytes, and one that has none for
// another file.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,nr_inodes=2"); err != nil {
		t.Skip("no tmpfs:", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	data := noise(1, 100_000)
	for _, beside := range []string{"", "f"} { // it can hold the directory and one file
		if beside != "" {
			if err := root.WriteFile(beside, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond))
			var ended error
			p.serve(Receiver{Trace: &Trace{Finished: func(e TransferEvent) { ended = e.Err }}}, &ferry.Dir{Root: root})
			_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "g"})
			p.stop()
			if a, ok := errors.AsType[*AbortError](err); !ok || a.Reason != ReasonStorage || !errors.Is(ended, ferry.ErrDiskFull) {
				t.Errorf("beside %q: the sender %v, the receiver %v", beside, err, ended)
			}
			if got := names(t, dir); len(got) != 0 && beside == "" {
				t.Errorf("files %q are left", got)
			}
		})
	}
}
