package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// The defaults of a Fetcher.
const (
	DefaultFetchSources = 16
	DefaultStall        = 10 * time.Second
)

// A Fetcher gets files from peers. The zero value is ready to use. One Fetcher may
// fetch any number of files at once.
type Fetcher struct {
	// SHA256 is the digest of the file that is wanted, if it is known. Without it the
	// file that most sources have is taken: they are believed about what the name
	// stands for, and each is held to it.
	SHA256 *[32]byte
	// MaxSources bounds the sources that are asked. 0 means DefaultFetchSources.
	MaxSources int
	// MaxSize bounds the file, in bytes. 0 means 256 GiB.
	MaxSize int64
	// Stall is how long a source may deliver nothing. It is then asked again, and
	// dropped the third time. 0 means DefaultStall.
	Stall time.Duration
	// Transport makes the requests. Nil means one of Fetch's own, which
	// uses no proxy, and whose connections end with the call.
	Transport http.RoundTripper
	// Trace observes the calls. Nil observes nothing.
	Trace *Trace
}

// A Report says what a fetch did. It is filled as far as it went, also when there was
// an error.
type Report struct {
	// Size of the file in bytes, and of those what was there from an earlier attempt.
	Size, Resumed int64
	// SHA256 of the whole file, as computed here from what is on the disk.
	SHA256 [32]byte
	// Verified says that it is the digest that was asked for or announced. Otherwise no
	// source had one, and nothing is known but that the file has the announced length.
	Verified bool
	Elapsed  time.Duration
	// Sources are those that were asked, in the order in which they became known.
	Sources []SourceReport
}

// A SourceReport is one source's part in a fetch.
type SourceReport struct {
	Source Source
	// Bytes that it delivered and that are in the file. What turned out to be wrong is
	// not.
	Bytes int64
	// Err is nil, or a *SourceError: why it was dropped.
	Err error
}

// Fetch gets the file name from the sources that l finds and keeps it in root under the
// name as, or under its own if as is empty; an existing file is replaced, and nothing
// but a file (the error is an fs.ErrExist). It appears there whole and verified, or not
// at all: until then it is called .NAME.part, and another Fetch resumes what is there of
// it.
//
// Sources that have a piece list, as [Peer] does, are used all at once, and what a slow
// or failing source does not deliver comes from the others, in mid-file. The first
// piece of each request is verified when it arrives, and the whole at the end; the list
// then tells which pieces are wrong, if it is, and they are fetched again from others.
// Sources without are used one after the other, until the file of one is right as far as
// that is known.
//
// The error is an fs.ErrNotExist if no source has the file. It wraps a [*SourceError]
// for each source that failed, when all of them did; ctx's cause when ctx ended; and
// the error of l when it yielded no source.
//
// l may look for more sources all the while: its context ends when the fetch does, and
// Fetch returns when l has ended.
func (f *Fetcher) Fetch(ctx context.Context, root *os.Root, name, as string, l Locator) (Report, error) {
	if as == "" {
		as = name
	}
	if err := errors.Join(wholefile.CheckName(name), wholefile.CheckName(as), wholefile.CheckTaken(root, as, true)); err != nil {
		return Report{}, fmt.Errorf("directory: fetching: %w", err)
	}
	start := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	g := f.newFetching(name, as, root)
	g.gather(ctx, l.Locate(ctx, name))
	err := g.run(ctx)
	cancel()
	g.wg.Wait()
	if f.Transport == nil {
		g.client.CloseIdleConnections()
	}
	g.report.Elapsed = time.Since(start)
	if err != nil {
		err = fmt.Errorf("directory: fetching %s: %w", name, err)
	}
	return g.report, err
}

func (f *Fetcher) newFetching(name, as string, root *os.Root) *fetching {
	transport := f.Transport
	if transport == nil {
		transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
			ReadBufferSize:         64 << 10,
		}
	}
	g := &fetching{
		fetcher: f, name: name, as: as, root: root, changed: make(chan struct{}),
		client: &http.Client{
			Transport: transport,
			// A peer speaks for itself, and sends nobody elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		stall: orDefault(f.Stall, DefaultStall),
		index: make(map[*supplier]int),
	}
	if f.Trace != nil {
		g.trace = *f.Trace
	}
	return g
}

func (f *Fetcher) maxSize() int64 { return orDefault(f.MaxSize, maxFileSize) }

// check says whether a source's file is one that is wanted.
func (f *Fetcher) check(s *supplier) error {
	switch {
	case s.size > f.maxSize():
		return ErrTooLarge
	case f.SHA256 != nil && s.digest != nil && *s.digest != *f.SHA256:
		return ErrDifferent
	}
	return nil
}

// sumOf reads a file and returns its digest.
func sumOf(r io.ReaderAt, size int64) (sum [32]byte, err error) {
	h := sha256.New()
	_, err = io.CopyBuffer(h, io.NewSectionReader(r, 0, size), make([]byte, PieceLength))
	h.Sum(sum[:0])
	return sum, err
}
