package fetch

import "testing"

// run takes a run for s, which must be from start to end.
func (p *plan) run(t *testing.T, s *source, start, end int) {
	t.Helper()
	a, b, ok := p.take(s, s.run)
	if !ok || a != start || b != end {
		t.Fatalf("take = %d, %d, %v; want %d, %d", a, b, ok, start, end)
	}
}

// store notes that the piece that s is at arrived, and reports whether s goes on.
func (p *plan) store(t *testing.T, s *source, first bool) (more bool) {
	t.Helper()
	piece := p.runs[s].at
	got, more := p.arrived(s, false)
	if got != first {
		t.Fatalf("piece %d: first = %v", piece, got)
	}
	return more
}

func TestPlan(t *testing.T) {
	a, b, c := &source{run: firstRun}, &source{run: firstRun}, &source{run: firstRun}
	p := newPlan(9)
	p.have(2)
	p.run(t, a, 0, 2) // up to what is there
	p.run(t, b, 3, 7)
	p.run(t, c, 7, 9)
	if !p.store(t, a, true) || p.store(t, a, true) {
		t.Error("the run of a ends after two pieces")
	}
	if p.ready != 3 || p.left != 6 {
		t.Errorf("ready %d, left %d", p.ready, p.left)
	}
	// Nothing is left to give: half of the longest run.
	p.run(t, a, 5, 7)
	if !p.store(t, b, true) || p.store(t, b, true) {
		t.Error("the rest of b's run was not taken away")
	}
	// What a source gives back is given to the next.
	p.release(c)
	p.run(t, b, 7, 9)
	p.store(t, b, true)
	p.store(t, b, true)
	// A piece that another is at, too: the first to have it wins.
	p.store(t, a, true)
	p.run(t, b, 6, 7)
	p.store(t, b, true)
	p.store(t, a, false)
	if p.left != 0 || p.ready != 9 || len(p.runs) != 0 {
		t.Errorf("left %d, ready %d, runs %v", p.left, p.ready, p.runs)
	}
	if _, _, ok := p.take(a, firstRun); ok {
		t.Error("there is something left to take")
	}
}

// TestPlanRejects: a wrong piece is fetched again, and stored again.
func TestPlanRejects(t *testing.T) {
	a, b := &source{run: firstRun}, &source{run: firstRun}
	p := newPlan(4)
	p.run(t, a, 0, 4)
	for range 4 {
		p.store(t, a, true)
	}
	p.reject(1)
	p.reject(3)
	if p.left != 2 || p.ready != 1 || p.state[0].from != a || p.state[1].from != nil {
		t.Fatalf("left %d, ready %d, %+v", p.left, p.ready, p.state)
	}
	p.run(t, b, 1, 2)
	p.run(t, a, 3, 4)
	p.store(t, b, true)
	p.store(t, a, true)
	if p.left != 0 || p.ready != 4 || p.state[1].from != b {
		t.Errorf("left %d, ready %d, %+v", p.left, p.ready, p.state)
	}
}

// TestPlanRejectsBesideACopy: a piece that is rejected while another source fetches a copy
// is done when the copy arrives.
func TestPlanRejectsBesideACopy(t *testing.T) {
	a, b := &source{run: firstRun}, &source{run: firstRun}
	p := newPlan(2)
	p.run(t, a, 0, 2)
	p.store(t, a, true)
	p.run(t, b, 1, 2)
	p.store(t, a, true)
	if p.reject(1) != a || p.left != 1 {
		t.Fatal("not rejected")
	}
	p.store(t, b, true)
	if p.left != 0 || p.ready != 2 || p.state[1].from != b {
		t.Errorf("left %d, ready %d", p.left, p.ready)
	}
}

// TestPlanTakesNothingTwice: the copy of a piece that is there already is nothing to
// take over, however long its source takes for it.
func TestPlanTakesNothingTwice(t *testing.T) {
	a, b, c := &source{run: firstRun}, &source{run: firstRun}, &source{run: firstRun}
	p := newPlan(2)
	a.run, c.run = 1, 1
	p.run(t, a, 0, 1)
	p.run(t, c, 1, 2)
	p.run(t, b, 0, 1) // as a is at it, too
	p.store(t, b, true)
	p.run(t, b, 1, 2)
	p.release(b)
	p.run(t, b, 1, 2)
	d := &source{run: firstRun}
	if start, end, ok := p.take(d, firstRun); ok {
		t.Errorf("there is something to take: %d to %d", start, end)
	}
}
