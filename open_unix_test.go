//go:build unix

package ferry

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
)

func mkfifo(t *testing.T, name string) {
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
}

// TestOpenFilePipe: a pipe without a writer is waited for until the context ends.
func TestOpenFilePipe(t *testing.T) {
	name := t.TempDir() + "/pipe"
	mkfifo(t, name)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if _, err := OpenFile(ctx, name); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	go func() {
		if f, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			f.WriteString("text")
			f.Close()
		}
	}()
	f, err := OpenFile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
}
