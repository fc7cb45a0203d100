package octoput

import (
	"errors"
	"fmt"
	"io"

	"github.com/ferrygo/ferry"
)

// checkSource says why a source cannot be sent. Its size must be known: both sides derive
// the plan from it.
func checkSource(s *ferry.Source) error {
	switch {
	case s.R == nil:
		return errors.New("octoput: no source")
	case s.Size < 0:
		return fmt.Errorf("%w: the size must be known beforehand, and a source that is no regular file has none", ErrSize)
	case len(s.Name) > MaxName:
		return fmt.Errorf("octoput: a name of %d bytes, more than %d", len(s.Name), MaxName)
	}
	return nil
}

// readSource fills b, which begins at offset of the file.
func readSource(s *ferry.Source, b []byte, offset int64) error {
	n, err := io.ReadFull(s.R, b)
	switch {
	case err == io.EOF:
		return fmt.Errorf("octoput: %w: the source ended after %d of %d bytes", ferry.ErrSize, offset+int64(n), s.Size)
	case err == io.ErrUnexpectedEOF: // io.ReadFull's, or the source's own
		return fmt.Errorf("octoput: %w: the source ended after %d of %d bytes: %w", ferry.ErrSize, offset+int64(n), s.Size, err)
	case err != nil:
		return fmt.Errorf("octoput: reading the source at byte %d: %w", offset+int64(n), err)
	}
	return nil
}

// endSource fails unless the source ends where it was said to.
func endSource(s *ferry.Source) error {
	var b [1]byte
	_, err := io.ReadFull(s.R, b[:])
	switch {
	case err == nil:
		return fmt.Errorf("octoput: %w: the source holds more than %d bytes", ferry.ErrSize, s.Size)
	case err == io.EOF:
		return nil
	}
	return fmt.Errorf("octoput: reading the source at byte %d: %w", s.Size, err)
}
