package tftp

import (
	"bufio"
	"io"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/fullread"
)

// A chunker cuts a source into blocks, and keeps those in flight, each after its DATA header,
// for retransmission.
type chunker struct {
	r     io.Reader
	num   numbering
	size  int   // of a full block
	ahead int64 // how many blocks may be read ahead
	slots [][]byte

	next  int64 // the first block that has not been read
	ended bool  // the source has ended
	err   error // the source has failed
}

// A sizedReader reads a source of known size. It fails if the source ends before that size or
// continues after it, because the file was changed while it was sent.
type sizedReader struct {
	r    io.Reader
	left int64
}

func (s *sizedReader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if s.left -= int64(n); s.left < 0 || err == io.EOF && s.left > 0 {
		return n, errChanged
	}
	return n, err
}

// errChanged is the error of a sizedReader, and what the receiver is told.
var errChanged = &peerError{CodeUndefined, "the file changed while it was sent", ferry.ErrSize}

// newChunker returns a chunker that keeps room blocks. A source that can seek, as a file can
// and a pipe cannot, is read ahead.
func newChunker(src ferry.Source, netascii bool, num numbering, blockSize, room int) *chunker {
	r := src.R
	c := &chunker{num: num, size: blockSize, next: 1}
	if s, ok := r.(io.Seeker); ok && !num.wide {
		if _, err := s.Seek(0, io.SeekCurrent); err == nil {
			c.ahead = int64(room)
			room *= 2
		}
	}
	if src.Size >= 0 {
		r = &sizedReader{r, src.Size}
	}
	if netascii {
		r = &netasciiReader{r: r}
	}
	if blockSize < readAhead {
		r = bufio.NewReaderSize(r, readAhead)
	}
	n := 1
	for n < room {
		n *= 2
	}
	c.r, c.slots = r, make([][]byte, n)
	return c
}

// readAhead is how much is read from a source at once.
const readAhead = 32 << 10

func (c *chunker) slot(block int64) *[]byte { return &c.slots[block&int64(len(c.slots)-1)] }

// packet is the DATA of a block that has been read.
func (c *chunker) packet(block int64) []byte { return *c.slot(block) }

// length is the payload's length of a block that has been read.
func (c *chunker) length(block int64) int { return len(*c.slot(block)) - headerLen(c.num.wide) }

// has reports whether a block has been read.
func (c *chunker) has(block int64) bool { return block < c.next }

// prepare reads ahead; fresh is the next block to be sent. An error is returned later, when
// the block is wanted.
func (c *chunker) prepare(fresh int64) {
	for !c.ended && c.err == nil && c.next < fresh+c.ahead {
		c.read()
	}
}

// want reads the block after the one that was read last.
func (c *chunker) want(block int64) error {
	if !c.has(block) && c.err == nil {
		c.read()
	}
	if c.has(block) {
		return nil
	}
	return c.err
}

// read reads the next block. The last block is shorter than all others, and may be empty (UDP
// file delivery assignment, "About TFTP", point 8).
func (c *chunker) read() {
	slot := c.slot(c.next)
	h := headerLen(c.num.wide)
	if cap(*slot) < h+c.size {
		*slot = make([]byte, 0, h+c.size)
	}
	b := appendHeader((*slot)[:0], DATA, c.num.wire(c.next), c.num.wide)
	n, over, err := fullread.Read(c.r, b[h:h+c.size])
	*slot = b[:h+n]
	if c.ended, c.err = over, err; err == nil {
		c.next++
	}
}
