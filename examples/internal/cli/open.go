package cli

import (
	"context"
	"os"
)

// Open opens a file to be sent. Opening a named pipe waits for a writer, and reading it waits
// for what the writer has to say; the end of ctx ends both.
func Open(ctx context.Context, name string) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	opened := make(chan result, 1)
	go func() {
		f, err := os.Open(name)
		opened <- result{f, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-opened:
		if r.err == nil {
			context.AfterFunc(ctx, func() { r.f.Close() })
		}
		return r.f, r.err
	}
}
