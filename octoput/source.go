package octoput

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A Source is what a Sender sends.
type Source struct {
	// R yields the bytes. Send reads it to the end, in its own goroutine, so
	// a Read that blocks holds up the transfer and its cancellation.
	R io.Reader
	// Size is how many bytes R holds. It must be known: both sides derive the plan from
	// it. When R turns out to hold more or fewer, the transfer fails with [ErrSize] and
	// the receiver keeps nothing.
	Size int64
	// Name is told to the receiver, which may name the file so. At most MaxName
	// bytes; it may be empty.
	Name string
}

// FileSource returns a Source that reads f from where it stands. The caller closes f
// after the transfer. f must be a regular file: the size of anything else is not known.
func FileSource(f *os.File) (Source, error) {
	info, err := f.Stat()
	if err != nil {
		return Source{}, err
	}
	switch {
	case info.IsDir():
		return Source{}, fmt.Errorf("octoput: %s is a directory", f.Name())
	case !info.Mode().IsRegular():
		return Source{}, fmt.Errorf("octoput: %s is no regular file, and has no size", f.Name())
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return Source{}, err
	}
	return Source{R: f, Size: max(0, info.Size()-at), Name: filepath.Base(f.Name())}, nil
}

// fault says why the source cannot be sent.
func (s *Source) fault() error {
	switch {
	case s.R == nil:
		return errors.New("octoput: no source")
	case s.Size < 0:
		return fmt.Errorf("%w: %d bytes", ErrSize, s.Size)
	case len(s.Name) > MaxName:
		return fmt.Errorf("octoput: a name of %d bytes, more than %d", len(s.Name), MaxName)
	}
	return nil
}

// read fills b, which begins at offset of the file.
func (s *Source) read(b []byte, offset int64) error {
	n, err := io.ReadFull(s.R, b)
	switch {
	case err == io.EOF:
		return fmt.Errorf("%w: the source ended after %d of %d bytes", ErrSize, offset+int64(n), s.Size)
	case err == io.ErrUnexpectedEOF: // io.ReadFull's, or the source's own
		return fmt.Errorf("%w: the source ended after %d of %d bytes: %w", ErrSize, offset+int64(n), s.Size, err)
	case err != nil:
		return fmt.Errorf("octoput: reading the source at byte %d: %w", offset+int64(n), err)
	}
	return nil
}

// end fails unless the source ends where it was said to.
func (s *Source) end() error {
	var b [1]byte
	_, err := io.ReadFull(s.R, b[:])
	switch {
	case err == nil:
		return fmt.Errorf("%w: the source holds more than %d bytes", ErrSize, s.Size)
	case err == io.EOF:
		return nil
	}
	return fmt.Errorf("octoput: reading the source at byte %d: %w", s.Size, err)
}
