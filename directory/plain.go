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

// A plainPart is what is there of a file from servers without piece lists.
type plainPart struct {
	file      *wholefile.File
	have      int64     // bytes, from the beginning
	validator string    // of the version that they are of; if empty, nothing can be added
	from      *supplier // who has delivered all of them; nil: more than one, or not this fetch
}

// plain fetches from servers without piece lists, one after the other: nothing says
// that two have the same file, unless their validators do. have is the length of what
// is there; it is of use if the validator that was kept beside it is known.
func (g *fetching) plain(ctx context.Context, file *wholefile.File, have int64, group []*supplier) error {
	p := &plainPart{file: file, validator: g.loadValidator()}
	if p.validator != "" {
		p.have = have
	}
	g.chosen(group[0].size, p.have, g.fetcher.SHA256 != nil || group[0].digest != nil)
	var errs []error
	for _, s := range group {
		err := g.plainFrom(ctx, p, s)
		switch {
		case err == nil, isLocal(err):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		errs = append(errs, g.dropped(s))
	}
	return errors.Join(errs...)
}

// plainFrom fetches what is lacking from one source, until it has failed too often.
func (g *fetching) plainFrom(ctx context.Context, p *plainPart, s *supplier) error {
	for {
		err := g.plainOnce(ctx, p, s)
		if err == nil {
			return nil
		}
		g.useless = p.have == 0 || p.validator == ""
		if ctx.Err() != nil || isLocal(err) || !g.failed(ctx, s, err) {
			return err
		}
	}
}

// plainOnce makes one request for what is lacking, and verifies the whole. If that is
// wrong, whoever is next begins anew: this source itself, where not all is its own.
func (g *fetching) plainOnce(ctx context.Context, p *plainPart, s *supplier) error {
	if err := g.plainRest(ctx, p, s); err != nil {
		return err
	}
	err := g.plainDone(p, s)
	if errors.Is(err, ErrDigest) {
		p.validator = ""
		if p.from != s {
			s.reached = 0
			return g.plainOnce(ctx, p, s)
		}
	}
	return err
}

// plainRest fetches what is lacking, if anything is.
func (g *fetching) plainRest(ctx context.Context, p *plainPart, s *supplier) error {
	if p.validator != "" && p.have == s.size && s.etag == p.validator {
		return nil // all is there
	}
	b, offset, err := s.rest(ctx, p.have, p.validator)
	if err != nil {
		return err
	}
	defer b.close()
	if err := g.fetcher.check(s); err != nil {
		return err
	}
	if offset == 0 && p.have > 0 {
		// From the beginning: it is another version, or there are no ranges.
		g.chosen(s.size, 0, g.fetcher.SHA256 != nil || s.digest != nil)
	}
	p.begin(s, offset)
	if err := g.startPlain(p); err != nil {
		return localError{err}
	}
	return g.receive(p, s, b)
}

// begin notes that s delivers what follows the first offset bytes.
func (p *plainPart) begin(s *supplier, offset int64) {
	switch {
	case offset == 0:
		p.from = s
	case p.from != s:
		p.from = nil
	}
	p.have, p.validator = offset, s.etag
}

// startPlain makes the part as long as what of it counts, and keeps the validator
// beside it.
func (g *fetching) startPlain(p *plainPart) error {
	if p.have == 0 {
		// In this order: what is there never has a validator that it does not belong
		// to.
		g.forgetValidator()
	}
	if err := p.file.Truncate(p.have); err != nil {
		return err
	}
	if p.validator == "" {
		return nil
	}
	return g.root.WriteFile(g.validatorName(), []byte(p.validator), 0o600)
}

// receive writes a body to the file.
func (g *fetching) receive(p *plainPart, s *supplier, b *body) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := b.Read(buf)
		if n > 0 {
			if p.have+int64(n) > g.fetcher.maxSize() {
				return ErrTooLarge // only a body of unknown length gets here
			}
			if _, err := p.file.WriteAt(buf[:n], p.have); err != nil {
				return localError{err}
			}
			p.have += int64(n)
			if p.have > s.reached { // else it was here before, and failed then
				s.reached, s.failures = p.have, 0
			}
			g.mu.Lock()
			g.progress(s, n, p.have)
			g.mu.Unlock()
		}
		switch {
		case err == io.EOF && s.size >= 0 && p.have < s.size:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// plainDone verifies what can be.
func (g *fetching) plainDone(p *plainPart, s *supplier) error {
	g.mu.Lock()
	g.report.Size = p.have
	g.mu.Unlock()
	sum, err := sumOf(p.file, p.have)
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
