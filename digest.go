package ferry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// digestPiece is how many bytes are digested while the next ones are read. It fits a
// processor's cache.
const digestPiece = 256 << 10

// Digest reads R and sets SHA256. It uses a second goroutine, which has ended when Digest
// returns. If R can be read only once, a transfer of it cannot be resumed: SHA256 is nil
// afterwards, as after an error. The error is ctx's cause when ctx ended, and wraps
// [ErrSize] when R holds more or fewer bytes than Size.
func (s *Source) Digest(ctx context.Context) error {
	s.SHA256 = nil
	at := s.ReaderAt()
	if at == nil {
		return nil
	}
	pieces, used := make(chan []byte), make(chan []byte, 2)
	used <- make([]byte, digestPiece)
	used <- make([]byte, digestPiece)
	var err error
	go func() {
		defer close(pieces)
		for offset := int64(0); offset < s.Size; {
			b := <-used
			b = b[:min(int64(cap(b)), s.Size-offset)]
			if err = readAll(at, b, offset, s.Size); err == nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				return
			}
			offset += int64(len(b))
			pieces <- b
		}
	}()
	h := sha256.New()
	for b := range pieces {
		h.Write(b)
		used <- b
	}
	if err != nil {
		return err
	}
	var next [1]byte
	if n, _ := at.ReadAt(next[:], s.Size); n > 0 {
		return fmt.Errorf("%w: more than %d bytes", ErrSize, s.Size)
	}
	s.SHA256 = (*[32]byte)(h.Sum(nil))
	return nil
}

// readAll fills b from offset.
func readAll(at io.ReaderAt, b []byte, offset, size int64) error {
	n, err := at.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %d bytes read of %d", ErrSize, offset+int64(n), size)
	}
	return fmt.Errorf("reading the source at byte %d: %w", offset+int64(n), err)
}
