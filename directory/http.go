package directory

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
)

// piecesPath is before the name of a file whose piece list is asked for. No file name
// holds a slash.
const piecesPath = "pieces/"

// Each stretch of a download has to pass within slowest, which is half a KiB a second.
// The connection of a client that takes less is worth more to another.
const (
	stretch = 64 << 10 // bytes
	slowest = 2 * time.Minute
)

// ServeHTTP serves the shared files, so that a program with an HTTP server of its own
// can offer them there. It needs no [Peer.Serve], which publishes them.
func (p *Peer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &countingWriter{ResponseWriter: rw, status: http.StatusOK}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	name, listed := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/"), piecesPath)
	it := p.shelf.item(name)
	if it == nil {
		http.NotFound(w, r)
		return
	}
	f, info, pieces, err := it.open(r.Context(), p.Root, name, p.digested(name))
	if err != nil {
		refuse(w, err)
		return
	}
	defer f.Close()
	if listed {
		servePieces(w, r, pieces, info)
		return
	}
	p.serveFile(w, r, name, f, info, pieces)
}

// refuse says what is wrong, and nothing about this host.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		status = http.StatusNotFound
	case errors.Is(err, errBusy), errors.Is(err, io.EOF), errors.Is(err, context.Canceled):
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}

func servePieces(w http.ResponseWriter, r *http.Request, p *fetch.Pieces, info fs.FileInfo) {
	text, _ := p.AppendText(make([]byte, 0, 128+65*len(p.Sums)))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.ServeContent(w, r, "", info.ModTime(), strings.NewReader(string(text)))
}

// serveFile leaves ranges, conditions and sendfile to the standard library.
func (p *Peer) serveFile(w *countingWriter, r *http.Request, name string, f *os.File, info fs.FileInfo, pieces *fetch.Pieces) {
	h := w.Header()
	h.Set("Etag", etag(pieces))
	h.Set("Repr-Digest", reprDigest(pieces))
	// Not guessed from the content: a page that a peer shares must not run in a
	// browser.
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", info.ModTime(), f)
	p.hook(func(t *Trace) {
		if t.Served != nil {
			from, _ := netip.ParseAddrPort(r.RemoteAddr)
			t.Served(unmap(from), name, w.status, w.bytes)
		}
	})
}

// A countingWriter counts what passes, and gives each stretch of it its time. It hands a
// file on as a file, so that the kernel can send it.
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

// allow gives what comes next its time. Not every ResponseWriter has deadlines.
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
		// Of the file itself: within two limits the kernel would not find it.
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

// A limitedListener accepts no more connections than it has slots. The connections are
// those of the listener, not wrapped: a wrapped one would cost sendfile. So the server
// tells which have ended.
type limitedListener struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func newLimited(l net.Listener, n int) *limitedListener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, n), done: make(chan struct{})}
}

// Accept waits for a slot, and then for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
	}
	return c, err
}

// Close closes the listener.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// drain waits until no connection is served any more. Nobody accepts meanwhile.
func (l *limitedListener) drain() {
	for range cap(l.slots) {
		l.slots <- struct{}{}
	}
}

// state is the server's ConnState hook.
func (l *limitedListener) state(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed || s == http.StateHijacked {
		<-l.slots
	}
}

// etag is the file's strong validator (RFC 9110, section 8.8.3).
func etag(p *fetch.Pieces) string { return `"` + hex.EncodeToString(p.SHA256[:]) + `"` }

// reprDigest is the value of Repr-Digest (RFC 9530, section 3).
func reprDigest(p *fetch.Pieces) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(p.SHA256[:]) + ":"
}
