package pcapng

import (
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/ferrygo/ferry/lossy"
)

// A Writer writes a capture file. Several networks and conns may share one.
type Writer struct {
	mu  sync.Mutex
	w   io.Writer
	err error
	buf []byte
}

// NewWriter begins a capture file on w. Every packet is one Write; none is
// buffered, so that nothing is lost when a test panics. The error is that of
// writing the file's header.
func NewWriter(w io.Writer) (*Writer, error) {
	c := &Writer{w: w}
	c.buf = appendFileHeader(c.buf)
	for _, name := range interfaces {
		c.buf = appendInterface(c.buf, name)
	}
	if c.write(); c.err != nil {
		return nil, fmt.Errorf("pcapng: writing the file header: %w", c.err)
	}
	return c, nil
}

// Err returns the first error of writing, or nil. After an error the Writer writes
// nothing more; the network goes on.
func (c *Writer) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Trace returns a Trace that writes every packet to the file, for [lossy.WithTrace].
func (c *Writer) Trace() *lossy.Trace { return &lossy.Trace{Judged: c.judged} }

// judged writes a packet.
func (c *Writer) judged(e lossy.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.buf = appendPacket(c.buf[:0], e)
		c.write()
	}
}

func (c *Writer) write() {
	n, err := c.w.Write(c.buf)
	if err == nil && n < len(c.buf) {
		err = io.ErrShortWrite
	}
	c.err = err
}

// comment describes the fate of a packet.
func comment(e lossy.Event) string {
	var b []byte
	switch e.Verdict {
	case lossy.Dropped:
		b = append(append(b, "dropped: "...), e.Cause...)
	case lossy.Delayed:
		b = append(append(b, "delayed "...), e.Delay.String()...)
	default:
		b = append(b, "passed"...)
	}
	b = strconv.AppendInt(append(b, ", packet "...), int64(e.N), 10)
	if e.Copy > 0 {
		b = strconv.AppendInt(append(b, ", copy "...), int64(e.Copy), 10)
	}
	if e.Corrupted {
		b = append(b, ", corrupted"...)
	}
	return string(b)
}
