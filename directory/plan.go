package directory

// A plan decides which source fetches which pieces. It reads no socket and no clock.
//
// A source is given a run of pieces that lie side by side, so that a request costs
// little: a few at first, and more each time it has done them. When nothing is left to
// give, a source that is done takes the second half of the longest run of another,
// which so never holds up the end, however slow it is; and when there is not even that,
// it fetches a piece that another is at, too, and the first to have it wins.
type plan struct {
	state []pieceState
	first int // no piece before this one is missing
	ready int // no piece before this one is not done
	left  int // pieces that are not done
	runs  map[*supplier]*pieceRun
}

type pieceState struct {
	done   bool
	stored bool      // being written, or done
	sure   bool      // done, and verified by its own digest
	takers uint8     // how many sources are at it, or have it in their run
	from   *supplier // who delivered it; nil: it was there
}

// A pieceRun is what one source has to fetch: at is the piece that it is at.
type pieceRun struct{ at, end int }

const (
	firstRun = 4  // pieces
	lastRun  = 32 // the longest
)

func newPlan(pieces int) *plan {
	return &plan{state: make([]pieceState, pieces), left: pieces, runs: make(map[*supplier]*pieceRun)}
}

// have notes that a piece is there from an earlier attempt, verified.
func (p *plan) have(piece int) { p.finish(piece, nil, true) }

// take gives s a run, from the piece start up to and without end.
func (p *plan) take(s *supplier) (start, end int, ok bool) {
	if p.left == 0 {
		return 0, 0, false
	}
	if start, end, ok = p.untaken(s.stride()); !ok {
		start, end, ok = p.split(s)
	}
	if !ok {
		return 0, 0, false
	}
	for i := start; i < end; i++ {
		p.state[i].takers++
	}
	p.runs[s] = &pieceRun{start, end}
	return start, end, true
}

// untaken finds the first pieces that nobody is at.
func (p *plan) untaken(most int) (start, end int, ok bool) {
	for p.first < len(p.state) && (p.state[p.first].done || p.state[p.first].takers > 0) {
		p.first++
	}
	start = p.first
	for end = start; end < len(p.state) && end-start < most; end++ {
		if p.state[end].done || p.state[end].takers > 0 {
			break
		}
	}
	return start, end, end > start
}

// split takes the second half of another's run; of the one piece that is left of it,
// all.
func (p *plan) split(s *supplier) (start, end int, ok bool) {
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

// claim reports whether a piece that arrived is to be stored: it is not if another
// source was faster.
func (p *plan) claim(piece int) bool {
	st := &p.state[piece]
	first := !st.stored
	st.stored = true
	return first
}

// fetched notes that s is done with the piece that it is at: that it is stored, if s
// has claimed it, and verified, if sure. It reports whether s shall go on with the next
// one.
func (p *plan) fetched(s *supplier, claimed, sure bool) (more bool) {
	r := p.runs[s]
	if claimed {
		p.finish(r.at, s, sure)
	}
	p.leave(r.at)
	if r.at++; r.at < r.end {
		return true
	}
	delete(p.runs, s)
	return false
}

func (p *plan) finish(piece int, from *supplier, sure bool) {
	st := &p.state[piece]
	st.done, st.stored, st.sure, st.from = true, true, sure, from
	p.left--
	for p.ready < len(p.state) && p.state[p.ready].done {
		p.ready++
	}
}

// reject takes back that a piece is done: it is wrong, and must be fetched again.
func (p *plan) reject(piece int) {
	st := &p.state[piece]
	st.done, st.stored, st.from = false, false, nil
	p.left++
	p.ready = min(p.ready, piece)
	if st.takers == 0 {
		p.first = min(p.first, piece)
	}
}

// release takes back what s has not fetched.
func (p *plan) release(s *supplier) {
	r := p.runs[s]
	if r == nil {
		return
	}
	for i := r.at; i < r.end; i++ {
		p.leave(i)
	}
	delete(p.runs, s)
}

// leave notes that a source is at a piece no more.
func (p *plan) leave(piece int) {
	st := &p.state[piece]
	st.takers--
	if !st.done && st.takers == 0 {
		p.first = min(p.first, piece)
	}
}
