package tftp

import (
	"bufio"
	"io"
	"io/fs"
)

// A Source is a file to send.
type Source struct {
	// R is read in order, to its end. If it is an io.Closer a server closes it when
	// the transfer is over, and a client does not.
	R io.Reader
	// Size is the length in bytes that is told to the other side if it
	// can be; negative means unknown. It is not checked against what R yields.
	Size int64
}

// FileSource is the source of an open file, with its size.
func FileSource(f fs.File) (Source, error) {
	info, err := f.Stat()
	if err != nil {
		return Source{}, err
	}
	if !info.Mode().IsRegular() {
		return Source{}, &fs.PathError{Op: "open", Path: info.Name(), Err: fs.ErrPermission}
	}
	return Source{R: f, Size: info.Size()}, nil
}

// A chunker cuts a source into blocks and keeps those under way, each behind its
// DATA header, so that one that is sent again is there as it was.
type chunker struct {
	r     io.Reader
	num   numbering
	size  int // of a full block
	slots [][]byte
	ended bool
}

func newChunker(r io.Reader, netascii bool, num numbering, blockSize, room int) *chunker {
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
	return &chunker{r: r, num: num, size: blockSize, slots: make([][]byte, n)}
}

// readAhead is how much is read from a source at once.
const readAhead = 32 << 10

func (c *chunker) slot(block int64) *[]byte { return &c.slots[block&int64(len(c.slots)-1)] }

// packet is the DATA of a block that has been read.
func (c *chunker) packet(block int64) []byte { return *c.slot(block) }

// length is the payload's length of a block that has been read.
func (c *chunker) length(block int64) int { return len(*c.slot(block)) - headerLen(c.num.wide) }

// read reads the next block, which must be the one after the block read before. The
// last is shorter than all others, if need be empty (UDP file delivery assignment,
// "About TFTP", point 8).
func (c *chunker) read(block int64) (last bool, err error) {
	slot := c.slot(block)
	h := headerLen(c.num.wide)
	if cap(*slot) < h+c.size {
		*slot = make([]byte, 0, h+c.size)
	}
	b := appendHeader((*slot)[:0], DATA, c.num.wire(block), c.num.wide)
	n, err := io.ReadFull(c.r, b[h:h+c.size])
	*slot = b[:h+n]
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		c.ended, err = true, nil
	}
	return c.ended, err
}
