package ferry

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// A fileSink writes a temporary file and gives it its name at the end.
type fileSink struct {
	*wholefile.File
	d       *Dir
	dir     *os.Root
	written int64 // bytes that the transfer brought
	end     int64 // behind the last byte
}

// create makes the sink for a file in dir.
func (d *Dir) create(dir *os.Root, name string, o Offer) (Sink, error) {
	s := &fileSink{d: d, dir: dir}
	if d.Resume && o.SHA256 != nil && o.Size >= 0 {
		return d.resume(s, name, o)
	}
	if err := checkRoom(dir, o.Size); err != nil {
		return nil, err
	}
	var err error
	s.File, err = wholefile.Create(dir, name, o.Mode)
	if d.InPlace && d.Overwrite && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		if f, e := wholefile.CreateInPlace(dir, name); e == nil {
			s.File, err = f, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// resume makes the sink for a file of which a part may be there.
func (d *Dir) resume(s *fileSink, name string, o Offer) (Sink, error) {
	d.prune(s.dir)
	f, held, err := wholefile.ResumeTagged(s.dir, name, wholefile.Tag(*o.SHA256, o.Size), o.Mode)
	if errors.Is(err, wholefile.ErrBusy) { // another transfer, or process, receives it
		err = errors.Join(err, fs.ErrExist)
	}
	if err != nil {
		return nil, err
	}
	s.File = f
	r := &resumableSink{fileSink: *s, held: held, size: o.Size}
	if err := checkRoom(s.dir, o.Size-held); err != nil {
		_ = r.unused()
		return nil, err
	}
	return r, nil
}

// checkRoom refuses what is larger than the room on the disk.
func checkRoom(dir *os.Root, size int64) error {
	if free, known := wholefile.Free(dir); known && size > free {
		return fmt.Errorf("%w: %d bytes, there is room for %d", ErrDiskFull, size, free)
	}
	return nil
}

// prune removes the parts that exceed the limits.
func (d *Dir) prune(dir *os.Root) {
	wholefile.Prune(dir, wholefile.Limits{
		Number: cmp.Or(d.MaxParts, DefaultMaxParts),
		Age:    cmp.Or(d.MaxPartAge, DefaultMaxPartAge),
		Bytes:  d.MaxPartBytes,
	}, time.Now())
}

func (s *fileSink) Write(b []byte) (int, error) {
	if err := s.grow(s.end, len(b)); err != nil {
		return 0, err
	}
	n, err := s.File.Write(b)
	return n, explain(err)
}

// WriteAt makes the sink an io.WriterAt; see [Sink].
func (s *fileSink) WriteAt(b []byte, offset int64) (int, error) {
	if err := s.grow(offset, len(b)); err != nil {
		return 0, err
	}
	n, err := s.File.WriteAt(b, offset)
	return n, explain(err)
}

// grow notes that n bytes are written at an offset, unless the file becomes too large.
func (s *fileSink) grow(offset int64, n int) error {
	if limit := s.d.MaxSize; limit > 0 && (offset > limit || offset+int64(n) > limit) {
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	s.written += int64(n)
	s.end = max(s.end, offset+int64(n))
	return nil
}

func (s *fileSink) Commit() error {
	return errors.Join(explain(s.File.Commit(s.d.Overwrite)), s.d.close(s.dir))
}

// Abort removes the temporary file. It ignores errors of the removal.
func (s *fileSink) Abort(error) {
	_ = s.File.Abort()
	_ = s.d.close(s.dir)
}

// A resumableSink is a [Resumer].
type resumableSink struct {
	fileSink
	held int64 // bytes that were there
	size int64 // of the whole
	cut  bool  // what is beyond held was cut off
}

// Resume implements [Resumer]. The part is truncated to the returned length only
// at the first write, so that an offer alone, which may be forged, destroys nothing.
func (s *resumableSink) Resume(chunk int) (int64, error) {
	s.held = min(s.held, s.size)
	if s.held < s.size {
		s.held -= s.held % int64(chunk)
	}
	s.end = s.held
	return s.held, nil
}

// begin cuts the part to what Resume returned.
func (s *resumableSink) begin() error {
	if s.cut {
		return nil
	}
	s.cut = true
	return explain(s.File.Cut(s.held))
}

func (s *resumableSink) Write(b []byte) (int, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	return s.fileSink.Write(b)
}

func (s *resumableSink) WriteAt(b []byte, offset int64) (int, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	return s.fileSink.WriteAt(b, offset)
}

func (s *resumableSink) Commit() error {
	if err := s.begin(); err != nil {
		s.fileSink.Abort(err)
		return err
	}
	return s.fileSink.Commit()
}

// Abort keeps what has arrived for another try. It keeps nothing if the whole has the
// wrong digest, or may not be kept at all.
func (s *resumableSink) Abort(cause error) {
	wrong := errors.Is(cause, ErrDigest) && s.held+s.written >= s.size
	if wrong || errors.Is(explain(cause), ErrDiskFull) || errors.Is(cause, ErrTooLarge) {
		s.fileSink.Abort(cause)
		return
	}
	_ = s.unused()
	s.d.prune(s.dir)
	_ = s.d.close(s.dir)
}

// unused leaves the temporary file as it is, unless it is empty.
func (s *resumableSink) unused() error {
	if s.held+s.written == 0 {
		return s.File.Abort()
	}
	return s.File.Keep()
}
