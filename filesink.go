package ferry

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// SaveAs returns a Handler that keeps a file as name in root, whatever the sender calls
// it, and replaces a regular file of that name; see [Dir]. Later transfers replace
// earlier ones.
func SaveAs(root *os.Root, name string) Handler {
	return HandlerFunc(func(o Offer) (Sink, error) {
		if err := wholefile.CheckTaken(root, name, true); err != nil {
			return nil, err
		}
		s := fileSink{replace: true}
		return s.open(root, name, o, false)
	})
}

// A fileSink writes a temporary file and gives it its name at the end.
type fileSink struct {
	*wholefile.File
	replace bool
	held    int64 // bytes that were there when the transfer was resumed
	room    int64 // bytes that may be written; 0: no limit
	written int64
	dir     *os.Root // to close at the end; may be nil
}

// open makes the file that the sink writes to.
func (s fileSink) open(dir *os.Root, name string, o Offer, resume bool) (sink Sink, err error) {
	if resume && o.SHA256 != nil && o.Size >= 0 {
		s.File, s.held, err = wholefile.ResumeTagged(dir, name, hex.EncodeToString(o.SHA256[:8]), o.Mode)
		sink = &resumableSink{s, o.Size}
	} else {
		s.File, err = wholefile.Create(dir, name, o.Mode)
		sink = &s
	}
	if errors.Is(err, wholefile.ErrBusy) { // another process receives it
		err = errors.Join(err, fs.ErrExist)
	}
	if err != nil {
		return nil, err
	}
	return sink, nil
}

func (s *fileSink) Write(b []byte) (int, error) {
	if s.written += int64(len(b)); s.room > 0 && s.written > s.room {
		return 0, fmt.Errorf("ferry: %w: more than %d bytes", ErrTooLarge, s.room)
	}
	return s.File.Write(b)
}

func (s *fileSink) Commit() error {
	defer s.end()
	return s.File.Commit(s.replace)
}

// Abort removes the temporary file. There is nobody to tell if that fails.
func (s *fileSink) Abort(error) {
	defer s.end()
	_ = s.File.Abort()
}

func (s *fileSink) end() {
	if s.dir != nil {
		_ = s.dir.Close()
	}
}

// A resumableSink is a [Resumer].
type resumableSink struct {
	fileSink
	size int64
}

func (s *resumableSink) Resume(chunk int) (int64, error) {
	held := min(s.held, s.size)
	if held < s.size {
		held -= held % int64(chunk)
	}
	return held, s.File.Cut(held)
}

// Abort keeps what has arrived, unless that is nothing, or not what was announced.
func (s *resumableSink) Abort(cause error) {
	if s.held+s.written == 0 || errors.Is(cause, ErrDigest) {
		s.fileSink.Abort(cause)
		return
	}
	defer s.end()
	_ = s.File.Keep()
}
