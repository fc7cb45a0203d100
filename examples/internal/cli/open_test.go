package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var errEnd = errors.New("the end")

// TestOpenEnds: the end of the context ends the wait for the writer of a pipe, and for what
// it has to say.
func TestOpenEnds(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	go cancel(errEnd)
	if _, err := Open(ctx, pipe); !errors.Is(err, errEnd) {
		t.Errorf("opening: %v", err)
	}
	// This unblocks the goroutine that still opens the pipe.
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel = context.WithCancelCause(t.Context())
	f, err := Open(ctx, pipe)
	if err != nil {
		t.Fatal(err)
	}
	go cancel(errEnd)
	if _, err := io.ReadAll(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading: %v", err)
	}
}
