package p2mp

import (
	"context"
	"crypto/sha256"
)

// digestPiece is how much is digested in one go, while the next is read: it fits a cache.
const digestPiece = 256 << 10

// Digest sets SHA256 from the bytes of R, so that receivers can resume a transfer that is
// cut off; for that it reads all of them, in a goroutine of its own. Where R can be read
// only once nothing could be resumed: then SHA256 is nil afterwards, as after an error. The
// error is ctx's cause when ctx ended, which a ReadAt that blocks delays, and wraps
// [ErrSize] when R holds more or fewer bytes than Size.
func (s *Source) Digest(ctx context.Context) error {
	s.SHA256 = nil
	at := s.readerAt()
	if at == nil {
		return nil
	}
	all := store{at: at, size: s.Size}
	pieces, used := make(chan []byte), make(chan []byte, 2)
	used <- make([]byte, digestPiece)
	used <- make([]byte, digestPiece)
	var err error
	go func() {
		defer close(pieces)
		for offset := int64(0); offset < all.size; {
			b := <-used
			b = b[:min(int64(cap(b)), all.size-offset)]
			if err = all.readAll(b, offset); err == nil {
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
	if err == nil {
		err = all.checkEnd()
	}
	if err != nil {
		return err
	}
	s.SHA256 = (*[32]byte)(h.Sum(nil))
	return nil
}
