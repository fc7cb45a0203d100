package p2mp

import (
	"fmt"
	"testing"
	"time"
)

// newCrowd returns a crowd of some members with windows, and the peers that they are.
func newCrowd(now time.Time, windows ...int) (*crowd, []peer) {
	c := &crowd{state: sendingCrowd, next: 1}
	peers := make([]peer, len(windows))
	for i, w := range windows {
		peers[i].stage = extended
		peers[i].flight.begin(now, 0, w, 64, 10*time.Millisecond)
		c.members = append(c.members, i)
	}
	return c, peers
}

// post has chunks up to n sent to the group.
func (c *crowd) post(t *testing.T, now time.Time, peers []peer, n uint32) {
	t.Helper()
	for c.next <= n {
		c.credit = 1
		seq, to, ok, _ := c.pick(peers, n)
		if !ok || to != everybody || seq != c.next {
			t.Fatalf("pick = %d to %d, %v; want %d to everybody", seq, to, ok, c.next)
		}
		c.posted(now, peers, seq, to)
	}
}

// poll has all members asked, and those answer that are given: with what they hold.
func (c *crowd) poll(now time.Time, peers []peer, answers map[int]status) (concluded bool) {
	number := c.number + 1
	for _, i := range c.members {
		peers[i].flight.askedAs(now, number)
	}
	c.asked(now, number, len(c.members))
	for i := range peers {
		s, ok := answers[i]
		if !ok {
			continue
		}
		s.number = number
		if m, ok := peers[i].flight.answer(now.Add(10*time.Millisecond), &s); ok {
			concluded = c.answered(now.Add(10*time.Millisecond), peers, m)
		}
	}
	return concluded
}

// holding is a status of one who holds all chunks up to cum, and some of the next ones.
func holding(cum uint32, bits byte) status { return status{cum: cum, held: []byte{bits}} }

// TestCrowdRepairs: what one member lacks goes to that one, what several lack to all, and
// nothing before all have had their say.
func TestCrowdRepairs(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100, 100)
	c.post(t, now, peers, 10)
	// Chunk 2 is lost for 0 and 1, chunk 5 for 2.
	concluded := c.poll(now, peers, map[int]status{0: holding(1, 0xff), 1: holding(1, 0xff), 2: holding(4, 0xf8)})
	if !concluded {
		t.Error("all have answered, and the round is not concluded")
	}
	c.lack(peers, false)
	if got := fmt.Sprint(c.repairs); got != "[{2 -1} {5 2}]" {
		t.Fatalf("to be sent again: %s", got)
	}
	for _, want := range []repair{{2, everybody}, {5, 2}} {
		seq, to, ok, _ := c.pick(peers, 10)
		if !ok || seq != want.seq || to != want.to {
			t.Fatalf("pick = %d to %d, %v; want %+v", seq, to, ok, want)
		}
		c.posted(now, peers, seq, to)
	}
	if _, _, ok, full := c.pick(peers, 10); ok || full {
		t.Error("there is something left to send")
	}
	if c.settled(peers, true) || peers[2].flight.underWay != 1 || peers[0].flight.underWay != 1 {
		t.Errorf("under way: %d, %d, %d", peers[0].flight.underWay, peers[1].flight.underWay, peers[2].flight.underWay)
	}
	// One member does not answer: chunks that it may also lack wait for its answer.
	c.poll(now, peers, map[int]status{0: holding(1, 0xff), 2: holding(10, 0)})
	if c.lack(peers, false); len(c.repairs) != 0 {
		t.Errorf("to be sent again, with 1 still silent: %v", c.repairs)
	}
	if c.lack(peers, true); fmt.Sprint(c.repairs) != "[{2 0}]" {
		t.Errorf("to be sent again at once: %v", c.repairs)
	}
	peers[1].flight.silent = 1 // it is late
	if c.lack(peers, false); fmt.Sprint(c.repairs) != "[{2 0}]" {
		t.Errorf("to be sent again, with 1 late: %v", c.repairs)
	}
	// By the next poll the chunk has come after all.
	c.poll(now, peers, map[int]status{0: holding(10, 0), 1: holding(10, 0), 2: holding(10, 0)})
	if seq, _, ok, _ := c.pick(peers, 10); ok {
		t.Errorf("chunk %d is sent again, which all hold", seq)
	}
	if !c.settled(peers, true) || c.waiting(peers) {
		t.Error("all hold everything, and it does not show")
	}
}

// TestCrowdReminded: the answer to a POLL by unicast, with a number that was not sent to the
// others, says nothing about chunks that were sent later.
func TestCrowdReminded(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100)
	c.post(t, now, peers, 4)
	c.poll(now, peers, map[int]status{1: holding(4, 0)})
	f := &peers[0].flight
	s := holding(4, 0)
	s.number = f.asked(now)
	c.post(t, now, peers, 8)
	f.answer(now, &s)
	if f.missing != 0 || f.underWay != 4 {
		t.Errorf("%d chunks under way and %d missing, want 4 and 0", f.underWay, f.missing)
	}
}

// TestCrowdRepairOfOne: a chunk that is retransmitted to one member is neither sent nor
// recorded for another.
func TestCrowdRepairOfOne(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100)
	c.post(t, now, peers, 4)
	c.poll(now, peers, map[int]status{0: holding(1, 0xff), 1: holding(1, 0xff)})
	c.repairs = []repair{{2, 1}}
	c.posted(now, peers, 2, 1)
	if a, b := &peers[0].flight, &peers[1].flight; !a.lacks(2) || b.lacks(2) {
		t.Error("noted for the wrong one")
	}
	c.repairs = []repair{{2, 1}}
	if seq, to, ok, _ := c.pick(peers, 4); ok {
		t.Errorf("pick = %d to %d, which does not lack it", seq, to)
	}
}

// TestCrowdLate: the group does not wait for a member whose answer is late, and the
// member's earlier answers do not count.
func TestCrowdLate(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100, 100)
	c.post(t, now, peers, 10)
	peers[2].flight.silent = 1
	for i, rate := range []float64{300, 200, 100} {
		peers[i].flight.cc.delivers(rate)
	}
	if !c.poll(now, peers, map[int]status{0: holding(10, 0), 1: holding(10, 0)}) {
		t.Error("nobody else owes an answer in time, and what is lacking is not worked out")
	}
	if c.waiting(peers) || c.concluded != 0 {
		t.Errorf("waiting %v, concluded %d", c.waiting(peers), c.concluded)
	}
	c.poll(now.Add(time.Second), peers, map[int]status{0: holding(10, 0)})
	if c.concluded != 1 || c.cc.measured != 200 {
		t.Errorf("round %d is concluded, the rate is %v; want 1 and 200", c.concluded, c.cc.measured)
	}
	// The late answer concludes the round no second time.
	s := holding(10, 0)
	s.number = 1
	if m, ok := peers[2].flight.answer(now.Add(2*time.Second), &s); !ok || !c.answered(now, peers, m) || c.rounds[1].got != 2 {
		t.Errorf("%v, %+v", ok, c.rounds[1])
	}
}

// TestCrowdSlowest: the slowest member is the one with a queue on its path, unless another
// member's rate is far lower. There is no slowest member while an answer is late.
func TestCrowdSlowest(t *testing.T) {
	type member struct {
		rate   float64
		queue  time.Duration
		silent int
	}
	for _, tt := range []struct {
		name    string
		members []member
		want    int // -1: none
	}{
		{"the longest queue", []member{{1000, 1, 0}, {1000, 3, 0}, {1000, 2, 0}}, 1},
		{"as long a queue", []member{{1000, 0, 0}, {1000, 0, 0}}, 0},
		{"measured by chance", []member{{1000, 1, 0}, {1249, 3, 0}}, 1},
		{"far below", []member{{1000, 1, 0}, {1251, 2, 0}}, 0},
		{"far below, without a queue", []member{{1000, 1, 0}, {1251, 50, 0}}, 1},
		{"late", []member{{1000, 3, 1}, {2000, 1, 0}, {2000, 2, 0}}, -1},
		{"all are late", []member{{1000, 3, 1}, {2000, 1, 1}}, -1},
	} {
		c, peers := newCrowd(time.Unix(1000, 0), make([]int, len(tt.members))...)
		c.cc.minRTT, c.cc.measured = time.Second, 1000 // probing exceeds it by a quarter
		for i, m := range tt.members {
			f := &peers[i].flight
			f.cc.minRTT = f.timer.SRTT() - m.queue*time.Millisecond
			f.cc.measured, f.silent = m.rate, m.silent
		}
		got, ok := c.slowest(peers)
		if !ok {
			got = -1
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestCrowdLimited: a rate that is measured while there is little to send does not count,
// in that round only.
func TestCrowdLimited(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100)
	c.cc.delivers(500)
	for i, want := range []float64{500, 0} { // rounds that are limited keep what is known
		c.limited = i == 0
		c.cc.delivers(500)
		c.post(t, now, peers, uint32(i+1))
		c.poll(now, peers, map[int]status{0: holding(uint32(i+1), 0), 1: holding(uint32(i+1), 0)})
		if got := c.cc.best[c.cc.round%rateMemory]; got != want || c.limited {
			t.Errorf("round %d: %v is kept, want %v; limited %v", i, got, want, c.limited)
		}
		now = now.Add(time.Second)
	}
}

// TestCrowdSilence: a silence of all members counts against none of them, and ends for all
// when one answers.
func TestCrowdSilence(t *testing.T) {
	c, peers := newCrowd(time.Unix(1000, 0), 100, 100)
	peers[0].flight.silent = 5
	if c.silence(peers) != 0 {
		t.Error("one is heard")
	}
	c.broken(peers)
	if got := peers[0].flight.silent; got != 5 {
		t.Errorf("silent: %d", got)
	}
	peers[1].flight.silent, peers[1].flight.underWay = 4, 7
	if c.silence(peers) != 4 || c.underWay(peers) != 7 {
		t.Errorf("silence %d, under way %d", c.silence(peers), c.underWay(peers))
	}
	c.broken(peers)
	if a, b := peers[0].flight.silent, peers[1].flight.silent; a != 1 || b != 1 {
		t.Errorf("silent: %d, %d", a, b)
	}
}

// TestCrowdWindow: no member is sent a chunk beyond its window.
func TestCrowdWindow(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 4)
	c.post(t, now, peers, 4)
	if seq, _, ok, full := c.pick(peers, 10); ok || !full {
		t.Errorf("pick = %d, %v, full %v", seq, ok, full)
	}
	c.poll(now, peers, map[int]status{0: holding(4, 0), 1: holding(3, 0)})
	c.lack(peers, false)
	if seq, to, ok, _ := c.pick(peers, 10); !ok || seq != 4 || to != 1 {
		t.Errorf("pick = %d to %d, %v", seq, to, ok)
	}
}

// TestCrowdRounds: a poll whose answers are lost in part is concluded by those to a later
// one, and none twice.
func TestCrowdRounds(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100, 100)
	c.post(t, now, peers, 10)
	if c.poll(now, peers, map[int]status{0: holding(10, 0)}) {
		t.Error("concluded with one answer of three")
	}
	if c.concluded != 0 {
		t.Errorf("round %d is concluded", c.concluded)
	}
	now = now.Add(time.Second)
	if !c.poll(now, peers, map[int]status{1: holding(10, 0)}) || c.concluded != 1 {
		t.Errorf("round %d is concluded, want 1", c.concluded)
	}
	now = now.Add(time.Second)
	if !c.poll(now, peers, map[int]status{0: holding(10, 0), 1: holding(10, 0), 2: holding(10, 0)}) || c.concluded != 3 {
		t.Errorf("round %d is concluded, want 3", c.concluded)
	}
}

func TestCrowdParts(t *testing.T) {
	for _, tt := range []struct{ members, window, want int }{
		{2, 8192, 1}, {32, 8192, 1}, {33, 8192, 2}, {1000, 8192, 21}, {1000, 100, 1}, {10_000, 8192, 21},
	} {
		c := crowd{members: make([]int, tt.members)}
		if got := c.parts(tt.window); got != tt.want {
			t.Errorf("%d members, window %d: %d parts, want %d", tt.members, tt.window, got, tt.want)
		}
	}
}

// TestCrowdWorst: of a round the highest loss counts, what all lost, and the longest round
// trip; and the congestion control learns of how many that is.
func TestCrowdWorst(t *testing.T) {
	var r round
	r.add(sample{poll: 1, delivered: 90, lost: 10, lostByAll: 10, rtt: 5, underWay: 3})
	r.add(sample{poll: 1, delivered: 9, lost: 2, lostByAll: 2, rtt: 3, underWay: 7})
	r.add(sample{poll: 1, delivered: 99, lost: 1, lostByAll: 1, rtt: 4})
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100, 100)
	c.cc.ends = 100
	c.conclude(now, peers, &r)
	if c.cc.roundOf != 3 || c.cc.roundOut != 2 || c.cc.roundAll != 1 {
		t.Errorf("%d lost, %d by all of %d", c.cc.roundOut, c.cc.roundAll, c.cc.roundOf)
	}
	if w := r.worst; w.delivered != 9 || w.lost != 2 || w.lostByAll != 1 || w.rtt != 5 || w.underWay != 7 || r.got != 3 {
		t.Errorf("%+v", r)
	}
}

// TestFlightOverhears: what a receiver has heard though it was meant for others is not
// sent to it.
func TestFlightOverhears(t *testing.T) {
	now := time.Unix(1000, 0)
	var f flight
	f.begin(now, 0, 20, 64, time.Millisecond)
	f.overheard = 12
	s := holding(2, 0b1011_0000) // 1, 2, 4, 6, 7
	if !f.plausible(&s) {
		t.Fatal("not believed")
	}
	f.answer(now, &s)
	var sent []uint32
	for range 10 {
		what, seq := f.pick(10)
		if what != newChunk {
			break
		}
		sent = append(sent, seq)
		f.sent(now, seq)
	}
	if got := fmt.Sprint(sent); got != "[3 5 8 9 10]" {
		t.Errorf("sent %s", got)
	}
	f.overheard = 0
	if s := holding(15, 0); !f.plausible(&s) || s.cum != 10 {
		t.Errorf("it holds %d, want what was sent", s.cum)
	}
}

// TestCrowdSlack: the group is sent as much at once as the smallest buffer takes.
func TestCrowdSlack(t *testing.T) {
	now := time.Unix(1000, 0)
	c, peers := newCrowd(now, 100, 100, 100)
	for i, slack := range []int{150, 100, 192} {
		peers[i].stage, peers[i].flight.grouped = extended, true
		peers[i].flight.cc.slack, peers[i].flight.answered = slack, 1
	}
	c.state, c.asks = askingCrowd, 1
	s := sending{crowd: *c, peers: peers, report: Report{Peers: make([]PeerReport, 3)}}
	if _, err := s.askAround(now); err != nil || s.crowd.state != sendingCrowd || s.crowd.cc.slack != 100 {
		t.Errorf("state %d, slack %d, %v; want 100", s.crowd.state, s.crowd.cc.slack, err)
	}
}
