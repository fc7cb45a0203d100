package p2mp

// A sizeSearch finds how long the packets are that arrive while no chunk does: POLLs are
// filled up to the length of a chunk first, and then to lengths between one that arrived
// and one that did not. It sends few packets: one with each probe of a backoff.
type sizeSearch struct {
	number uint32 // of the POLL that is filled up; 0: none is under way
	length int    // of the packet that it is in
	fits   int    // packets of this length arrive,
	lost   int    // and those of this length do not; 0: not known
	whole  bool   // one as long as a chunk arrives: the length is not the reason
}

const (
	// searchAfter is how many probes are lost before the search begins.
	searchAfter = 2
	// searchGrain is how close fits and lost come to each other.
	searchGrain = 8
)

// next returns the length of the next POLL, 0 if there is nothing to find out. chunk is
// the length of a packet with a full chunk.
func (s *sizeSearch) next(chunk int) int {
	s.fits = max(s.fits, helloMin) // a HELLO has arrived
	switch {
	case s.whole || chunk <= s.fits:
		return 0
	case s.lost == 0:
		return chunk
	case s.lost-s.fits <= searchGrain:
		return 0
	}
	return (s.fits + s.lost) / 2
}

// asked notes that a POLL was filled up.
func (s *sizeSearch) asked(number uint32, length int) { s.number, s.length = number, length }

// answered takes the number of a POLL that was answered. The one that is filled up is
// sent right before one that is not.
func (s *sizeSearch) answered(number uint32) {
	switch {
	case s.number == 0 || number < s.number:
		return
	case number == s.number && s.lost == 0:
		s.whole = true
	case number == s.number:
		s.fits = s.length
	default:
		s.lost = s.length
	}
	s.number = 0
}
