package directory

import "sync"

// Stats says what a directory did.
type Stats struct {
	// Received and Sent count datagrams. Sent includes Retransmitted: fragments of answers
	// that were not acknowledged in time. Received includes Duplicates, which had been
	// accepted before, and ignored datagrams: Unexpected could not be decoded or did not fit
	// the exchange, and Unsolicited came from an address that takes no part.
	Received, Duplicates, Unexpected, Unsolicited uint64
	Sent, Retransmitted                           uint64

	// Valid requests, by type, and requests of all types that were refused. A look-up of a
	// file that no peer has counts as refused.
	Updates, Lookups, Exits, Views uint64
	Refused                        uint64

	// Answered counts answers that were acknowledged completely. Unconfirmed counts the
	// others: they may have arrived.
	Answered, Unconfirmed uint64

	// Expired counts peers that were silent for too long. Evicted counts requests and peers
	// that made room for others.
	Expired, Evicted uint64
}

// add returns the sums of two Stats.
func (s Stats) add(t Stats) Stats {
	return Stats{
		Received: s.Received + t.Received, Duplicates: s.Duplicates + t.Duplicates,
		Unexpected: s.Unexpected + t.Unexpected, Unsolicited: s.Unsolicited + t.Unsolicited,
		Sent: s.Sent + t.Sent, Retransmitted: s.Retransmitted + t.Retransmitted,
		Updates: s.Updates + t.Updates, Lookups: s.Lookups + t.Lookups, Exits: s.Exits + t.Exits, Views: s.Views + t.Views,
		Refused: s.Refused + t.Refused, Answered: s.Answered + t.Answered, Unconfirmed: s.Unconfirmed + t.Unconfirmed,
		Expired: s.Expired + t.Expired, Evicted: s.Evicted + t.Evicted,
	}
}

// statsSum is the Stats of all calls of a Server. The zero value is empty.
type statsSum struct {
	mu  sync.Mutex
	sum Stats
}

// take adds what a call did since it was last asked.
func (s *statsSum) take(t *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum = s.sum.add(*t)
	*t = Stats{}
}

func (s *statsSum) get() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}
