package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/wholefile"
)

// startPlain fetches what is missing from a source without a piece list. Such sources
// are used one after the other: only their validators, or a digest, say that two have
// the same file.
func (c *call) startPlain(s *source) error {
	c.plain, c.lastPlain = s, s
	tells := c.fetcher.SHA256 != nil || s.about.digest != nil
	from, validator := c.part.continuation(s.about, tells)
	if from > 0 && from == s.about.size && (tells || validator == s.about.validator) {
		c.digestPlain(s) // everything is there
		return nil
	}
	p := c.pace(c.plainStall())
	c.request(s, func(ctx context.Context) event {
		return plainEnded{s, c.receiveRest(ctx, s, p, from, validator)}
	})
	return nil
}

// plainStall is how long a source may stall: less than usual if many others wait, so
// that all have their turn within a minute.
func (c *call) plainStall() time.Duration {
	n := 0
	for _, s := range c.sources {
		if s.has && s.about.pieces == nil {
			n++
		}
	}
	stall := c.fetcher.stall()
	return min(stall, max(time.Minute/time.Duration(max(n, 1)), 3*time.Second))
}

// receiveRest receives everything from an offset on.
func (c *call) receiveRest(ctx context.Context, s *source, p pace, from int64, validator string) error {
	b, a, offset, err := s.rest(ctx, p, from, validator)
	if err != nil {
		return err
	}
	defer b.close()
	if err := c.hand(ctx, s, opened{s, a, offset}); err != nil {
		return err
	}
	if s.buf == nil {
		s.buf = make([]byte, PieceLength)
	}
	buf, at := s.buf[:256<<10], offset
	for {
		n, err := b.Read(buf)
		if n > 0 {
			at += int64(n)
			if err := c.hand(ctx, s, chunkArrived{s, buf[:n]}); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && a.size >= 0 && at < a.size:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// opened: a source begins to deliver, from an offset on.
type opened struct {
	s      *source
	about  about
	offset int64
}

func (e opened) apply(c *call) error {
	s := e.s
	if err := c.fetcher.check(e.about); err != nil {
		s.reply <- err
		return nil
	}
	s.about = e.about
	if e.offset == 0 {
		if err := c.part.restart(); err != nil {
			return err
		}
	}
	if err := c.part.deliveredBy(s, e.about.validator); err != nil {
		return err
	}
	c.started(e.about.size, c.fetcher.SHA256 != nil || e.about.digest != nil)
	s.reply <- nil
	return nil
}

// chunkArrived: a source delivered the next bytes.
type chunkArrived struct {
	s    *source
	data []byte // until the reply
}

func (e chunkArrived) apply(c *call) error {
	s, at := e.s, c.part.at.have
	bound := c.fetcher.maxSize()
	if s.about.size < 0 {
		bound = c.fetcher.maxStream()
	}
	if at > bound-int64(len(e.data)) {
		s.reply <- ferry.ErrTooLarge
		return nil
	}
	if err := c.part.write(s, e.data, at); err != nil {
		return err
	}
	if at = c.part.at.have; at > s.reached { // or else it was here before, and failed then
		s.reached = at
		s.gotOn(len(e.data))
	}
	c.progress(s)
	s.reply <- nil
	return nil
}

// plainEnded: a source has delivered everything, or failed.
type plainEnded struct {
	s   *source
	err error
}

func (e plainEnded) apply(c *call) error {
	s := e.s
	s.busy = false
	if e.err != nil {
		c.plain = nil
		if errors.Is(e.err, ferry.ErrTooLarge) {
			c.part.discard() // nobody may have the rest
		}
		c.failed(time.Now(), s, e.err)
		return nil
	}
	c.digestPlain(s)
	return nil
}

// digestPlain digests the whole file.
func (c *call) digestPlain(s *source) {
	file, size := c.part.at.file, c.part.at.have
	c.wg.Go(func() {
		sum, err := sumOf(c.ctx, file, size)
		c.send(plainDigested{s, sum, err})
	})
}

// sumOf returns the digest of the first size bytes of a file.
func sumOf(ctx context.Context, file *wholefile.File, size int64) (sum [32]byte, err error) {
	h := sha256.New()
	buf := make([]byte, 128<<10)
	for at := int64(0); at < size; at += int64(len(buf)) {
		if ctx.Err() != nil {
			return sum, context.Cause(ctx)
		}
		b := buf[:min(size-at, int64(len(buf)))]
		if n, err := file.ReadAt(b, at); n < len(b) {
			return sum, localError{err}
		}
		h.Write(b)
	}
	h.Sum(sum[:0])
	return sum, nil
}

// plainDigested: the digest of the whole is there.
type plainDigested struct {
	s   *source
	sum [32]byte
	err error
}

func (e plainDigested) apply(c *call) error {
	if e.err != nil {
		return e.err
	}
	s := e.s
	c.plain = nil
	err := c.verify(e.sum, s.about.digest)
	if err == nil {
		c.report.Size = c.part.at.have
		return c.finish()
	}
	// The next source begins again: this one, if a part came from elsewhere.
	own := c.part.at.from == s
	c.part.discard()
	if own {
		c.failed(time.Now(), s, err)
		return nil
	}
	s.reached = 0
	return c.startPlain(s)
}
