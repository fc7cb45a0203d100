package directory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// settle is how long, after the first source that has the file, others are waited for
// before it is decided which file is fetched.
const settle = 500 * time.Millisecond

// A fetching is one call of Fetch. Each source has a goroutine, first to ask it and
// then to fetch from it; what they share is under mu, and whoever changes it closes
// changed.
type fetching struct {
	fetcher  *Fetcher
	name, as string
	root     *os.Root
	client   *http.Client
	stall    time.Duration
	trace    Trace
	wg       sync.WaitGroup

	mu        sync.Mutex
	changed   chan struct{} // closed, and made anew, when something below has changed
	index     map[*supplier]int
	report    Report
	willing   []*supplier // those that have a file, in the order of their answers
	asking    int         // sources that have not answered; the stream of them is one
	searchErr error       // of the stream
	current   *swarm      // what is being fetched, from sources with piece lists

	useless bool // nothing of the part is worth keeping
}

// notify wakes everybody who waits. mu is held.
func (g *fetching) notify() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// gather asks the sources as they become known.
func (g *fetching) gather(ctx context.Context, sources iter.Seq2[Source, error]) {
	g.asking = 1
	g.wg.Go(func() {
		var err error
		most := orDefault(g.fetcher.MaxSources, DefaultFetchSources)
		seen := make(map[Source]bool)
		for src, e := range sources {
			if e != nil {
				err = e
				break
			}
			if src.Addr = unmap(src.Addr); seen[src] {
				continue
			}
			seen[src] = true
			g.enlist(ctx, src)
			if len(seen) == most || ctx.Err() != nil {
				break
			}
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asking--
		g.searchErr = err
		g.notify()
	})
}

// enlist starts asking a source.
func (g *fetching) enlist(ctx context.Context, src Source) {
	s := &supplier{source: src, name: g.name, client: g.client, stall: g.stall, size: -1}
	g.mu.Lock()
	g.index[s] = len(g.report.Sources)
	g.report.Sources = append(g.report.Sources, SourceReport{Source: src})
	g.asking++
	g.mu.Unlock()
	g.wg.Go(func() {
		err := g.asked(ctx, s)
		key := s.key()
		g.mu.Lock()
		g.asking--
		if err == nil {
			g.willing = append(g.willing, s)
		}
		if err == nil && g.current != nil && g.current.key == key {
			g.current.supply(s)
		}
		g.notify()
		g.mu.Unlock()
	})
}

// asked asks a source, up to three times.
func (g *fetching) asked(ctx context.Context, s *supplier) error {
	for {
		err := s.ask(ctx)
		if err == nil {
			err = g.fetcher.check(s)
		}
		g.responded(s, err)
		if err == nil || !g.failed(ctx, s, err) {
			return err
		}
	}
}

// responded tells the trace what a source said to being asked.
func (g *fetching) responded(s *supplier, err error) {
	status, isStatus := errors.AsType[StatusError](err)
	if err != nil && !isStatus {
		return
	}
	if err == nil {
		status = http.StatusOK
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trace.Responded != nil {
		g.trace.Responded(s.source, int(status))
	}
}

// failed notes that a source failed, and reports whether it is worth another try; if so
// it has waited before.
func (g *fetching) failed(ctx context.Context, s *supplier, err error) (again bool) {
	if ctx.Err() != nil {
		return false // not the source's fault
	}
	s.failures++
	again = s.failures < 3 && transient(err)
	g.mu.Lock()
	g.note(s, err, again)
	g.mu.Unlock()
	if !again {
		return false
	}
	timer := time.NewTimer(time.Duration(s.failures) * 250 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// note puts down a source's failure. mu is held.
func (g *fetching) note(s *supplier, err error, again bool) {
	wrapped := &SourceError{Source: s.source, Err: err}
	if !again {
		g.report.Sources[g.index[s]].Err = wrapped
	}
	if g.trace.Failed != nil {
		g.trace.Failed(s.source, wrapped, again)
	}
}

// dropped returns why a source was dropped, nil if it was not.
func (g *fetching) dropped(s *supplier) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.report.Sources[g.index[s]].Err
}

// transient reports whether a source that failed so may do better the next time.
func transient(err error) bool {
	if status, ok := errors.AsType[StatusError](err); ok {
		return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
	}
	for _, e := range []error{ErrDigest, ErrDifferent, ErrResponse, ErrTooLarge} {
		if errors.Is(err, e) {
			return false
		}
	}
	return true
}

// run fetches the file that most sources have; if they fail, the one that the next most
// have, and so on.
func (g *fetching) run(ctx context.Context) error {
	tried := make(map[key]bool)
	var failures []error
	for {
		group, err := g.elect(ctx, tried)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		if group == nil {
			known := errors.Join(failures...)
			return errors.Join(known, g.hopeless(known))
		}
		spend(group, tried)
		err = g.fetchFrom(ctx, group)
		if err == nil || ctx.Err() != nil || isLocal(err) {
			return err
		}
		failures = append(failures, err)
	}
}

// spend notes that a group is tried. Of a file with pieces that is so for all who have
// it, whenever they answer. A source without them is tried by itself: it may call its
// file another with each response.
func spend(group []*supplier, tried map[key]bool) {
	if group[0].pieces != nil {
		tried[group[0].key()] = true
		return
	}
	for _, s := range group {
		s.tried = true
	}
}

// A localError is about this host: no source can help.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

func isLocal(err error) bool {
	_, ok := errors.AsType[localError](err)
	return ok
}

// elect waits until it is known who has the file, and returns those that have the
// version that most have. Those with piece lists come before all others. It returns nil
// when nobody is left.
func (g *fetching) elect(ctx context.Context, tried map[key]bool) ([]*supplier, error) {
	var timeout <-chan time.Time
	for {
		g.mu.Lock()
		changed, over := g.changed, g.asking == 0
		best := g.most(tried)
		g.mu.Unlock()
		if over {
			return best, nil
		}
		if best != nil && timeout == nil {
			timer := time.NewTimer(settle)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-changed:
		case <-timeout:
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.most(tried), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// most returns the largest group of sources with the same file that was not tried yet.
// mu is held.
func (g *fetching) most(tried map[key]bool) (best []*supplier) {
	groups := make(map[key][]*supplier)
	for _, s := range g.willing {
		if k := s.key(); !tried[k] && !s.tried {
			groups[k] = append(groups[k], s)
		}
	}
	for _, s := range g.willing { // in their order, so that the first wins a tie
		group := groups[s.key()]
		switch {
		case len(group) == 0:
		case best == nil, group[0].pieces != nil && best[0].pieces == nil,
			(group[0].pieces != nil) == (best[0].pieces != nil) && len(group) > len(best):
			best = group
		}
	}
	return slices.Clone(best)
}

// hopeless says why nobody has the file, as far as that is not known from those that
// were tried.
func (g *fetching) hopeless(known error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.searchErr != nil {
		return g.searchErr
	}
	var errs []error
	for _, s := range g.report.Sources {
		if s.Err != nil && !errors.Is(known, s.Err) {
			errs = append(errs, s.Err)
		}
	}
	if len(errs) == 0 && known == nil {
		return ErrNoSource
	}
	return errors.Join(errs...)
}

// fetchFrom fetches the file of one group into the part that is there, and gives it its
// name.
func (g *fetching) fetchFrom(ctx context.Context, group []*supplier) error {
	file, have, err := wholefile.Resume(g.root, g.as, 0)
	if err != nil {
		return localError{err}
	}
	defer file.Keep()
	if group[0].pieces != nil {
		g.forgetValidator()
		err = g.swarm(ctx, file, have, group)
	} else {
		err = g.plain(ctx, file, have, group)
	}
	if err != nil {
		if g.useless {
			_ = file.Abort()
			g.forgetValidator()
		}
		return err
	}
	if err := file.Commit(true); err != nil {
		return localError{err}
	}
	g.forgetValidator()
	return nil
}

// chosen notes what is fetched. Where nothing of it is there, what any source has
// delivered so far was of no use.
func (g *fetching) chosen(size, have int64, verified bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Size, g.report.Resumed = size, have
	for i := range g.report.Sources {
		if have == 0 {
			g.report.Sources[i].Bytes = 0
		}
	}
	if g.trace.Chosen != nil {
		g.trace.Chosen(g.name, size, have, verified)
	}
}

// progress counts bytes from a source. mu is held.
func (g *fetching) progress(s *supplier, n int, have int64) {
	g.report.Sources[g.index[s]].Bytes += int64(n)
	if g.trace.Progress != nil {
		g.trace.Progress(s.source, have, g.report.Size)
	}
}

// verify compares the digest of the whole with what it must be. A nil want means that
// nobody knows.
func (g *fetching) verify(sum [32]byte, want *[32]byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.SHA256 = sum
	if g.fetcher.SHA256 != nil {
		want = g.fetcher.SHA256
	}
	if want == nil {
		return nil
	}
	if sum != *want {
		g.useless = true
		return fmt.Errorf("%w of the whole file", ErrDigest)
	}
	g.report.Verified = true
	return nil
}
