package ferry

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"
)

// A Source is a file to send. Only R and Size are required.
type Source struct {
	// R yields the bytes. The call that sends reads it in its own goroutine, so a Read
	// that blocks delays the transfer and its cancellation. A server closes R at the end
	// of a transfer if R is an io.Closer; a call that sends one Source does not.
	//
	// If R is also an io.ReaderAt and Size is known, a protocol may read any part at any
	// time, and repeatedly; see [Source.ReaderAt]. The bytes must not change meanwhile.
	R io.Reader
	// Size is the number of bytes in R. A negative Size means that it is not known,
	// which not every protocol supports. If R holds more or fewer bytes than Size, the
	// transfer fails with [ErrSize].
	Size int64
	// Name is the file name that is offered to the other side, without directories.
	Name string
	// Mode holds the permission bits that are offered; 0 means none.
	Mode fs.FileMode
	// ModTime is the modification time that is offered; zero means none.
	ModTime time.Time
	// SHA256 is the digest of the bytes, or nil if it is not known beforehand. A
	// receiver that is told the digest can resume a transfer that was cut off.
	// [Source.Digest] sets it. With a wrong digest every receiver rejects the file.
	SHA256 *[32]byte
}

// FileSource returns a Source that sends f from its current offset, under its own name
// and mode. The caller closes f after the transfer. The Size of anything except a
// regular file is unknown. A directory is an error.
func FileSource(f fs.File) (Source, error) {
	info, err := f.Stat()
	if err != nil {
		return Source{}, err
	}
	src := Source{R: f, Size: -1, Name: info.Name(), Mode: info.Mode().Perm(), ModTime: info.ModTime()}
	switch {
	case info.IsDir():
		return Source{}, fmt.Errorf("%s is a directory: %w", info.Name(), fs.ErrInvalid)
	case !info.Mode().IsRegular():
		return src, nil
	}
	var at int64
	if s, ok := f.(io.Seeker); ok {
		if at, err = s.Seek(0, io.SeekCurrent); err != nil {
			return Source{}, err
		}
	}
	src.Size = max(0, info.Size()-at)
	if info.Size() == 0 && generated(f, at) {
		src.Size = -1
	}
	return src, nil
}

// generated reports whether a file whose size is 0 has contents, as the files in /proc
// have.
func generated(f fs.File, at int64) bool {
	r, ok := f.(io.ReaderAt)
	if !ok {
		return false
	}
	var b [1]byte
	n, _ := r.ReadAt(b[:], at)
	return n > 0
}

// ReaderAt returns the bytes of R from its current offset (if it is an io.Seeker), or
// nil if R can be read only once, or Size is unknown.
func (s *Source) ReaderAt() io.ReaderAt {
	at, ok := s.R.(io.ReaderAt)
	if !ok || s.Size < 0 {
		return nil
	}
	seeker, ok := s.R.(io.Seeker)
	if !ok {
		return at
	}
	offset, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	if offset == 0 {
		return at
	}
	return io.NewSectionReader(at, offset, math.MaxInt64-offset)
}
