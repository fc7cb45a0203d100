package fetch

// A plan decides which source fetches which pieces. It reads no socket and no clock.
//
// A source is given a run of consecutive pieces, so that a request costs little: few
// pieces at first, and more after each run that it completed. When every piece is in a
// run, a source that has nothing to do takes the second half of the longest run of
// another. So the end is not delayed by a slow source. A run of one piece is not
// divided: both sources fetch the piece, and the first copy counts.
type plan struct {
	state []pieceState
	first int // no piece before this one is missing
	ready int // every piece before this one is done
	left  int // pieces that are not done
	runs  map[*source]*pieceRun
}

type pieceState struct {
	done     bool
	verified bool    // by its own digest
	takers   uint8   // the number of runs that hold it
	from     *source // who delivered it; nil: it was there before
}

// A pieceRun is what one source has to fetch: at is the piece that it fetches now.
type pieceRun struct{ at, end int }

// The lengths of runs, in pieces.
const (
	firstRun = 4
	maxRun   = 32
)

func newPlan(pieces int) *plan {
	return &plan{state: make([]pieceState, pieces), left: pieces, runs: make(map[*source]*pieceRun)}
}

// have notes that a piece is there from an earlier call, and verified.
func (p *plan) have(piece int) { p.finish(piece, nil, true) }

// take gives s a run of up to max pieces, from start up to and without end.
func (p *plan) take(s *source, max int) (start, end int, ok bool) {
	if p.left == 0 {
		return 0, 0, false
	}
	if start, end, ok = p.untaken(max); !ok {
		start, end, ok = p.split(s)
	}
	if !ok {
		return 0, 0, false
	}
	p.give(s, start, end)
	return start, end, true
}

// takeAll gives s all pieces: it cannot deliver only some of them.
func (p *plan) takeAll(s *source) { p.give(s, 0, len(p.state)) }

func (p *plan) give(s *source, start, end int) {
	for i := start; i < end; i++ {
		p.state[i].takers++
	}
	p.runs[s] = &pieceRun{start, end}
}

// untaken finds the first pieces that are in no run.
func (p *plan) untaken(max int) (start, end int, ok bool) {
	for p.first < len(p.state) && (p.state[p.first].done || p.state[p.first].takers > 0) {
		p.first++
	}
	start = p.first
	for end = start; end < len(p.state) && end-start < max; end++ {
		if p.state[end].done || p.state[end].takers > 0 {
			break
		}
	}
	return start, end, end > start
}

// split takes the second half of the longest run, or the last piece of one.
func (p *plan) split(s *source) (start, end int, ok bool) {
	var victim *pieceRun
	for other, r := range p.runs {
		if other == s || r.end-r.at == 1 && (p.state[r.at].done || p.state[r.at].takers > 1) {
			continue
		}
		if victim == nil || r.end-r.at > victim.end-victim.at || r.end-r.at == victim.end-victim.at && r.at < victim.at {
			victim = r
		}
	}
	if victim == nil {
		return 0, 0, false
	}
	if victim.end-victim.at == 1 {
		return victim.at, victim.end, true
	}
	start, end = victim.end-(victim.end-victim.at)/2, victim.end
	for i := start; i < end; i++ {
		p.state[i].takers--
	}
	victim.end = start
	return start, end, true
}

// arrived notes that s delivered the piece that it fetched. first reports whether no
// other source was faster, and more whether s shall go on with the next piece.
func (p *plan) arrived(s *source, verified bool) (first, more bool) {
	r := p.runs[s]
	if first = !p.state[r.at].done; first {
		p.finish(r.at, s, verified)
	}
	p.leave(r.at)
	if r.at++; r.at < r.end {
		return first, true
	}
	delete(p.runs, s)
	return first, false
}

func (p *plan) finish(piece int, from *source, verified bool) {
	st := &p.state[piece]
	st.done, st.verified, st.from = true, verified, from
	p.left--
	for p.ready < len(p.state) && p.state[p.ready].done {
		p.ready++
	}
}

// reject notes that a piece is wrong and must be fetched again. It returns the source
// that delivered it.
func (p *plan) reject(piece int) *source {
	st := &p.state[piece]
	from := st.from
	st.done, st.from = false, nil
	p.left++
	p.ready = min(p.ready, piece)
	if st.takers == 0 {
		p.first = min(p.first, piece)
	}
	return from
}

// release takes back what s has not fetched.
func (p *plan) release(s *source) {
	r := p.runs[s]
	if r == nil {
		return
	}
	for i := r.at; i < r.end; i++ {
		p.leave(i)
	}
	delete(p.runs, s)
}

// leave notes that one run less holds a piece.
func (p *plan) leave(piece int) {
	st := &p.state[piece]
	st.takers--
	if !st.done && st.takers == 0 {
		p.first = min(p.first, piece)
	}
}
