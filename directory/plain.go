package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// plain fetches from servers without piece lists, one after the other: nothing says
// that two have the same file, unless their validators do. have is the length of what
// is there; it is of use if the validator that was kept beside it is known.
func (g *fetching) plain(ctx context.Context, file *wholefile.File, have int64, group []*supplier) error {
	validator := g.loadValidator()
	if validator == "" {
		have = 0
	}
	g.chosen(group[0].size, have, g.fetcher.SHA256 != nil || group[0].digest != nil)
	var errs []error
	for _, s := range group {
		for {
			err := g.plainFrom(ctx, file, s, &have, &validator)
			if err == nil {
				return g.plainDone(file, s, have)
			}
			g.useless = have == 0 || validator == ""
			if ctx.Err() != nil || isLocal(err) {
				return err
			}
			if !g.failed(ctx, s, err) {
				errs = append(errs, g.dropped(s))
				break
			}
		}
	}
	return errors.Join(append(errs, context.Cause(ctx))...)
}

// plainFrom fetches what is lacking from one source.
func (g *fetching) plainFrom(ctx context.Context, file *wholefile.File, s *supplier, have *int64, validator *string) error {
	if *have > 0 && *have == s.size && s.etag == *validator {
		return nil // all is there
	}
	b, offset, err := s.rest(ctx, *have, *validator)
	if err != nil {
		return err
	}
	defer b.close()
	if err := g.fetcher.check(s); err != nil {
		return err
	}
	if offset == 0 && *have > 0 {
		// From the beginning: it is another version, or there are no ranges.
		g.chosen(s.size, 0, g.fetcher.SHA256 != nil || s.digest != nil)
	}
	*have, *validator = offset, s.etag
	if err := g.startPlain(file, *have, *validator); err != nil {
		return localError{err}
	}
	return g.receive(file, s, b, have)
}

// startPlain makes the part as long as what of it counts, and keeps the validator
// beside it.
func (g *fetching) startPlain(file *wholefile.File, have int64, validator string) error {
	if have == 0 {
		// In this order: what is there never has a validator that it does not belong
		// to.
		g.forgetValidator()
	}
	if err := file.Truncate(have); err != nil {
		return err
	}
	if validator == "" {
		return nil
	}
	return g.root.WriteFile(g.validatorName(), []byte(validator), 0o600)
}

// receive writes a body to the file.
func (g *fetching) receive(file *wholefile.File, s *supplier, b *body, have *int64) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := b.Read(buf)
		if n > 0 {
			if g.fetcher.MaxSize > 0 && *have+int64(n) > g.fetcher.MaxSize {
				return ErrTooLarge // only a body of unknown length gets here
			}
			if _, err := file.WriteAt(buf[:n], *have); err != nil {
				return localError{err}
			}
			*have += int64(n)
			if *have > s.reached { // else it was here before, and failed then
				s.reached, s.failures = *have, 0
			}
			g.mu.Lock()
			g.progress(s, n, *have)
			g.mu.Unlock()
		}
		switch {
		case err == io.EOF && s.size >= 0 && *have < s.size:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// plainDone verifies what can be.
func (g *fetching) plainDone(file *wholefile.File, s *supplier, have int64) error {
	g.mu.Lock()
	g.report.Size = have
	g.mu.Unlock()
	sum, err := sumOf(file, have)
	if err != nil {
		return localError{err}
	}
	return g.verify(sum, s.digest)
}

// validatorName is the file that holds the validator of a part. It is not the part's
// name with something added: that may be as long already as a name may be.
func (g *fetching) validatorName() string {
	sum := sha256.Sum256([]byte(g.as))
	return fmt.Sprintf(".%s.etag", hex.EncodeToString(sum[:8]))
}

func (g *fetching) loadValidator() string {
	b, err := g.root.ReadFile(g.validatorName())
	if err != nil || len(b) > 1024 || len(b) < 2 || b[0] != '"' {
		return ""
	}
	return string(b)
}

// forgetValidator removes the file, if it is there. If it cannot be, the next attempt
// finds the wrong validator, and begins anew.
func (g *fetching) forgetValidator() { _ = g.root.Remove(g.validatorName()) }
