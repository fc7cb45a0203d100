package p2mp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/fullread"
)

// A store yields the chunks of a source by their number: any at any time where the
// source can be read again, the latest ones otherwise. P2MP-FTP report, "Client",
// points 4 and 6.
type store struct {
	src  ferry.Source
	mss  int
	at   io.ReaderAt // nil: read once, in order
	size int64       // negative while it is not known

	// Bytes that were read from at ahead of their use.
	block       []byte
	blockOffset int64

	// The latest chunks of a source that is read once: chunk n is at n%len(ring).
	ring  [][]byte
	count uint32 // chunks read, the last one never empty

	hash   hash.Hash // of the first hashed bytes; nil if the digest was given
	hashed int64
	ended  bool // it was made sure that the source holds no more than size
}

// blockSize is how much is read ahead.
const blockSize = 64 << 10

func newStore(src ferry.Source, mss, window int) *store {
	s := &store{src: src, mss: mss, at: src.ReaderAt(), size: src.Size}
	if s.at == nil {
		s.ring = make([][]byte, window)
		s.size = -1
	}
	if src.SHA256 == nil {
		s.hash = sha256.New()
	}
	return s
}

// chunks returns how many chunks there are that are not empty, and whether that is
// known yet.
func (s *store) chunks() (uint32, bool) {
	if s.size < 0 {
		return 0, false
	}
	return uint32((s.size + int64(s.mss) - 1) / int64(s.mss)), true
}

// available returns the number of the highest chunk that can be read now.
func (s *store) available() uint32 {
	if s.at == nil {
		return s.count
	}
	n, _ := s.chunks()
	return n
}

// fill reads a source that is read once up to chunk n. The chunks before n-len(ring)
// are lost by that.
func (s *store) fill(n uint32) error {
	for s.at == nil && s.size < 0 && s.count < n {
		if err := s.readNext(); err != nil {
			return err
		}
	}
	return nil
}

// readNext reads a chunk into the ring, or notices the end.
func (s *store) readNext() error {
	if s.count == math.MaxUint32 {
		return ErrTooManyChunks
	}
	slot := &s.ring[(s.count+1)%uint32(len(s.ring))]
	if *slot == nil {
		*slot = make([]byte, s.mss)
	}
	b := (*slot)[:s.mss]
	n, over, err := fullread.Read(s.src.R, b)
	*slot = b[:n]
	read := s.hashed + int64(n)
	if err != nil {
		return fmt.Errorf("p2mp: reading the source at byte %d: %w", read, err)
	}
	if over {
		s.size = read
	}
	if told := s.src.Size; told >= 0 && (read > told || s.size >= 0 && read < told) {
		return fmt.Errorf("p2mp: %w: %d bytes read of %d", ferry.ErrSize, read, told)
	}
	s.digestMore(b[:n])
	if n > 0 {
		s.count++
	}
	return nil
}

func (s *store) digestMore(b []byte) {
	s.hashed += int64(len(b))
	if s.hash != nil {
		s.hash.Write(b)
	}
}

// chunk copies chunk n to b, which has room for it, and returns its length: 0 behind
// the end.
func (s *store) chunk(n uint32, b []byte) (int, error) {
	if s.at == nil {
		if n > s.count {
			return 0, nil
		}
		return copy(b, s.ring[n%uint32(len(s.ring))]), nil
	}
	offset := int64(n-1) * int64(s.mss)
	length := int(max(0, min(int64(s.mss), s.size-offset)))
	if err := s.readAt(b[:length], offset); err != nil {
		return 0, err
	}
	if offset == s.hashed {
		s.digestMore(b[:length])
	}
	if offset+int64(length) < s.size {
		return length, nil
	}
	return length, s.checkEnd()
}

// readAt reads ahead when it is called for one chunk after the other.
func (s *store) readAt(b []byte, offset int64) error {
	if len(b) == 0 {
		return nil
	}
	in := offset - s.blockOffset
	if in == int64(len(s.block)) {
		if s.block == nil {
			s.block = make([]byte, 0, max(blockSize, s.mss))
		}
		s.block = s.block[:min(int64(cap(s.block)/s.mss*s.mss), s.size-offset)]
		s.blockOffset, in = offset, 0
		if err := s.readAll(s.block, offset); err != nil {
			s.block = s.block[:0]
			return err
		}
	}
	if in >= 0 && in+int64(len(b)) <= int64(len(s.block)) {
		copy(b, s.block[in:])
		return nil
	}
	return s.readAll(b, offset)
}

func (s *store) readAll(b []byte, offset int64) error {
	n, err := s.at.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("p2mp: %w: %d bytes read of %d", ferry.ErrSize, offset+int64(n), s.size)
	}
	return fmt.Errorf("p2mp: reading the source at byte %d: %w", offset+int64(n), err)
}

// checkEnd makes sure that nothing follows the bytes that were announced.
func (s *store) checkEnd() error {
	if s.ended {
		return nil
	}
	s.ended = true
	var b [1]byte
	if n, _ := s.at.ReadAt(b[:], s.size); n > 0 {
		return fmt.Errorf("p2mp: %w: more than %d bytes", ferry.ErrSize, s.size)
	}
	return nil
}

// digest returns the SHA-256 of the file, whose size must be known. It reads the chunks
// that were not read yet. If no receiver needs a chunk, because they hold all chunks or the
// file is empty, only digest verifies the end of the source.
func (s *store) digest() ([32]byte, error) {
	if s.at != nil {
		if err := s.checkEnd(); err != nil {
			return [32]byte{}, err
		}
	}
	if s.src.SHA256 != nil {
		return *s.src.SHA256, nil
	}
	if s.at != nil {
		b := make([]byte, s.mss)
		for s.hashed < s.size {
			if _, err := s.chunk(uint32(s.hashed/int64(s.mss))+1, b); err != nil {
				return [32]byte{}, err
			}
		}
	}
	return [32]byte(s.hash.Sum(nil)), nil
}
