package fetch

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ferrygo/ferry"
)

// settle is how long other sources are waited for, after the first one that has the
// file, before it is decided which file is fetched.
const settle = 500 * time.Millisecond

// choose decides what is fetched next: the file with a piece list that most hosts have,
// or, if there is none, the file of a single source without a list.
func (c *call) choose(now time.Time) error {
	group, plain := c.majority(), c.nextPlain(now)
	pending := c.searching || slices.ContainsFunc(c.sources, (*source).isOpen)
	if group == nil && plain == nil {
		resting := slices.ContainsFunc(c.sources, (*source).isPlain)
		if pending || resting {
			return nil
		}
		return c.hopeless()
	}
	if c.settled.IsZero() {
		c.settled = now.Add(settle)
	}
	if pending && now.Before(c.settled) {
		c.wakeAt(c.settled)
		return nil
	}
	c.settled = time.Time{}
	if err := c.part.open(); err != nil {
		return err
	}
	if group != nil {
		return c.startSwarm(group)
	}
	return c.startPlain(plain)
}

// A vote is what is known of one file.
type vote struct {
	sources []*source
	hosts   map[netip.Addr]bool
}

// votes counts the sources and hosts of each file that may be fetched.
func (c *call) votes() map[key]*vote {
	votes := make(map[key]*vote)
	for _, s := range c.sources {
		if !s.has || s.err != nil || s.tried || c.tried[s.about.key()] {
			continue
		}
		v := votes[s.about.key()]
		if v == nil {
			v = &vote{hosts: make(map[netip.Addr]bool)}
			votes[s.about.key()] = v
		}
		v.sources = append(v.sources, s)
		v.hosts[s.source.host()] = true
	}
	return votes
}

// compare orders votes: a host has one, however many ports it has. Among equals the
// number of sources counts.
func (v *vote) compare(w *vote) int {
	return cmp.Or(cmp.Compare(len(v.hosts), len(w.hosts)), cmp.Compare(len(v.sources), len(w.sources)))
}

// majority returns the sources with piece lists that have the file which most hosts
// have. The file that was found first wins a tie.
func (c *call) majority() []*source {
	votes := c.votes()
	var best *vote
	for _, s := range c.sources { // in their order
		if s.about.pieces == nil {
			continue
		}
		if v := votes[s.about.key()]; v != nil && (best == nil || v.compare(best) > 0) {
			best = v
		}
	}
	if best == nil {
		return nil
	}
	return best.sources
}

// isPlain reports whether a source has a file without a piece list, and may be tried.
func (s *source) isPlain() bool {
	return s.has && s.err == nil && !s.tried && s.about.pieces == nil
}

// nextPlain returns the source without a piece list that is tried next: the one that was
// used last, unless it stalled; otherwise the one that stalled least, and among equals one
// whose file most hosts have.
func (c *call) nextPlain(now time.Time) *source {
	if last := c.lastPlain; last != nil && last.isPlain() && last.stalls == 0 {
		if now.Before(last.resting) {
			c.wakeAt(last.resting)
			return nil
		}
		return last
	}
	var best *source
	votes := c.votes()
	for _, s := range c.sources {
		if s.isPlain() && s.stalls > 0 && now.Sub(c.moved) > maxIdle {
			c.note(s, ErrStalled, false)
		}
		if !s.isPlain() {
			continue
		}
		if now.Before(s.resting) {
			c.wakeAt(s.resting)
			continue
		}
		if best == nil || s.stalls < best.stalls ||
			s.stalls == best.stalls && votes[s.about.key()].compare(votes[best.about.key()]) > 0 {
			best = s
		}
	}
	return best
}

// verify compares the digest of the file with the one that it must have. A nil want
// means that it is unknown.
func (c *call) verify(sum [32]byte, want *[32]byte) error {
	c.report.SHA256 = sum
	if c.fetcher.SHA256 != nil {
		want = c.fetcher.SHA256
	}
	if want == nil {
		return nil
	}
	if sum != *want {
		return fmt.Errorf("%w of the whole file", ferry.ErrDigest)
	}
	c.report.Verified = true
	return nil
}

// finish gives the file its name.
func (c *call) finish() error {
	if err := c.part.commit(); err != nil {
		return err
	}
	c.complete = true
	return nil
}
