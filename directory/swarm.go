package directory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// A swarm fetches one file from all sources that have it. What follows the blank line,
// and the file's progress, is under the mu of the fetching.
//
// To digest all that arrives twice, piece by piece and as a whole, would cost more than
// to receive it. So only the first piece of each request is verified at once, which
// finds out most who serve something else, and the whole at the end; if that is wrong,
// the pieces tell which source is to blame, and what has to be fetched again.
type swarm struct {
	g    *fetching
	key  key
	want *Pieces
	file *wholefile.File
	ctx  context.Context // ends with the swarm
	wg   sync.WaitGroup  // of its goroutines

	// writing is held to write to the file. The system lets one in at a time anyway, while
	// the others would keep processors busy that the digest needs.
	writing sync.Mutex

	plan   *plan
	alive  int   // sources that are at work
	have   int64 // bytes
	err    error // local, and the end
	strict bool  // the whole was wrong once: every piece is verified from now on
}

// swarm fetches from a group of sources with piece lists. have is the length of what is
// there.
func (g *fetching) swarm(ctx context.Context, file *wholefile.File, have int64, group []*supplier) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &swarm{g: g, key: group[0].key(), want: group[0].pieces, file: file, ctx: ctx, plan: newPlan(len(group[0].pieces.Sums))}
	if err := w.resume(ctx, have); err != nil {
		return err
	}
	g.chosen(w.want.Size, w.have, true)
	g.mu.Lock()
	// Those that have answered meanwhile belong to it, too.
	for _, s := range g.willing {
		if s.key() == w.key {
			w.supply(s)
		}
	}
	g.current = w
	g.mu.Unlock()
	sum, err := w.follow(ctx)
	cancel()
	g.mu.Lock()
	g.current = nil
	g.mu.Unlock()
	w.wg.Wait()
	if err != nil {
		g.useless = w.have == 0
		return err
	}
	return g.verify(sum, &w.want.SHA256)
}

// resume verifies what is there from an earlier attempt.
func (w *swarm) resume(ctx context.Context, have int64) error {
	buf := make([]byte, min(PieceLength, w.want.Size))
	for i := range w.want.Sums {
		if int64(i)*PieceLength >= have {
			break
		}
		if ctx.Err() != nil {
			return context.Cause(ctx) // and nothing is lost of what was not looked at
		}
		b := buf[:w.want.length(i)]
		n, err := w.file.ReadAt(b, int64(i)*PieceLength)
		if err != nil && err != io.EOF {
			return localError{err}
		}
		if n == len(b) && sha256.Sum256(b) == w.want.Sums[i] {
			w.plan.have(i)
			w.have += int64(n)
		}
	}
	if err := w.file.Truncate(w.want.Size); err != nil {
		return localError{err}
	}
	return nil
}

// supply lets a source take part. The fetching's mu is held, so that none joins when
// the swarm is over.
func (w *swarm) supply(s *supplier) {
	w.alive++
	w.wg.Go(func() { w.work(w.ctx, s) })
}

// work fetches runs from one source until the swarm is over, or the source has failed.
// When nothing is left to do it waits: a piece may turn out to be wrong.
func (w *swarm) work(ctx context.Context, s *supplier) {
	g := w.g
	g.mu.Lock()
	defer func() {
		w.alive--
		g.notify()
		g.mu.Unlock()
	}()
	var buf []byte
	for w.err == nil && !s.blamed && ctx.Err() == nil {
		start, end, ok := w.plan.take(s)
		if !ok {
			changed := g.changed
			g.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
			}
			g.mu.Lock()
			continue
		}
		g.mu.Unlock()
		if buf == nil {
			buf = make([]byte, PieceLength)
		}
		err := w.fetchRun(ctx, s, start, end, buf)
		g.mu.Lock()
		w.plan.release(s)
		g.notify()
		switch {
		case err == nil:
			s.run = min(2*s.run, lastRun)
			continue
		case isLocal(err):
			w.err = err
			return
		case s.blamed:
			return // that is said already
		}
		g.mu.Unlock()
		again := g.failed(ctx, s, err)
		g.mu.Lock()
		if !again {
			return
		}
	}
}

// fetchRun makes one request, for the pieces from start to end. It ends early when
// another source has taken over the rest.
func (w *swarm) fetchRun(ctx context.Context, s *supplier, start, end int, buf []byte) error {
	from := int64(start) * PieceLength
	b, err := s.part(ctx, from, min(int64(end)*PieceLength, w.want.Size)-from)
	if err != nil {
		return err
	}
	defer b.close()
	for i := start; ; i++ {
		piece := buf[:w.want.length(i)]
		if _, err := io.ReadFull(b, piece); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		sure := i == start || w.isStrict()
		if sure && sha256.Sum256(piece) != w.want.Sums[i] {
			return wrongPiece(i)
		}
		more, err := w.store(s, i, piece, sure)
		if err != nil {
			return err
		}
		if !more {
			// What follows the last byte is nothing; to read that frees the connection.
			if i == end-1 {
				_, _ = b.Read(buf[:1])
			}
			return nil
		}
	}
}

func wrongPiece(i int) error { return fmt.Errorf("%w: piece %d", ErrDigest, i) }

func (w *swarm) isStrict() bool {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	return w.strict
}

// store keeps a piece. It reports whether the source shall go on.
func (w *swarm) store(s *supplier, i int, piece []byte, sure bool) (more bool, err error) {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	s.failures = 0
	if !w.plan.claim(i) {
		return w.plan.fetched(s, false, false), nil
	}
	w.g.mu.Unlock()
	w.writing.Lock()
	_, err = w.file.WriteAt(piece, int64(i)*PieceLength)
	w.writing.Unlock()
	w.g.mu.Lock()
	if err != nil {
		return false, localError{err}
	}
	more = w.plan.fetched(s, true, sure)
	w.have += int64(len(piece))
	w.g.progress(s, len(piece), w.have)
	w.g.notify()
	return more, nil
}

// follow computes the digest of the whole from the file itself, as far as it is there,
// until it is whole, and again when pieces had to be fetched again. It fails when all
// sources have.
func (w *swarm) follow(ctx context.Context) (sum [32]byte, err error) {
	for {
		sum, err = w.digestWhole(ctx)
		if err != nil || sum == w.want.SHA256 {
			return sum, err
		}
		wrong, err := w.recheck(ctx)
		if err != nil || wrong == 0 { // the list contradicts itself
			return sum, err
		}
	}
}

func (w *swarm) digestWhole(ctx context.Context) (sum [32]byte, err error) {
	whole := sha256.New()
	buf := make([]byte, 128<<10) // what a processor's own cache has room for
	for at := 0; at < len(w.want.Sums); {
		ready, err := w.wait(ctx, at)
		if err != nil {
			return sum, err
		}
		for ; at < ready; at++ {
			piece := io.NewSectionReader(w.file, int64(at)*PieceLength, int64(w.want.length(at)))
			if n, err := io.CopyBuffer(whole, struct{ io.Reader }{piece}, buf); err != nil || n < piece.Size() {
				return sum, localError{cmp.Or(err, io.ErrUnexpectedEOF)}
			}
		}
	}
	whole.Sum(sum[:0])
	return sum, nil
}

// recheck verifies the pieces that are there and were not, takes back the wrong ones
// and blames those who delivered them. It returns how many are wrong.
func (w *swarm) recheck(ctx context.Context) (wrong int, err error) {
	g := w.g
	g.mu.Lock()
	w.strict = true
	g.mu.Unlock()
	buf := make([]byte, min(PieceLength, w.want.Size))
	for i := range w.want.Sums {
		g.mu.Lock()
		st := w.plan.state[i]
		g.mu.Unlock()
		if st.sure {
			continue
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		b, err := w.readPiece(i, buf)
		if err != nil {
			return 0, err
		}
		right := sha256.Sum256(b) == w.want.Sums[i]
		g.mu.Lock()
		w.plan.state[i].sure = right
		if !right {
			wrong++
			w.reject(i, len(b))
		}
		g.mu.Unlock()
	}
	return wrong, nil
}

// reject takes a wrong piece back, and drops the source that it came from. mu is held.
func (w *swarm) reject(i, n int) {
	s := w.plan.state[i].from
	w.plan.reject(i)
	w.have -= int64(n)
	w.g.progress(s, -n, w.have)
	if !s.blamed {
		s.blamed = true
		w.g.note(s, wrongPiece(i), false)
	}
	w.g.notify()
}

// readPiece reads a piece that is there, into buf.
func (w *swarm) readPiece(i int, buf []byte) ([]byte, error) {
	b := buf[:w.want.length(i)]
	if _, err := w.file.ReadAt(b, int64(i)*PieceLength); err != nil {
		return nil, localError{err}
	}
	return b, nil
}

// wait waits until more than at pieces are there, from the first on, and returns how
// many.
func (w *swarm) wait(ctx context.Context, at int) (ready int, err error) {
	g := w.g
	for {
		g.mu.Lock()
		changed := g.changed
		ready = w.plan.ready
		lost := w.plan.left > 0 && w.alive == 0 && g.asking == 0
		err := w.err
		g.mu.Unlock()
		switch {
		case err != nil:
			return 0, err
		case ctx.Err() != nil:
			return 0, context.Cause(ctx) // which is why nobody is at work
		case ready > at:
			return ready, nil
		case lost:
			return 0, w.failure()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// failure is why there is nobody left to fetch from.
func (w *swarm) failure() error {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	var errs []error
	for _, s := range w.g.willing {
		if e := w.g.report.Sources[w.g.index[s]].Err; e != nil && s.key() == w.key {
			errs = append(errs, e)
		}
	}
	if len(errs) == 0 {
		return ErrNoSource
	}
	return errors.Join(errs...)
}
