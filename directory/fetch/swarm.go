package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/wholefile"
)

// A swarm fetches one file from all sources that have it with a piece list.
//
// To digest everything twice, by piece and as a whole, would cost more than to receive
// it. So only the first piece of each request is verified when it arrives, which detects
// most sources that serve something else, and the whole at the end. If the whole is
// wrong, every piece is verified: the wrong ones are fetched again, and not from the
// source that delivered them.
type swarm struct {
	key    key
	want   *Pieces
	plan   *plan
	loaded bool     // what an earlier call kept has been verified
	strict bool     // the whole was wrong once: every piece is verified on arrival
	ready  chan int // how many pieces are there from the first on, for digestWhole
}

// startSwarm starts to fetch from a group of sources.
func (c *call) startSwarm(group []*source) error {
	w := &swarm{
		key: group[0].about.key(), want: group[0].about.pieces,
		plan: newPlan(len(group[0].about.pieces.Sums)), ready: make(chan int, 1),
	}
	c.swarm = w
	c.part.resume()
	file := c.part.at.file
	c.wg.Go(func() {
		good, err := goodPieces(c.ctx, file, w.want)
		c.send(resumed{w, good, err})
	})
	return nil
}

// goodPieces returns the pieces that a file holds.
func goodPieces(ctx context.Context, file *wholefile.File, want *Pieces) (good []int, err error) {
	buf := make([]byte, min(PieceLength, want.Size))
	for i, sum := range want.Sums {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		b := buf[:want.length(i)]
		n, err := file.ReadAt(b, int64(i)*PieceLength)
		if n < len(b) && err != io.EOF {
			return nil, localError{err}
		}
		if n < len(b) {
			break
		}
		if sha256.Sum256(b) == sum {
			good = append(good, i)
		}
	}
	return good, nil
}

// resumed: it is known which pieces an earlier call kept.
type resumed struct {
	w    *swarm
	good []int
	err  error
}

func (e resumed) apply(c *call) error {
	w := e.w
	if e.err != nil {
		return e.err
	}
	if len(e.good) == 0 {
		if err := c.part.restart(); err != nil {
			return err
		}
	}
	have := int64(0)
	for _, i := range e.good {
		w.plan.have(i)
		have += int64(w.want.length(i))
	}
	c.part.scatter(have)
	if err := c.part.truncate(w.want.Size); err != nil {
		return err
	}
	w.loaded = true
	c.started(w.want.Size, true)
	c.digestWhole(w)
	return nil
}

// assign gives work to the sources that have none.
func (c *call) assign(now time.Time) error {
	w := c.swarm
	if !w.loaded || w.plan.left == 0 {
		return nil
	}
	members := c.members(w)
	ranged := slices.ContainsFunc(members, func(s *source) bool { return !s.noRanges })
	for _, s := range members {
		switch {
		case s.busy:
		case now.Before(s.resting):
			c.wakeAt(s.resting)
		case !s.noRanges:
			if start, end, ok := w.plan.take(s, s.run); ok {
				c.fetchRun(s, w, start, end)
			}
		case !ranged && len(w.plan.runs) == 0:
			w.plan.takeAll(s)
			c.fetchRun(s, w, 0, len(w.want.Sums))
		}
	}
	pending := c.searching || slices.ContainsFunc(c.sources, (*source).isOpen)
	if len(members) == 0 && !pending {
		c.endSwarm(c.failure(w.key))
		c.wakeAt(now) // to choose another file
	}
	return nil
}

// members are the sources that can take part.
func (c *call) members(w *swarm) (members []*source) {
	for _, s := range c.sources {
		if s.has && s.err == nil && s.about.key() == w.key {
			members = append(members, s)
		}
	}
	return members
}

// endSwarm notes that the sources of the swarm cannot deliver the file.
func (c *call) endSwarm(err error) {
	for _, s := range c.members(c.swarm) {
		s.tried = true
	}
	c.tried[c.swarm.key] = true
	c.failures = append(c.failures, err)
	c.swarm = nil
}

// fetchRun makes one request, for the pieces from start to end.
func (c *call) fetchRun(s *source, w *swarm, start, end int) {
	a, p, strict := s.about, c.pace(c.fetcher.stall()), w.strict
	c.request(s, func(ctx context.Context) event {
		return ended{s, w, c.receiveRun(ctx, s, w, a, p, start, end, strict)}
	})
}

// receiveRun receives pieces, until all are there or another source has taken over the
// rest.
func (c *call) receiveRun(ctx context.Context, s *source, w *swarm, a about, p pace, start, end int, strict bool) error {
	from := int64(start) * PieceLength
	b, err := s.part(ctx, p, a, from, min(int64(end)*PieceLength, a.size)-from)
	if b != nil {
		defer b.close()
	}
	if err == errNoRanges && start == 0 && end == len(w.want.Sums) {
		err = nil // the whole file is what was asked for
	}
	if err != nil {
		return err
	}
	if s.buf == nil {
		s.buf = make([]byte, PieceLength)
	}
	for i := start; i < end; i++ {
		piece := s.buf[:w.want.length(i)]
		if _, err := io.ReadFull(b, piece); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		verified := i == start || strict
		if verified && sha256.Sum256(piece) != w.want.Sums[i] {
			return wrongPiece(i)
		}
		if err := c.hand(ctx, s, pieceArrived{s, w, i, piece, verified}); err != nil {
			if err == errStop {
				err = nil
			}
			return err
		}
	}
	// Reading the end of the body frees the connection for the next request.
	_, _ = b.Read(s.buf[:1])
	return nil
}

func wrongPiece(i int) error { return fmt.Errorf("%w: piece %d", ferry.ErrDigest, i) }

// errStop tells the goroutine of a request to end.
var errStop = errors.New("fetch: stop")

// hand sends an event that the call answers, and returns the answer.
func (c *call) hand(ctx context.Context, s *source, e event) error {
	if !c.send(e) {
		return context.Cause(ctx)
	}
	select {
	case err := <-s.reply:
		return err
	case <-c.ctx.Done():
		return context.Cause(ctx)
	}
}

// pieceArrived: a source delivered a piece.
type pieceArrived struct {
	s        *source
	w        *swarm
	piece    int
	data     []byte // until the reply
	verified bool
}

func (e pieceArrived) apply(c *call) error {
	s, w := e.s, e.w
	if c.swarm != w || s.err != nil {
		s.reply <- errStop
		return nil
	}
	s.gotOn(len(e.data))
	first, more := w.plan.arrived(s, e.verified)
	if first {
		if err := c.part.write(s, e.data, int64(e.piece)*PieceLength); err != nil {
			return err
		}
		c.progress(s)
		w.tell()
	}
	if more {
		s.reply <- nil
	} else {
		s.reply <- errStop
	}
	return nil
}

// tell tells digestWhole how many pieces are there.
func (w *swarm) tell() {
	select {
	case <-w.ready:
	default:
	}
	w.ready <- w.plan.ready
}

// ended: a source has finished a run, or failed.
type ended struct {
	s   *source
	w   *swarm
	err error
}

func (e ended) apply(c *call) error {
	s := e.s
	s.busy = false
	e.w.plan.release(s)
	switch {
	case s.err != nil: // it was dropped meanwhile
	case e.err == nil:
		s.run = min(2*s.run, maxRun)
	case e.err == errNoRanges:
		s.noRanges = true
	default:
		c.failed(time.Now(), s, e.err)
	}
	return nil
}

// digestWhole digests the file while it arrives.
func (c *call) digestWhole(w *swarm) {
	file := c.part.at.file
	w.tell()
	c.wg.Go(func() {
		sum, err := digestWhole(c.ctx, file, w.want, w.ready)
		c.send(digested{w, sum, err})
	})
}

// digestWhole reads the pieces as they become ready.
func digestWhole(ctx context.Context, file *wholefile.File, want *Pieces, ready <-chan int) (sum [32]byte, err error) {
	whole := sha256.New()
	buf := make([]byte, 128<<10) // what fits in the cache of a processor
	for at := 0; at < len(want.Sums); {
		var n int
		select {
		case n = <-ready:
		case <-ctx.Done():
			return sum, context.Cause(ctx)
		}
		for ; at < n; at++ {
			piece := io.NewSectionReader(file, int64(at)*PieceLength, int64(want.length(at)))
			if n, err := io.CopyBuffer(whole, struct{ io.Reader }{piece}, buf); err != nil || n < piece.Size() {
				return sum, localError{cmp.Or(err, io.ErrUnexpectedEOF)}
			}
		}
	}
	whole.Sum(sum[:0])
	return sum, nil
}

// digested: the digest of the whole is there.
type digested struct {
	w   *swarm
	sum [32]byte
	err error
}

func (e digested) apply(c *call) error {
	w := e.w
	switch {
	case e.err != nil:
		return e.err
	case c.swarm != w:
		return nil
	case e.sum == w.want.SHA256:
		if err := c.verify(e.sum, &w.want.SHA256); err != nil {
			return err
		}
		return c.finish()
	}
	w.strict = true
	var doubtful []int
	for i, st := range w.plan.state {
		if !st.verified {
			doubtful = append(doubtful, i)
		}
	}
	file := c.part.at.file
	c.wg.Go(func() {
		wrong, err := wrongPieces(c.ctx, file, w.want, doubtful)
		c.send(rechecked{w, wrong, e.sum, err})
	})
	return nil
}

// wrongPieces returns which of some pieces are wrong.
func wrongPieces(ctx context.Context, file *wholefile.File, want *Pieces, pieces []int) (wrong []int, err error) {
	buf := make([]byte, min(PieceLength, want.Size))
	for _, i := range pieces {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		b := buf[:want.length(i)]
		if _, err := file.ReadAt(b, int64(i)*PieceLength); err != nil {
			return nil, localError{err}
		}
		if sha256.Sum256(b) != want.Sums[i] {
			wrong = append(wrong, i)
		}
	}
	return wrong, nil
}

// rechecked: it is known which pieces are wrong.
type rechecked struct {
	w     *swarm
	wrong []int
	sum   [32]byte // of the whole
	err   error
}

func (e rechecked) apply(c *call) error {
	w := e.w
	if e.err != nil || c.swarm != w {
		return e.err
	}
	for i := range w.plan.state {
		w.plan.state[i].verified = true
	}
	for _, i := range e.wrong {
		s := w.plan.reject(i)
		c.part.reject(s, w.want.length(i))
		c.progress(s)
		if s.err == nil {
			c.note(s, wrongPiece(i), false)
		}
	}
	if len(e.wrong) == 0 { // the list contradicts itself
		c.part.discard()
		c.endSwarm(c.verify(e.sum, &w.want.SHA256))
		return nil
	}
	c.digestWhole(w)
	return nil
}
