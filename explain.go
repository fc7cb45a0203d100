package ferry

import (
	"errors"
	"io/fs"
	"runtime"
	"syscall"
)

// A kindError is an error of the system that also is one that a protocol can tell the
// other side.
type kindError struct {
	err, kind error
}

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.err, e.kind} }

// explain adds to an error of a file system what kind of error it is, if it is one of
// io/fs or of this package that the error is not known as yet.
func explain(err error) error {
	kind := error(nil)
	switch {
	case err == nil:
	case errors.Is(err, syscall.ENOTDIR):
		kind = fs.ErrNotExist
	case errors.Is(err, syscall.ENAMETOOLONG):
		kind = fs.ErrInvalid
	case errors.Is(err, syscall.ELOOP), isEscape(err):
		kind = fs.ErrPermission
	case isDiskFull(err):
		kind = ErrDiskFull
	}
	if kind == nil || errors.Is(err, kind) {
		return err
	}
	return &kindError{err, kind}
}

// isEscape reports whether err says that a name or a link leads out of an [os.Root]. The
// error has no other mark than its text.
func isEscape(err error) bool {
	pe, ok := errors.AsType[*fs.PathError](err)
	return ok && pe.Err.Error() == "path escapes from parent"
}

// isDiskFull reports whether err means that the disk or the quota is full.
func isDiskFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	// ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
	return ok && runtime.GOOS == "windows" && (errno == 39 || errno == 112)
}
