package tftp

import (
	"bufio"
	"io"
)

// A lazyWriter is a buffered writer to a sink. It allocates its buffer for the first byte,
// because a forged request is never followed by one.
type lazyWriter struct {
	sink io.Writer
	size int
	buf  *bufio.Writer
}

func (w *lazyWriter) Write(b []byte) (int, error) {
	if w.buf == nil {
		w.buf = bufio.NewWriterSize(w.sink, w.size)
	}
	return w.buf.Write(b)
}

// Buffered returns the number of bytes that have not been written to the sink.
func (w *lazyWriter) Buffered() int {
	if w.buf == nil {
		return 0
	}
	return w.buf.Buffered()
}

// Flush writes the buffered bytes to the sink.
func (w *lazyWriter) Flush() error {
	if w.buf == nil {
		return nil
	}
	return w.buf.Flush()
}
