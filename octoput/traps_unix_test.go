//go:build unix

package octoput

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// makeTraps creates files in dir that a server must not open: a link that leads outside,
// and a pipe without a writer.
func makeTraps(t *testing.T, dir string) {
	if err := os.Symlink("../outside", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
}
