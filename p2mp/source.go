package p2mp

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// A Source is what a Sender sends.
type Source struct {
	// R yields the bytes. Send reads it in its own goroutine, so a Read that blocks
	// holds up the transfer and its cancellation.
	//
	// Where R is also an io.ReaderAt and Size is known, chunks are read when they are
	// sent, again if need be, and no receiver waits for another. What R holds from its
	// current offset (if it is an io.Seeker) is sent, and must not change meanwhile.
	// Anything else is read once, in order, and the chunks that some receiver lacks are
	// kept in memory, up to Sender.Window of them: all receivers move within that
	// window.
	R io.Reader
	// Size is how many bytes R holds; negative when that is not known. When R turns out
	// to hold more or fewer, the transfer fails with [ErrSize] before its end, so that
	// no receiver takes a part for the whole.
	Size int64
	// Name and Mode are offered to the receivers. Name is a file name, without
	// directories; of Mode the permission bits count. The classic protocol carries
	// neither.
	Name string
	Mode fs.FileMode
	// SHA256 is the digest of the bytes, nil if it is not known beforehand. Receivers
	// that are told can resume a transfer that was cut off. [Source.Digest] sets it. One
	// that is wrong makes every receiver refuse the file in the end.
	SHA256 *[32]byte
}

// FileSource returns a Source that sends f from where it stands, under its own name and
// mode. The caller closes f after the transfer. The size of anything but a regular file
// is unknown.
func FileSource(f *os.File) (Source, error) {
	info, err := f.Stat()
	if err != nil {
		return Source{}, err
	}
	src := Source{R: f, Size: -1, Name: filepath.Base(f.Name()), Mode: info.Mode().Perm()}
	switch {
	case info.IsDir():
		return Source{}, fmt.Errorf("p2mp: %s is a directory", f.Name())
	case !info.Mode().IsRegular():
		return src, nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return Source{}, err
	}
	if info.Size() > 0 { // 0 is also what files say that a system makes up, as in /proc
		src.Size = max(0, info.Size()-at)
	}
	return src, nil
}

// readerAt returns R from its current offset on, or nil if it can be read only once.
func (s *Source) readerAt() io.ReaderAt {
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

// checkSize says at once what would otherwise be noticed after 2^32 chunks.
func checkSize(size int64, mss int) error {
	if size >= 0 && size/int64(mss) >= math.MaxUint32 {
		return fmt.Errorf("%w: %d bytes in chunks of %d", ErrTooManyChunks, size, mss)
	}
	return nil
}
