package p2mp

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// A Source is what a Sender sends.
type Source struct {
	// R yields the bytes. Send reads it to the end, in its own goroutine, so
	// a Read that blocks holds up the transfer and its cancellation.
	R io.Reader
	// Size is how many bytes R holds; negative when that is not known. When
	// R turns out to hold more or fewer, the transfer fails with [ErrSize]
	// before its last chunk, so that no receiver takes a part for the whole.
	Size int64
}

// FileSource returns a Source that reads f from where it stands. The caller closes f after
// the transfer. The size of anything but a regular file is unknown.
func FileSource(f *os.File) (Source, error) {
	info, err := f.Stat()
	if err != nil {
		return Source{}, err
	}
	switch {
	case info.IsDir():
		return Source{}, fmt.Errorf("p2mp: %s is a directory", f.Name())
	case !info.Mode().IsRegular():
		return Source{R: f, Size: -1}, nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return Source{}, err
	}
	return Source{R: f, Size: max(0, info.Size()-at)}, nil
}

// chunks cuts a source into the payloads of DATA packets, the P2MP-FTP report,
// "Client", points 4 and 5.
type chunks struct {
	src   Source
	buf   []byte // of MSS bytes
	first int    // length of chunk 1
	count int64  // chunks read so far
	total int64  // bytes read so far
}

// checkSize says at once what would otherwise be noticed after 2^32 chunks.
func checkSize(size int64, mss int) error {
	if size >= 0 && size/int64(mss) >= math.MaxUint32 {
		return fmt.Errorf("%w: %d bytes in chunks of %d", ErrTooManyChunks, size, mss)
	}
	return nil
}

// next returns the next payload, valid until the next call, and whether it is
// the last one: shorter than the first, or empty.
func (c *chunks) next() (payload []byte, last bool, err error) {
	if c.count == math.MaxUint32 {
		return nil, false, ErrTooManyChunks
	}
	n, err := io.ReadFull(c.src.R, c.buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false, fmt.Errorf("p2mp: reading the source at byte %d: %w", c.total+int64(n), err)
	}
	if c.count++; c.count == 1 {
		c.first = n
	}
	c.total += int64(n)
	last = n < c.first || n == 0

	if size := c.src.Size; size >= 0 && (c.total > size || last && c.total < size) {
		return nil, false, fmt.Errorf("%w: %d bytes read of %d", ErrSize, c.total, size)
	}
	return c.buf[:n], last, nil
}
