package fetch

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// about is what a source says about the file.
type about struct {
	pieces    *Pieces // nil: it has no piece list
	list      [32]byte
	size      int64 // -1 if it does not say
	validator string
	digest    *[32]byte
}

// key tells whether two sources have the same file. The digest of the piece list is part
// of it: a source that lies about the pieces must not speak for the others.
type key struct {
	pieces    bool
	list      [32]byte // the digest of the pieces' digests
	size      int64
	digest    [32]byte
	validator string
}

func (a about) key() key {
	k := key{pieces: a.pieces != nil, list: a.list, size: a.size}
	if a.digest != nil {
		k.digest = *a.digest
	} else {
		k.validator = a.validator
	}
	return k
}

// describe returns what a response to a request for the whole file says about it.
func describe(r *http.Response) about {
	a := about{size: r.ContentLength, validator: validatorOf(r.Header)}
	if sum, ok := parseReprDigest(r.Header.Get("Repr-Digest")); ok {
		a.digest = &sum
	}
	return a
}

// validatorOf returns what may stand in If-Range (RFC 9110, section 13.1.5): a strong
// entity tag; or else a date that is a strong validator, because the response is at
// least one second younger (section 8.8.2.2).
func validatorOf(h http.Header) string {
	if tag := h.Get("Etag"); isStrongTag(tag) {
		return tag
	}
	modified, err1 := http.ParseTime(h.Get("Last-Modified"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil || date.Sub(modified) < time.Second {
		return ""
	}
	return h.Get("Last-Modified")
}

// isStrongTag reports whether s is a strong entity tag. A weak one begins with W/.
func isStrongTag(s string) bool { return len(s) >= 2 && s[0] == '"' }

// piecesPath stands before the name of a file whose piece list is requested.
const piecesPath = "pieces/"

// ask asks the source about the file: for the piece list, and without one, whether the
// file is there.
func (r *remote) ask(ctx context.Context, p pace) (about, error) {
	b, err := r.do(ctx, p, http.MethodGet, piecesPath+r.name, http.Header{})
	if err != nil {
		return about{}, err
	}
	defer b.close()
	if b.StatusCode == http.StatusOK {
		list, err := ReadPieces(b)
		if err == nil {
			return about{list, list.sum(), list.Size, list.etag(), &list.SHA256}, nil
		}
		if b.ctx.Err() != nil {
			return about{}, b.cause(err)
		}
		// Some servers answer every request with a page.
	}
	busy := busyOf(b.Response)
	a, err := r.askPlain(ctx, p)
	if busy != nil {
		// The list is being prepared. Its size says for how long that is plausible.
		if err == nil {
			busy.size = a.size
		}
		return about{}, busy
	}
	return a, err
}

// askPlain asks a source that has no piece list. Only a 404 and a 410 to HEAD are final:
// some servers implement nothing but GET, which is all that a fetch needs.
func (r *remote) askPlain(ctx context.Context, p pace) (about, error) {
	a, err := r.askBy(ctx, p, http.MethodHead)
	if err == nil || err == StatusError(http.StatusNotFound) || err == StatusError(http.StatusGone) || ctx.Err() != nil {
		return a, err
	}
	return r.askBy(ctx, p, http.MethodGet)
}

func (r *remote) askBy(ctx context.Context, p pace, method string) (about, error) {
	b, err := r.do(ctx, p, method, r.name, http.Header{})
	if err != nil {
		return about{}, err
	}
	defer b.close()
	if b.StatusCode != http.StatusOK {
		return about{}, statusOf(b.Response)
	}
	return describe(b.Response), nil
}

// statusOf returns the error for a response that is not what was asked for.
func statusOf(r *http.Response) error {
	if busy := busyOf(r); busy != nil {
		return busy
	}
	return StatusError(r.StatusCode)
}

// busyOf returns what a 503 with Retry-After says, and nil for any other response.
func busyOf(r *http.Response) *busyError {
	field := r.Header.Get("Retry-After")
	if r.StatusCode != http.StatusServiceUnavailable || field == "" {
		return nil
	}
	busy := &busyError{StatusError: StatusError(r.StatusCode), size: -1, after: time.Second}
	if seconds, err := strconv.ParseUint(field, 10, 31); err == nil {
		busy.after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(field); err == nil {
		busy.after = time.Until(at)
	}
	busy.after = min(max(busy.after, time.Second/4), 30*time.Second)
	return busy
}

// part requests length bytes from an offset, on the condition that the file is still the
// one of a. The caller closes the body. The error is errNoRanges if the source sends the
// whole file instead; then the body is returned, too, and begins with the first byte.
func (r *remote) part(ctx context.Context, p pace, a about, from, length int64) (*body, error) {
	b, err := r.do(ctx, p, http.MethodGet, r.name, http.Header{
		"Range":    {fmt.Sprintf("bytes=%d-%d", from, from+length-1)},
		"If-Range": {a.validator},
	})
	if err != nil {
		return nil, err
	}
	want := fmt.Sprintf("bytes %d-%d/%d", from, from+length-1, a.size)
	tag := b.Header.Get("Etag")
	switch {
	case b.StatusCode == http.StatusOK && b.ContentLength == a.size && b.Header.Get("Content-Encoding") == "" && tag == a.validator:
		return b, errNoRanges
	case b.StatusCode == http.StatusOK, b.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		err = ErrDifferent // the whole of another version (RFC 9110, section 13.1.5)
	case b.StatusCode != http.StatusPartialContent:
		err = statusOf(b.Response)
	case b.Header.Get("Content-Range") != want, b.ContentLength != length, b.Header.Get("Content-Encoding") != "":
		err = fmt.Errorf("%w: the wrong range", ErrResponse)
	default:
		return b, nil
	}
	b.close()
	return nil, err
}

// rest requests everything from an offset on. validator, if not empty, is the condition.
// It returns the offset from which the bytes come: 0 if the source sends the whole file,
// because it has another version or does not implement ranges. The caller closes the
// body.
func (r *remote) rest(ctx context.Context, p pace, from int64, validator string) (b *body, a about, offset int64, err error) {
	header := http.Header{}
	if from > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		if validator != "" {
			header.Set("If-Range", validator)
		}
	}
	b, err = r.do(ctx, p, http.MethodGet, r.name, header)
	if err != nil {
		return nil, about{}, 0, err
	}
	if b.StatusCode == http.StatusOK && b.Header.Get("Content-Encoding") == "" {
		return b, describe(b.Response), 0, nil
	}
	if from > 0 && b.StatusCode == http.StatusPartialContent {
		if a, ok := continued(b.Response, from, validator); ok {
			return b, a, from, nil
		}
	}
	b.close()
	switch {
	case from > 0 && (b.StatusCode == http.StatusPartialContent || b.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		return r.rest(ctx, p, 0, "") // another range, or none
	case b.StatusCode == http.StatusOK:
		return nil, about{}, 0, fmt.Errorf("%w: the body is compressed", ErrResponse)
	}
	return nil, about{}, 0, statusOf(b.Response)
}

// continued checks that a partial response begins where it should.
func continued(r *http.Response, from int64, validator string) (about, bool) {
	span, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if err != nil || span != fmt.Sprintf("%d-%d", from, size-1) || r.ContentLength >= 0 && r.ContentLength != size-from ||
		r.Header.Get("Content-Encoding") != "" {
		return about{}, false
	}
	field := "Last-Modified"
	if isStrongTag(validator) {
		field = "Etag"
	}
	if now := r.Header.Get(field); validator != "" && now != "" && now != validator {
		return about{}, false
	}
	a := describe(r)
	a.size = size
	if validator != "" {
		a.validator = validator
	}
	return a, true
}
