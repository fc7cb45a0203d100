package fetch

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// A remote makes requests to one source. Its fields do not change.
type remote struct {
	source Source
	name   string
	client *http.Client
}

// A pace is the least that a source must deliver: least bytes in each time.
type pace struct {
	time  time.Duration
	least int
}

// A body is the body of a response. It fails with ErrStalled when it arrives too slowly:
// every least bytes must arrive within the time of the pace. Only the time that is spent
// reading counts: a slow disk is not the fault of the source.
type body struct {
	*http.Response
	pace   pace
	left   time.Duration // of the time for the bytes that are arriving
	got    int           // of these bytes
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
}

// do makes a request for a path at the source. The response has any status. The caller
// closes the body.
func (r *remote) do(ctx context.Context, p pace, method, path string, header http.Header) (*body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &body{pace: p, left: p.time, ctx: ctx, cancel: cancel, timer: time.AfterFunc(p.time, func() { cancel(ErrStalled) })}
	u := url.URL{Scheme: "http", Host: r.source.Addr.String(), Path: "/" + path}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		b.close()
		return nil, err
	}
	req.Header = header
	// Ranges of a compressed body would be of no use.
	req.Header.Set("Accept-Encoding", "identity")
	b.Response, err = r.client.Do(req)
	b.timer.Stop()
	if err != nil {
		err = b.cause(err)
		b.close()
		return nil, err
	}
	return b, nil
}

// cause returns why the request was given up, if it was, and otherwise err.
func (b *body) cause(err error) error {
	if cause := context.Cause(b.ctx); cause != nil {
		return cause
	}
	return err
}

// Read reads the body.
func (b *body) Read(p []byte) (int, error) {
	// The transport may still return data that arrived before the request was given up.
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	start := time.Now()
	b.timer.Reset(b.left)
	n, err := b.Body.Read(p)
	b.timer.Stop()
	b.left = max(b.left-time.Since(start), 0)
	if b.got += n; b.got >= b.pace.least {
		b.got, b.left = 0, b.pace.time
	}
	if err != nil && err != io.EOF {
		err = b.cause(err)
	}
	return n, err
}

// close ends the request. If the body was not read to its end, it also ends the
// connection.
func (b *body) close() {
	b.timer.Stop()
	if b.Response != nil {
		b.Body.Close()
	}
	b.cancel(context.Canceled)
}
