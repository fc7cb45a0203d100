//go:build unix

package octoput

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// makeTraps puts into dir what a server had better not open: a link that leads outside,
// and a pipe that nobody writes to.
func makeTraps(t *testing.T, dir string) {
	if err := os.Symlink("../outside", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
}
