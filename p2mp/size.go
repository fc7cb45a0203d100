package p2mp

import (
	"fmt"
	"math"
)

// checkSize says at once what would otherwise be noticed after 2^32 chunks.
func checkSize(size int64, mss int) error {
	if size >= 0 && size/int64(mss) >= math.MaxUint32 {
		return fmt.Errorf("%w: %d bytes in chunks of %d", ErrTooManyChunks, size, mss)
	}
	return nil
}
