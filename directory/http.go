package directory

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
)

// piecesPath stands before the name of a file whose piece list is requested. No file name
// holds a slash.
const piecesPath = "pieces/"

// A client must take each stretch of a download within slowest, which is half a KiB per
// second. A connection that takes less is closed.
const (
	stretch = 64 << 10 // bytes
	slowest = 2 * time.Minute
)

// requestTimeout bounds the time for a request to arrive.
const requestTimeout = 30 * time.Second

// ServeHTTP serves the shared files, so that a program that has an HTTP server can offer
// them there. It needs no [Peer.Serve], which publishes them.
func (p *Peer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &countingWriter{ResponseWriter: rw, status: http.StatusOK}
	control := http.NewResponseController(rw)
	if r.ContentLength != 0 {
		// No request of this protocol has a body, and waiting for one would hold the
		// connection.
		_ = control.SetReadDeadline(time.Now())
		w.Header().Set("Connection", "close")
		http.Error(w, "a request with a body", http.StatusBadRequest)
		return
	}
	// The request is complete. A response may take longer than the next request.
	_ = control.SetReadDeadline(time.Time{})
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	name, listed := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/"), piecesPath)
	share := p.store.share(name)
	if share == nil {
		http.NotFound(w, r)
		return
	}
	f, info, err := open(p.Root, name)
	if err != nil {
		refuse(w, err)
		return
	}
	defer f.Close()
	pieces, err := p.digests(r.Context(), share, name, f, info)
	switch {
	case err == errPreparing && !listed && !wantsVersion(r):
		// Without a digest, but at once.
	case err != nil:
		refuse(w, err)
		return
	}
	switch {
	case !listed:
		p.serveFile(w, r, name, f, info, pieces)
	case pieces == nil: // the file is too large for a list
		http.NotFound(w, r)
	default:
		servePieces(w, r, pieces, info)
	}
}

// digests returns the digests of an open file. The digests of a large one are computed by
// Serve, and the error is errPreparing if that takes long. So no client waits in silence,
// and none can keep the processor busy by asking again and again.
func (p *Peer) digests(ctx context.Context, s *share, name string, f *os.File, info fs.FileInfo) (*fetch.Pieces, error) {
	hook := p.digested(name)
	if info.Size() < cacheMin || !p.preparing.Load() {
		return s.digests(ctx, f, info, p.cache(), hook)
	}
	if pieces := s.known(versionOf(info)); pieces != nil || info.Size() > maxListed {
		return pieces, nil
	}
	p.changed()
	return nil, errPreparing
}

// maxListed is the size of the largest file that has a piece list.
const maxListed = 256 << 30

// wantsVersion reports whether a request is for one version of the file, by its entity
// tag.
func wantsVersion(r *http.Request) bool {
	for _, field := range []string{"If-Range", "If-Match", "If-None-Match"} {
		if strings.Contains(r.Header.Get(field), `"`) {
			return true
		}
	}
	return false
}

// refuse says what is wrong, and nothing about this host.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		status = http.StatusNotFound
	case isShortage(err), errors.Is(err, errPreparing), errors.Is(err, errChanging), errors.Is(err, io.EOF), errors.Is(err, context.Canceled):
		// RFC 9110, section 10.2.3: the client tries again then.
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}

// isShortage reports whether a file cannot be opened now, but can be soon.
func isShortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func servePieces(w http.ResponseWriter, r *http.Request, p *fetch.Pieces, info fs.FileInfo) {
	text, _ := p.AppendText(make([]byte, 0, 128+65*len(p.Sums)))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.ServeContent(w, r, "", info.ModTime(), strings.NewReader(string(text)))
}

// serveFile leaves ranges, conditions and sendfile to the standard library.
func (p *Peer) serveFile(w *countingWriter, r *http.Request, name string, f *os.File, info fs.FileInfo, pieces *fetch.Pieces) {
	h := w.Header()
	if pieces != nil {
		h.Set("Etag", etag(pieces))
		h.Set("Repr-Digest", reprDigest(pieces))
	}
	// The type is not guessed from the content: a browser must not run a page that a
	// peer shares.
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", info.ModTime(), f)
	p.hook(func(t *Trace) {
		if t.Served != nil {
			from, _ := netip.ParseAddrPort(r.RemoteAddr)
			t.Served(Event{Addr: unmap(from), Name: name, Status: w.status, Bytes: w.bytes})
		}
	})
}

// A countingWriter counts the bytes of a response, and sets a deadline for each stretch. It
// passes a file on as a file, so that the kernel can send it.
type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.allow()
	w.ResponseWriter.WriteHeader(status)
}

// allow sets the deadline for the next stretch. Not every ResponseWriter has deadlines.
func (w *countingWriter) allow() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(slowest))
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom is what io.Copy calls.
func (w *countingWriter) ReadFrom(r io.Reader) (n int64, err error) {
	all, ok := r.(*io.LimitedReader)
	if !ok {
		all = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	for all.N > 0 && err == nil {
		w.allow()
		// The reader must be the file itself: the kernel cannot send from a limit within a
		// limit.
		part := io.LimitedReader{R: all.R, N: min(all.N, stretch)}
		var k int64
		k, err = io.Copy(w.ResponseWriter, &part)
		n += k
		all.N -= k
		if part.N > 0 {
			break // that was all
		}
	}
	w.bytes += n
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// etag is the file's strong validator (RFC 9110, section 8.8.3).
func etag(p *fetch.Pieces) string { return `"` + hex.EncodeToString(p.SHA256[:]) + `"` }

// reprDigest is the value of Repr-Digest (RFC 9530, section 3).
func reprDigest(p *fetch.Pieces) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(p.SHA256[:]) + ":"
}
