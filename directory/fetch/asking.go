package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// A source is one source in a call. Only the call's goroutine uses it, except remote and
// reply.
type source struct {
	remote
	reply chan error // to the goroutine that makes a request: go on, if nil

	asked    bool // it was asked about the file
	has      bool // it has the file; about says which
	about    about
	err      error // why it was dropped
	busy     bool  // a goroutine makes a request to it
	cancel   context.CancelFunc
	resting  time.Time // it is not asked for anything before
	failures int       // in a row
	stalls   int       // since it last delivered movedBytes
	gained   int       // bytes since then
	waiting  time.Time // since when it has been preparing the file; zero: it is not

	run      int    // the length of its next run of pieces
	noRanges bool   // it delivers the whole file only
	reached  int64  // the furthest byte that it has delivered without pieces
	tried    bool   // it is no candidate for its file any more
	buf      []byte // of the goroutine that makes a request
}

func newSource(c *call, src Source) *source {
	return &source{
		remote: remote{source: src, name: c.name, client: c.client},
		reply:  make(chan error, 1), run: firstRun,
	}
}

// drop ends all use of the source.
func (s *source) drop(err error) {
	s.err = err
	if s.cancel != nil {
		s.cancel()
	}
}

// gotOn notes that the source delivered something new. What a source that stalls delivers
// does not make its stalls forgotten, unless it is much.
func (s *source) gotOn(n int) {
	s.failures, s.waiting = 0, time.Time{}
	if s.gained += n; s.gained >= movedBytes {
		s.stalls, s.gained = 0, 0
	}
}

// isOpen reports whether it is not known yet whether the source has the file.
func (s *source) isOpen() bool { return s.err == nil && !s.has }

// mayPrepare reports whether the source may go on preparing the file. A bound that grows
// with the size: 30 s, and a second for each 10 MB.
func (s *source) mayPrepare(now time.Time, busy *busyError) bool {
	if s.waiting.IsZero() {
		s.waiting = now
	}
	size := max(busy.size, s.about.size, 0)
	return now.Sub(s.waiting) < 30*time.Second+time.Duration(size/10e6)*time.Second
}

// request runs a request to a source in a goroutine. One runs at a time.
func (c *call) request(s *source, do func(ctx context.Context) event) {
	ctx, cancel := context.WithCancel(c.ctx)
	s.busy, s.cancel = true, cancel
	c.wg.Go(func() {
		defer cancel()
		c.send(do(ctx))
	})
}

// pace is what a source must deliver.
func (c *call) pace(stall time.Duration) pace {
	return pace{time: stall, least: c.fetcher.minBytes(stall)}
}

// askSources asks as many sources as there are places.
func (c *call) askSources(now time.Time) {
	for _, s := range c.sources {
		if s.asked && s.isOpen() && !s.busy {
			c.ask(now, s)
		}
	}
	for {
		s := c.nextToAsk(now)
		if s == nil {
			return
		}
		s.asked = true
		c.ask(now, s)
	}
}

// nextToAsk returns the source that is asked next, or nil. A source that failed gives up
// its place. The next source is one of a host with as few sources as possible. A host has at most a quarter of the places while other hosts
// may want them: many ports of one host must not take the places of the others.
func (c *call) nextToAsk(now time.Time) *source {
	var best *source
	used, perHost := 0, make(map[netip.Addr]int)
	for _, s := range c.sources {
		if s.asked && s.err == nil && !s.tried && s.failures+s.stalls == 0 {
			used++
			perHost[s.source.host()]++
		}
	}
	places := c.fetcher.maxSources()
	if used >= places {
		return nil
	}
	for _, s := range c.sources {
		if !s.asked && (best == nil || perHost[s.source.host()] < perHost[best.source.host()]) {
			best = s
		}
	}
	if best == nil || perHost[best.source.host()] < max(places/4, 1) {
		return best
	}
	if end := c.began.Add(settle); c.searching && now.Before(end) {
		c.wakeAt(end)
		return nil
	}
	return best
}

// ask asks a source about the file, unless it rests.
func (c *call) ask(now time.Time, s *source) {
	if now.Before(s.resting) {
		c.wakeAt(s.resting)
		return
	}
	p := c.pace(c.fetcher.stall())
	c.request(s, func(ctx context.Context) event {
		a, err := s.ask(ctx, p)
		return answered{s, a, err}
	})
}

// answered: a source said what it has.
type answered struct {
	s     *source
	about about
	err   error
}

func (e answered) apply(c *call) error {
	s := e.s
	s.busy = false
	if s.err != nil {
		return nil
	}
	err := e.err
	if err == nil {
		err = c.fetcher.check(e.about)
	}
	c.responded(s, err)
	if err != nil {
		c.failed(time.Now(), s, err)
		return nil
	}
	s.has, s.about, s.failures, s.waiting = true, e.about, 0, time.Time{}
	return nil
}

func (c *call) responded(s *source, err error) {
	status, isStatus := errors.AsType[StatusError](err)
	if c.trace.Responded == nil || err != nil && !isStatus {
		return
	}
	if err == nil {
		status = http.StatusOK
	}
	c.trace.Responded(Event{Addr: s.source.Addr, Status: int(status)})
}

// isFinal reports whether an error is one that a source would repeat.
func isFinal(err error) bool {
	for _, e := range []error{ferry.ErrDigest, ErrDifferent, ErrResponse, ferry.ErrTooLarge} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
