package directory

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A supplier is one source in a fetch, and what is known of the file there.
type supplier struct {
	source Source
	name   string
	client *http.Client
	stall  time.Duration

	pieces *Pieces // nil: it has no piece list
	list   [32]byte
	size   int64  // of the file; -1 if it does not say
	etag   string // a strong one, or empty
	digest *[32]byte

	run      int   // the length of the next run
	failures int   // in a row
	tried    bool  // without pieces; of run's goroutine
	reached  int64 // the furthest that it has come without pieces
	blamed   bool  // a piece that it delivered turned out to be wrong; under the fetching's mu
}

// key tells whether two sources have the same file: the pieces, too, or one that lies
// about them would speak for the others.
type key struct {
	pieces bool
	list   [32]byte // the digest of the pieces' digests
	size   int64
	digest [32]byte
	etag   string
}

func (s *supplier) key() key {
	k := key{pieces: s.pieces != nil, list: s.list, size: s.size}
	switch {
	case s.digest != nil:
		k.digest = *s.digest
	default:
		k.etag = s.etag
	}
	return k
}

// stride is how many pieces the supplier is given.
func (s *supplier) stride() int {
	if s.run == 0 {
		s.run = firstRun
	}
	return s.run
}

// A body is a response's, which is given up when nothing of it arrives for the stall
// time.
type body struct {
	*http.Response
	stall  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
}

// do makes a request for a path at the source. The status is anything; the caller
// closes the body.
func (s *supplier) do(ctx context.Context, method, path string, header http.Header) (*body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &body{stall: s.stall, ctx: ctx, cancel: cancel, timer: time.AfterFunc(s.stall, func() { cancel(ErrStalled) })}
	u := url.URL{Scheme: "http", Host: s.source.Addr.String(), Path: "/" + path}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		b.close()
		return nil, err
	}
	req.Header = header
	// Nothing but the bytes themselves: ranges of something compressed would be of no
	// use.
	req.Header.Set("Accept-Encoding", "identity")
	b.Response, err = s.client.Do(req)
	if err != nil {
		err = b.cause(err)
		b.close()
		return nil, err
	}
	return b, nil
}

// cause returns why the request was given up, if it was, else err.
func (b *body) cause(err error) error {
	if cause := context.Cause(b.ctx); cause != nil {
		return cause
	}
	return err
}

// Read reads the body. Each byte that arrives sets the stall time anew.
func (b *body) Read(p []byte) (int, error) {
	// What has arrived already would be read all the same.
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.Body.Read(p)
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	if err != nil && err != io.EOF {
		err = b.cause(err)
	}
	return n, err
}

// close ends the request. A body that was not read to its end costs the connection.
func (b *body) close() {
	b.timer.Stop()
	if b.Response != nil {
		b.Body.Close()
	}
	b.cancel(context.Canceled)
}

// ask finds out what the source has under the name: its piece list, or at least that
// the file is there.
func (s *supplier) ask(ctx context.Context) error {
	b, err := s.do(ctx, http.MethodGet, piecesPath+s.name, http.Header{})
	if err != nil {
		return err
	}
	defer b.close()
	if b.StatusCode == http.StatusOK {
		p, err := ReadPieces(b)
		if err == nil {
			s.pieces, s.list, s.size, s.digest, s.etag = p, p.sum(), p.Size, &p.SHA256, p.etag()
			return nil
		}
		// A server that answers everything with some page.
		if ctx.Err() != nil || b.ctx.Err() != nil {
			return b.cause(err)
		}
	}
	if b.StatusCode == http.StatusServiceUnavailable {
		return StatusError(b.StatusCode)
	}
	return s.askPlain(ctx)
}

// askPlain asks a server that has no piece lists.
func (s *supplier) askPlain(ctx context.Context) error {
	b, err := s.do(ctx, http.MethodHead, s.name, http.Header{})
	if err != nil {
		return err
	}
	defer b.close()
	if b.StatusCode != http.StatusOK {
		return StatusError(b.StatusCode)
	}
	s.describe(b.Response)
	return nil
}

// describe takes what a response says about the whole file.
func (s *supplier) describe(r *http.Response) {
	s.size, s.etag, s.digest = r.ContentLength, "", nil
	if tag := r.Header.Get("Etag"); strings.HasPrefix(tag, `"`) { // a weak one begins with W/
		s.etag = tag
	}
	if sum, ok := parseReprDigest(r.Header.Get("Repr-Digest")); ok {
		s.digest = &sum
	}
}

// part asks for length bytes from an offset, on condition that the file is still the
// same. The caller closes the body.
func (s *supplier) part(ctx context.Context, from, length int64) (*body, error) {
	want := fmt.Sprintf("bytes %d-%d/%d", from, from+length-1, s.size)
	b, err := s.do(ctx, http.MethodGet, s.name, http.Header{
		"Range":    {fmt.Sprintf("bytes=%d-%d", from, from+length-1)},
		"If-Range": {s.etag},
	})
	if err != nil {
		return nil, err
	}
	switch {
	case b.StatusCode == http.StatusOK, b.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		err = ErrDifferent // the whole of another version (RFC 9110, section 13.1.5)
	case b.StatusCode != http.StatusPartialContent:
		err = StatusError(b.StatusCode)
	case b.Header.Get("Content-Range") != want, b.ContentLength != length, b.Header.Get("Content-Encoding") != "":
		err = fmt.Errorf("%w: the wrong range", ErrResponse)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// rest asks for everything from an offset on; validator, if not empty, is the
// condition. It returns the offset from which the bytes really come: 0 where the server
// sends all, because it has another version, or does not understand ranges. The caller
// closes the body.
func (s *supplier) rest(ctx context.Context, from int64, validator string) (b *body, offset int64, err error) {
	header := http.Header{}
	if from > 0 && validator != "" {
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		header.Set("If-Range", validator)
	}
	b, err = s.do(ctx, http.MethodGet, s.name, header)
	if err != nil {
		return nil, 0, err
	}
	ranged := header.Get("Range") != ""
	switch {
	case b.StatusCode == http.StatusOK && b.Header.Get("Content-Encoding") == "":
		s.describe(b.Response)
		return b, 0, nil
	case ranged && b.StatusCode == http.StatusPartialContent && s.continued(b.Response, from, validator):
		return b, from, nil
	}
	b.close()
	switch {
	case ranged && (b.StatusCode == http.StatusPartialContent || b.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		// Not the range that was asked for, or there is none: it is begun anew.
		return s.rest(ctx, 0, "")
	case b.StatusCode == http.StatusOK:
		return nil, 0, fmt.Errorf("%w: it is compressed", ErrResponse)
	}
	return nil, 0, StatusError(b.StatusCode)
}

// continued checks that a response begins where it should.
func (s *supplier) continued(r *http.Response, from int64, validator string) bool {
	span, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if err != nil || span != fmt.Sprintf("%d-%d", from, size-1) || r.ContentLength >= 0 && r.ContentLength != size-from ||
		r.Header.Get("Content-Encoding") != "" || r.Header.Get("Etag") != "" && r.Header.Get("Etag") != validator {
		return false
	}
	s.describe(r)
	s.size, s.etag = size, validator
	return true
}
