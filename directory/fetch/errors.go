package fetch

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"
)

// Reasons why a source was dropped, or a fetch failed, beside those of package ferry.
var (
	// ErrNoSource: no source has the file.
	ErrNoSource = fmt.Errorf("fetch: no source: %w", fs.ErrNotExist)
	// ErrDifferent: the source has a different file with the same name.
	ErrDifferent = errors.New("fetch: a different file with the same name")
	// ErrStalled: the source delivered less than [Fetcher.MinRate] for [Fetcher.Stall],
	// or prepared the file for too long.
	ErrStalled = errors.New("fetch: stalled")
	// ErrResponse: the source violates HTTP: it sent another range, a body of another
	// length, or a malformed piece list.
	ErrResponse = errors.New("fetch: bad response")
)

// A SourceError says why one source failed.
type SourceError struct {
	Source Source
	Err    error
}

// Error returns "ADDRESS: reason".
func (e *SourceError) Error() string { return fmt.Sprintf("%v: %v", e.Source.Addr, e.Err) }

// Unwrap returns Err.
func (e *SourceError) Unwrap() error { return e.Err }

// A StatusError is an HTTP status other than success.
type StatusError int

// Error returns the code and its standard text.
func (e StatusError) Error() string {
	return fmt.Sprintf("fetch: HTTP status %d %s", int(e), http.StatusText(int(e)))
}

// Is reports that 404 and 410 are an fs.ErrNotExist, and 401 and 403 an fs.ErrPermission.
func (e StatusError) Is(target error) bool {
	switch int(e) {
	case http.StatusNotFound, http.StatusGone:
		return target == fs.ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden:
		return target == fs.ErrPermission
	}
	return false
}

// A busyError is a 503 with Retry-After: the source asks to be tried again later
// (RFC 9110, sections 10.2.3 and 15.6.4).
type busyError struct {
	StatusError
	after time.Duration
	size  int64 // of the file that is being prepared; -1 if unknown
}

func (e *busyError) Unwrap() error { return e.StatusError }

// errNoRanges: the source answers a request for a range with the whole file.
var errNoRanges = errors.New("fetch: no ranges")

// A localError is about this host: no source can help.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }
