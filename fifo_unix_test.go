//go:build unix

package ferry

import (
	"syscall"
	"testing"
)

func mkfifo(t *testing.T, name string) {
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
}
