package fetch

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A call is one call of Fetch. The goroutine that runs it owns its state and the file.
// The other goroutines search for sources, make requests and compute digests. They send
// their results as events, and touch no state of the call that changes.
//
//	search ----- found, searched ----->|
//	ask -------- answered ------------>|  call   chooses the file, divides it, writes it
//	fetchRun --- pieceArrived, ended ->|
//	fetchRest -- opened, chunk, ended >|
//	digests ---- resumed, digested, rechecked
type call struct {
	fetcher  *Fetcher
	name, as string
	ctx      context.Context // of the goroutines; it ends when the call does
	client   *http.Client
	events   chan event
	wg       sync.WaitGroup
	trace    Trace
	began    time.Time
	wake     time.Time // when step has something to do, if no event comes before

	sources   []*source
	seen      map[Source]bool
	searching bool
	searchErr error

	report     Report
	part       *part
	swarm      *swarm       // what is fetched from sources with piece lists, or nil
	plain      *source      // the source without a piece list that is used now, or nil
	lastPlain  *source      // the one that was used last
	settled    time.Time    // when the file is chosen, though sources have not answered
	tried      map[key]bool // files of which fetching failed
	failures   []error
	delivering bool      // a file was chosen
	moved      time.Time // the last progress of the whole fetch
	movedAt    int64     // the bytes that were there then
	complete   bool
}

// An event is what a goroutine sends to the call. apply is called by the call's own
// goroutine. Its error ends the call.
type event interface{ apply(c *call) error }

// send sends an event. It reports false if the call has ended.
func (c *call) send(e event) bool {
	select {
	case c.events <- e:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// run starts the work that is due, and takes events, until the file is complete or cannot be
// fetched.
func (c *call) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !c.complete {
		now := time.Now()
		c.wake = now.Add(time.Hour)
		err := c.step(now)
		if err == nil {
			timer.Reset(c.wake.Sub(now))
			err = c.wait(ctx, timer.C)
		}
		if err != nil {
			c.makeRoom(err)
			return err
		}
	}
	return nil
}

func (c *call) wait(ctx context.Context, timer <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
	}
	select {
	case e := <-c.events:
		return e.apply(c)
	case <-timer:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wakeAt lets step be called at t at the latest.
func (c *call) wakeAt(t time.Time) {
	if t.Before(c.wake) {
		c.wake = t
	}
}

// step starts whatever can be started now.
func (c *call) step(now time.Time) error {
	c.askSources(now)
	if c.swarm == nil && c.plain == nil {
		if err := c.choose(now); err != nil {
			return err
		}
	}
	if c.swarm != nil {
		return c.assign(now)
	}
	return nil
}

// makeRoom removes what this call has stored if the disk is full: it may never be resumed,
// and the other users of the disk need the room.
func (c *call) makeRoom(err error) {
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if full && c.part.at != nil && c.part.fresh {
		c.part.resume()
		c.part.discard()
	}
}

// Searching.

type found struct{ source Source }

type searched struct{ err error }

// search takes sources from a Locator.
func (c *call) search(sources iter.Seq2[Source, error]) {
	c.searching = true
	c.wg.Go(func() {
		var err error
		for src, e := range sources {
			if err = e; e != nil || !c.send(found{src}) {
				break
			}
		}
		c.send(searched{err})
	})
}

// maxKnown bounds the sources that are remembered in one call.
const maxKnown = 1000

func (e found) apply(c *call) error {
	src := Source{Addr: netip.AddrPortFrom(e.source.Addr.Addr().Unmap(), e.source.Addr.Port())}
	if c.seen[src] || len(c.seen) >= maxKnown {
		return nil
	}
	c.seen[src] = true
	c.sources = append(c.sources, newSource(c, src))
	return nil
}

func (e searched) apply(c *call) error {
	c.searching, c.searchErr = false, e.err
	return nil
}

// Failures.

// transient reports whether a source that failed so may do better the next time.
func transient(err error) bool {
	if status, ok := errors.AsType[StatusError](err); ok {
		return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
	}
	return !isFinal(err)
}

// failed notes that a source failed: it is tried again later, or dropped.
func (c *call) failed(now time.Time, s *source, err error) {
	if busy, ok := errors.AsType[*busyError](err); ok && s.mayPrepare(now, busy) {
		s.resting, c.moved = now.Add(busy.after), now
		return
	}
	tries := &s.failures
	if errors.Is(err, ErrStalled) {
		tries = &s.stalls
	}
	*tries++
	retry := *tries < 3 && transient(err) && now.Sub(c.moved) < maxIdle
	s.resting = now.Add(time.Duration(*tries) * 250 * time.Millisecond)
	c.note(s, err, retry)
}

// maxIdle is how long a fetch may go without progress before sources that fail are not
// tried again.
const maxIdle = 45 * time.Second

// note tells the trace of a failure, and drops the source if it is not tried again.
func (c *call) note(s *source, err error, retry bool) {
	wrapped := &SourceError{Source: s.source, Err: err}
	if !retry {
		s.drop(wrapped)
	}
	if c.trace.Failed != nil {
		c.trace.Failed(Event{Addr: s.source.Addr, Err: wrapped, Retry: retry})
	}
}

// failure is why fetching one file failed.
func (c *call) failure(k key) error {
	var errs []error
	for _, s := range c.sources {
		if s.err != nil && s.has && s.about.key() == k {
			errs = append(errs, s.err)
		}
	}
	if len(errs) == 0 {
		return ErrNoSource
	}
	return errors.Join(errs...)
}

// hopeless returns the reasons why the file cannot be fetched.
func (c *call) hopeless() error {
	known := errors.Join(c.failures...)
	if c.searchErr != nil {
		return errors.Join(known, c.searchErr)
	}
	errs := []error{known}
	for _, s := range c.sources {
		if s.err != nil && !errors.Is(known, s.err) {
			errs = append(errs, s.err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return ErrNoSource
}

// Progress.

// started notes which file is fetched.
func (c *call) started(size int64, verifiable bool) {
	have := c.part.at.have
	c.report.Size, c.movedAt = size, have
	if !c.delivering {
		c.delivering, c.moved = true, time.Now()
	}
	if c.trace.Chosen != nil {
		c.trace.Chosen(Event{Name: c.name, Size: size, Have: have, Verifiable: verifiable})
	}
}

// progress notes that bytes arrived from a source, or were rejected.
func (c *call) progress(s *source) {
	have := c.part.at.have
	if have-c.movedAt >= movedBytes || have < c.movedAt {
		c.moved, c.movedAt = time.Now(), have
	}
	if c.trace.Progress != nil {
		c.trace.Progress(Event{Addr: s.source.Addr, Have: have, Size: c.report.Size})
	}
}

// movedBytes is what counts as progress of the whole fetch.
const movedBytes = 64 << 10

// finalReport is what Fetch returns.
func (c *call) finalReport() Report {
	hosts, announced := make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	var bytes map[*source]int64
	if at := c.part.at; at != nil {
		c.report.Resumed, bytes = at.resumed, at.bytes
	}
	for _, s := range c.sources {
		if s.asked {
			c.report.Sources = append(c.report.Sources, SourceReport{Source: s.source, Bytes: bytes[s], Err: s.err})
		}
		if s.has && s.about.digest != nil {
			hosts[s.source.host()] = true
			if *s.about.digest == c.report.SHA256 {
				announced[s.source.host()] = true
			}
		}
	}
	c.report.Announced, c.report.Hosts = len(announced), len(hosts)
	return c.report
}
