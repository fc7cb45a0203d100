package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/wholefile"
)

// The defaults of a [Fetcher].
const (
	DefaultMaxSources = 16
	DefaultStall      = 10 * time.Second
	DefaultMinRate    = 512 // bytes per second
)

// maxUnannounced bounds a file whose size no source announces, by default.
const maxUnannounced = 1 << 30

// A Fetcher gets files from peers. The zero value is ready to use. One Fetcher may
// fetch any number of files at once.
type Fetcher struct {
	// SHA256 is the digest of the file, if it is known from a trusted source. Nil means
	// that the file that most hosts announce is fetched.
	SHA256 *[32]byte
	// MaxSources bounds the sources that are used at once. A source that is dropped
	// makes room for another. 0 means DefaultMaxSources, negative means no bound.
	MaxSources int
	// MaxSize bounds the file, in bytes. 0 means 256 GiB, and 1 GiB if no source
	// announces the size. Negative means no bound.
	MaxSize int64
	// Stall and MinRate say when a source is given up: when it delivered fewer than
	// MinRate bytes per second for Stall. It is tried again, and dropped the third time.
	// 0 means the default. A negative Stall means no limit, a negative MinRate that
	// one byte in Stall is enough.
	Stall   time.Duration
	MinRate int
	// Transport makes the requests. Nil means a transport that uses no proxy and whose
	// connections end with the call.
	Transport http.RoundTripper
	// Trace observes the calls. Nil observes nothing.
	Trace *Trace
}

// A Report says what a fetch did. After an error it says what had been done.
type Report struct {
	// Size of the file in bytes, and the part of it that was there from an earlier call.
	Size, Resumed int64
	// SHA256 of the file on the disk.
	SHA256 [32]byte
	// Verified reports that SHA256 is the digest that [Fetcher.SHA256] or a source gave.
	// Without it nothing is known except that the file has the announced size.
	Verified bool
	// Announced is the number of hosts that announced SHA256, and Hosts the number of
	// hosts that announced any digest for the name. The ports of one host count once.
	Announced, Hosts int
	Elapsed          time.Duration
	// Sources are the sources that were asked, in the order in which they were found.
	Sources []SourceReport
}

// A SourceReport is one source's part in a fetch.
type SourceReport struct {
	Source Source
	// Bytes that it delivered and that are in the file.
	Bytes int64
	// Err is why it was dropped, a *SourceError, or nil.
	Err error
}

// Fetch gets the file name from the sources that l finds, and stores it in root under
// the name as; an empty as means name. An existing regular file is replaced. If
// something else has that name, the error is an fs.ErrExist.
//
// The file gets its name when it is complete and verified. Before that it is called
// .NAME.part, and the next call of Fetch resumes it.
//
// Sources that have a piece list are used in parallel. The other sources are used one
// after the other.
//
// The error is an fs.ErrNotExist if no source has the file. If all sources failed, it
// wraps a [*SourceError] for each. If ctx ended, it wraps ctx's cause. If l found no
// source, it wraps l's error.
func (f *Fetcher) Fetch(ctx context.Context, root *os.Root, name, as string, l Locator) (Report, error) {
	if as == "" {
		as = name
	}
	if err := errors.Join(wholefile.CheckName(name), wholefile.CheckName(as), wholefile.CheckTaken(root, as, true)); err != nil {
		return Report{}, fmt.Errorf("fetch: %w", err)
	}
	start := time.Now()
	working, cancel := context.WithCancel(ctx)
	c := f.newCall(working, name, as, root)
	c.search(l.Locate(working, name))
	err := c.run(ctx)
	cancel()
	c.wg.Wait()
	if f.Transport == nil {
		c.client.CloseIdleConnections()
	}
	report := c.finalReport()
	c.part.end()
	report.Elapsed = time.Since(start)
	if err != nil {
		err = fmt.Errorf("fetch: %s: %w", name, err)
	}
	return report, err
}

func (f *Fetcher) newCall(ctx context.Context, name, as string, root *os.Root) *call {
	transport := f.Transport
	if transport == nil {
		transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
			ReadBufferSize:         64 << 10,
		}
	}
	c := &call{
		fetcher: f, name: name, as: as, ctx: ctx,
		client: &http.Client{
			Transport: transport,
			// A redirection could name any host: it is a failure of the source.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		events: make(chan event),
		seen:   make(map[Source]bool),
		tried:  make(map[key]bool),
		part:   &part{root: root, name: as},
		began:  time.Now(),
		moved:  time.Now(),
	}
	if f.Trace != nil {
		c.trace = *f.Trace
	}
	return c
}

func (f *Fetcher) maxSources() int { return limit(f.MaxSources, DefaultMaxSources) }
func (f *Fetcher) maxSize() int64  { return limit(f.MaxSize, maxFileSize) }

// maxStream bounds a body of unknown length.
func (f *Fetcher) maxStream() int64 { return limit(f.MaxSize, maxUnannounced) }

func (f *Fetcher) stall() time.Duration { return limit(f.Stall, DefaultStall) }

// minBytes is what a source must deliver within stall.
func (f *Fetcher) minBytes(stall time.Duration) int {
	if f.MinRate < 0 {
		return 1
	}
	rate := limit(f.MinRate, DefaultMinRate)
	return max(int(float64(rate)*min(stall.Seconds(), 3600)), 1)
}

// limit returns the value of an option: 0 means def, negative means no limit.
func limit[T int | int64 | time.Duration](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		// Half of the largest value, so that sums do not overflow.
		return T(^uint(0) >> 2)
	}
	return v
}

// check reports whether the file that a source has may be fetched.
func (f *Fetcher) check(a about) error {
	switch {
	case a.size > f.maxSize():
		return ferry.ErrTooLarge
	case f.SHA256 != nil && a.digest != nil && *a.digest != *f.SHA256:
		return ErrDifferent
	}
	return nil
}
