package ferry

import (
	"context"
	"os"
)

// OpenFile opens a file to send, as os.Open does. Opening a named pipe waits for a writer;
// OpenFile waits for it until ctx ends, and then returns ctx's cause.
func OpenFile(ctx context.Context, name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return os.Open(name)
	}
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(name)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.f, o.err
	case <-ctx.Done():
	}
	defer releasePipe(name)()
	o := <-done
	if o.err == nil {
		_ = o.f.Close()
	}
	return nil, &os.PathError{Op: "open", Path: name, Err: context.Cause(ctx)}
}
