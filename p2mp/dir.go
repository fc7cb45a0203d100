package p2mp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// A DirHandler is a [Handler] that keeps every transfer as a file in Root, under the
// name that the sender offers, and with its permission bits, less those of the
// process's umask. A file appears there only when it is whole and verified; until then
// a temporary file, whose name begins with a dot, holds it. A transfer that fails
// leaves nothing behind.
//
// The name must be a file name, without directories, that every system allows, and not
// begin with a dot; anything else is refused. The classic protocol tells no name: its
// files are named after the time (UTC) at which the transfer began and the sender's
// address, such as 20260314T150405.000000_10.0.0.2_50123.
//
// A DirHandler may serve several receivers at once. It must not be copied.
type DirHandler struct {
	// Root stays the caller's, who closes it after the transfers.
	Root *os.Root
	// Overwrite lets a transfer replace a file. Otherwise a name that is taken is
	// refused; so is, in either case, one that another transfer is bringing. A sender
	// that died in mid-file still does, until Receiver.GiveUp.
	Overwrite bool
	// Resume keeps what has arrived when a transfer fails, and goes on from there when
	// a file of the same name and digest is offered again, by a sender that knows the
	// digest beforehand ([Source.Digest]). Until one arrives whole, what was kept lies
	// beside as .NAME.DIGEST.part (the first 16 digits): one for each file that failed,
	// for as long as nobody removes it.
	Resume bool
	// MaxSize is the largest file taken, in bytes. 0 means no limit. A file whose size
	// is not known beforehand is cut off there, and fails.
	MaxSize int64

	mu    sync.Mutex
	names map[string]bool // that arrive just now
}

// Dir returns a [DirHandler] for root that neither overwrites nor resumes.
func Dir(root *os.Root) Handler { return &DirHandler{Root: root} }

// Accept implements [Handler].
func (d *DirHandler) Accept(o Offer) (Sink, error) {
	name := o.Name
	if !o.Extended {
		name = classicName(o, time.Now())
	}
	if err := wholefile.CheckName(name); err != nil {
		return nil, err
	}
	if name[0] == '.' {
		return nil, fmt.Errorf("p2mp: name %q begins with a dot: %w", name, fs.ErrInvalid)
	}
	if d.MaxSize > 0 && o.Size > d.MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, o.Size, d.MaxSize)
	}
	if err := wholefile.CheckTaken(d.Root, name, d.Overwrite); err != nil {
		return nil, err
	}
	if !d.take(name) {
		return nil, fmt.Errorf("p2mp: %q arrives just now: %w", name, fs.ErrExist)
	}
	s := fileSink{replace: d.Overwrite, room: d.MaxSize, done: func() { d.release(name) }}
	var sink Sink = &s
	var err error
	if d.Resume && o.SHA256 != nil && o.Size >= 0 {
		s.File, s.held, err = wholefile.ResumeTagged(d.Root, name, hex.EncodeToString(o.SHA256[:8]), o.Mode)
		sink = &resumableSink{s, o.Size}
	} else {
		s.File, err = wholefile.Create(d.Root, name, o.Mode)
	}
	if errors.Is(err, wholefile.ErrBusy) { // another process receives it
		err = errors.Join(err, fs.ErrExist)
	}
	if err != nil {
		d.release(name)
		return nil, err
	}
	return sink, nil
}

// take claims a name. It reports whether nobody else has.
func (d *DirHandler) take(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] {
		return false
	}
	if d.names == nil {
		d.names = make(map[string]bool)
	}
	d.names[name] = true
	return true
}

func (d *DirHandler) release(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, name)
}

// SaveAs returns a Handler that keeps a transfer as the file name in root, whatever the
// sender calls it, which it replaces if it exists, as a [DirHandler] does: whole or not
// at all. Later transfers replace earlier ones.
func SaveAs(root *os.Root, name string) Handler {
	return HandlerFunc(func(o Offer) (Sink, error) {
		if err := wholefile.CheckTaken(root, name, true); err != nil {
			return nil, err
		}
		f, err := wholefile.Create(root, name, o.Mode)
		if err != nil {
			return nil, err
		}
		return &fileSink{File: f, replace: true}, nil
	})
}

// classicName makes a file name that every system allows: IPv6's colons are not.
func classicName(o Offer, now time.Time) string {
	addr := strings.NewReplacer(":", "-", "%", "-").Replace(o.From.Addr().String())
	return fmt.Sprintf("%s_%s_%d", now.UTC().Format("20060102T150405.000000"), addr, o.From.Port())
}

// A fileSink writes a temporary file and gives it its name at the end.
type fileSink struct {
	*wholefile.File
	replace bool
	held    int64 // what was there when it was resumed
	room    int64 // bytes that may be written; 0: no limit
	written int64
	done    func() // may be nil
}

func (s *fileSink) Write(b []byte) (int, error) {
	if s.written += int64(len(b)); s.room > 0 && s.written > s.room {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, s.room)
	}
	return s.File.Write(b)
}

func (s *fileSink) Commit() error {
	defer s.end()
	return s.File.Commit(s.replace)
}

// Abort removes the temporary file. If even that fails there is nobody left to tell.
func (s *fileSink) Abort(error) {
	defer s.end()
	_ = s.File.Abort()
}

func (s *fileSink) end() {
	if s.done != nil {
		s.done()
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

// Abort keeps what arrived, unless that is nothing, or not what was announced.
func (s *resumableSink) Abort(cause error) {
	if s.held+s.written == 0 || refusal(cause) == ReasonDigest {
		s.fileSink.Abort(cause)
		return
	}
	defer s.end()
	_ = s.File.Keep()
}
