package p2mp

import (
	"math"
	"net/netip"
	"slices"
	"time"
)

// A crowd decides what is sent to a multicast group. Each chunk is sent to the group once,
// and again if two or more members lack it. A chunk that one member lacks is sent to that
// member by unicast. The flight of each member records which chunks the member holds. A
// crowd reads no socket and no clock.
//
// A member leaves if it does not answer, if it receives nothing, or if it delays the
// others for long. It is then served by unicast, like receivers that the group does not
// reach. The crowd ends when all members hold all chunks of the file.
type crowd struct {
	addr    netip.AddrPort // of the group; not valid: there is none
	state   crowdState
	members []int // of sending.peers
	cc      congestion
	pacer

	next      uint32 // the lowest chunk that was never sent to the group
	sincePoll int    // chunks sent since the latest poll
	packets   int    // chunks sent to the group, each time that they were
	number    uint32 // of the latest poll
	turn      int    // which part of the members answers it
	asks      int    // polls sent while asking
	due       time.Time
	limited   bool // as in a flight
	deficit   int  // of its share of the rate
	starved   bool // the source is too slow to tell whether a member is

	heard  time.Time // when a member answered last,
	polled time.Time // and when the group was asked
	scout  int       // the member that left a crowd to which nothing arrives; noScout: none
	had    int       // and what it held then

	rounds    [pollMemory]round
	concluded uint32 // the latest round that is
	repairs   []repair
}

type crowdState uint8

const (
	gatheringCrowd crowdState = iota // until it is known who takes part
	askingCrowd                      // whom the group reaches
	sendingCrowd
	crowdOver
)

const (
	// crowdAsks is how many polls to the group a receiver leaves unanswered before it is
	// taken for one that the group does not reach.
	crowdAsks = 3
	// crowdAnswers is how many members answer a poll at most.
	crowdAnswers = 32
	// patience is how long a member may hold up the others, which have to wait for it
	// because its window is full.
	patience = time.Second
	// absence is how long a member may leave all polls unanswered, because its process may
	// wait that long for a processor. It stays in the group, and the chunks that it lacks
	// afterwards are retransmitted.
	absence = 300 * time.Millisecond
	// reminding is how often it is asked meanwhile, or each two round trips.
	reminding = 50 * time.Millisecond
)

// A round is the answers to one poll to the group.
type round struct {
	number    uint32
	want, got int
	probed    bool
	worst     sample // of what the members told: the highest loss, the longest round trip
}

// A repair is a chunk that is lacking: at one member, or at several.
type repair struct {
	seq uint32
	to  int // everybody: the group
}

// Values in place of the index of a member.
const (
	everybody = -1 // the group
	nobody    = -2 // an applicant
	noScout   = -1
)

// open reports whether the crowd still takes members.
func (c *crowd) open() bool { return c.addr.IsValid() && c.state == gatheringCrowd }

// parts is into how many parts the members are divided, one of which answers a poll. A
// member must be asked before its window is full.
func (c *crowd) parts(window int) int {
	n := (len(c.members) + crowdAnswers - 1) / crowdAnswers
	return max(1, min(n, window/(4*pollEvery)))
}

// asked notes that a poll with the next number was sent, to which want members are to
// answer.
func (c *crowd) asked(now time.Time, number uint32, want int) {
	c.number, c.sincePoll, c.polled = number, 0, now
	c.rounds[number%pollMemory] = round{number: number, want: want, probed: c.cc.asked(now)}
}

// answered takes the sample from a member's answer to a poll. It reports whether the
// caller should determine the missing chunks now: the round is concluded, no other member
// owes an answer, or the poll went to this member alone.
func (c *crowd) answered(now time.Time, peers []peer, s sample) (concluded bool) {
	r := &c.rounds[s.poll%pollMemory]
	if r.number != s.poll || s.poll <= c.concluded {
		return true
	}
	r.add(s)
	// Answers come in the order of the polls: those to earlier ones that are missing are
	// lost.
	for n := max(c.concluded+1, s.poll-min(s.poll, pollMemory-1)); n < s.poll; n++ {
		if e := &c.rounds[n%pollMemory]; e.number == n && e.got > 0 {
			c.conclude(now, peers, e)
			concluded = true
		}
	}
	if r.got >= r.want {
		c.conclude(now, peers, r)
		concluded = true
	}
	return concluded || !c.waiting(peers)
}

// add merges s into the round: the worst value of each field remains.
func (r *round) add(s sample) {
	w := &r.worst
	if r.got++; r.got == 1 {
		*w = s
		return
	}
	if s.lost*(w.lost+w.delivered) > w.lost*(s.lost+s.delivered) {
		w.lost, w.delivered = s.lost, s.delivered
	}
	w.lostByAll = min(w.lostByAll, s.lostByAll)
	w.run, w.silent = min(w.run, s.run), w.silent && s.silent
	w.rtt = max(w.rtt, s.rtt)
	w.underWay = max(w.underWay, s.underWay)
}

// conclude tells the congestion control what a round told.
func (c *crowd) conclude(now time.Time, peers []peer, r *round) {
	s := r.worst
	s.rate = c.lowest(peers)
	if s.of = r.got; r.got < r.want {
		s.run = min(s.run, c.leastRun(peers))
	}
	s.nextPoll, s.limited, s.probed = c.number+1, c.limited || c.starved, r.probed
	c.cc.update(now, s)
	c.concluded, c.limited = r.number, false
}

// leastRun is how many of the latest chunks every member lost, as far as is known.
func (c *crowd) leastRun(peers []peer) int {
	least := math.MaxInt
	for _, i := range c.members {
		least = min(least, peers[i].flight.run)
	}
	return least
}

// mute reports whether no member has answered the latest poll to the group.
func (c *crowd) mute() bool { return c.heard.Before(c.polled) }

// longestTimer is the timer of the member that may take the longest to answer.
func (c *crowd) longestTimer(peers []peer) (rto time.Duration) {
	for _, i := range c.members {
		rto = max(rto, peers[i].flight.timer.RTO())
	}
	return rto
}

// lowest is the rate of the slowest member, each one's being the best of some rounds: the
// lowest of many measurements would be far too low.
func (c *crowd) lowest(peers []peer) (rate float64) {
	for _, i := range c.members {
		if f := &peers[i].flight; f.silent == 0 && (rate == 0 || f.cc.measured < rate) {
			rate = f.cc.measured
		}
	}
	return rate
}

// slowest is the member that limits the rate of the group: the one with a queue on its
// path. The measured rates say less, because all members get the rate of the slowest. But
// a member without a queue is not the slowest if another member's rate is lower by more
// than probing exceeds the rate. ok is false while an answer is late, because that member
// may be the slowest.
func (c *crowd) slowest(peers []peer) (slowest int, ok bool) {
	most := (1 + c.cc.excess()) * c.lowest(peers)
	longest := time.Duration(-1)
	for _, i := range c.members {
		f := &peers[i].flight
		queue := max(0, f.timer.SRTT()-f.cc.minRTT)
		switch {
		case f.silent > 0:
			return 0, false
		case f.cc.measured > most && queue <= f.cc.minRTT/4+time.Millisecond:
		case queue > longest:
			slowest, longest, ok = i, queue, true
		}
	}
	return slowest, ok
}

// slowFactor is how many times slower than the median a member is that is served by unicast.
const slowFactor = 20

// farBehind returns a member that loses most of the packets to the group, while most members
// do not, and whose rate is below a twentieth of the members' median rate.
func (c *crowd) farBehind(peers []peer) (slowest int, ok bool) {
	behind := 0
	for _, i := range c.members {
		f := &peers[i].flight
		if !f.cc.policed.most || f.silent > 0 {
			continue
		}
		if behind++; !ok || f.cc.measured < peers[slowest].flight.cc.measured {
			slowest, ok = i, true
		}
	}
	if c.cc.suspect || !ok || 2*behind > len(c.members) {
		return 0, false
	}
	rates := make([]float64, 0, len(c.members))
	for _, i := range c.members {
		rates = append(rates, peers[i].flight.cc.measured)
	}
	slices.Sort(rates)
	return slowest, slowFactor*peers[slowest].flight.cc.measured < rates[len(rates)/2]
}

// lack works out what has to be sent again, and to whom: what all have had a chance to
// say that they lack; now, what anybody is known to lack.
func (c *crowd) lack(peers []peer, now bool) {
	c.repairs = c.repairs[:0]
	decided := uint32(math.MaxUint32)
	for _, i := range c.members {
		if f := &peers[i].flight; f.silent == 0 && !now {
			decided = min(decided, f.answered)
		}
	}
	at := make(map[uint32]int) // which repair is about a chunk
	for _, i := range c.members {
		f := &peers[i].flight
		left := f.missing
		for seq := f.scan; left > 0; seq++ {
			s := f.slot(seq)
			if s.state != missing {
				continue
			}
			left--
			k, known := at[seq]
			switch {
			case known:
				c.repairs[k].to = everybody
			case s.poll <= decided:
				at[seq] = len(c.repairs)
				c.repairs = append(c.repairs, repair{seq, i})
			}
		}
	}
}

// pick returns the chunk to send next, and to whom: one that is lacking first. ok is
// false if there is none; full says that a member's window is the reason.
func (c *crowd) pick(peers []peer, available uint32) (seq uint32, to int, ok, full bool) {
	if c.cc.stopped {
		c.repairForAll()
	}
	for len(c.repairs) > 0 {
		r := c.repairs[0]
		for _, i := range c.members {
			if (r.to == everybody || r.to == i) && peers[i].flight.lacks(r.seq) {
				return r.seq, r.to, true, false
			}
		}
		c.repairs = c.repairs[1:] // held by now, or its member has left
	}
	if c.next == 0 || c.next > available {
		return 0, 0, false, false
	}
	for _, i := range c.members {
		if f := &peers[i].flight; c.next-f.cum > uint32(len(f.slots)) {
			return 0, 0, false, true
		}
	}
	return c.next, everybody, true, false
}

// repairForAll puts a repair first that goes to the group: a probe of the path to all.
func (c *crowd) repairForAll() {
	for k := range c.repairs {
		if c.repairs[k].to == everybody {
			c.repairs[0], c.repairs[k] = c.repairs[k], c.repairs[0]
			return
		}
	}
	if len(c.repairs) > 0 {
		c.repairs[0].to = everybody
	}
}

// posted notes that a chunk was sent, to the group or to one.
func (c *crowd) posted(now time.Time, peers []peer, seq uint32, to int) {
	again := seq != c.next
	for _, i := range c.members {
		peers[i].flight.endWait(now)
		if f := &peers[i].flight; !again || (to == everybody || to == i) && f.lacks(seq) {
			f.noted(now, seq, max(c.number, f.lastPoll)+1)
		}
	}
	if again {
		c.repairs = c.repairs[1:]
	} else {
		c.next++
	}
	if to == everybody {
		c.packets++
	} else {
		peers[to].flight.packets++
	}
	c.sincePoll++
	c.spend(now, c.cc.pace())
}

// underWay is how many chunks are, at the member where it is most. One who is late with
// an answer does not count, unless all are.
func (c *crowd) underWay(peers []peer) (n int) {
	all := c.silence(peers) > 0
	for _, i := range c.members {
		if f := &peers[i].flight; f.silent == 0 || all {
			n = max(n, f.underWay)
		}
	}
	return n
}

// silence is how many polls in a row every member has left unanswered. If it is not 0, the
// reason is common to all, and no member leaves because of it.
func (c *crowd) silence(peers []peer) int {
	least := math.MaxInt
	for _, i := range c.members {
		least = min(least, peers[i].flight.silent)
	}
	return least
}

// broken records that a member answers. If it is the first after a silence of all members,
// the time of the others begins again.
func (c *crowd) broken(peers []peer) {
	if c.silence(peers) == 0 {
		return
	}
	for _, i := range c.members {
		peers[i].flight.silent = 1
	}
}

// waiting reports whether a member owes an answer, and is not late with it.
func (c *crowd) waiting(peers []peer) bool {
	for _, i := range c.members {
		if f := &peers[i].flight; f.waiting && f.silent == 0 {
			return true
		}
	}
	return false
}

// settled reports whether members hold everything that was sent: all of them, or those
// that are not late with an answer.
func (c *crowd) settled(peers []peer, all bool) bool {
	for _, i := range c.members {
		if f := &peers[i].flight; (all || f.silent == 0) && f.underWay+f.missing > 0 {
			return false
		}
	}
	return true
}

// absent reports whether a member has left polls unanswered for longer than a busy machine
// explains; if not, until says when it will have, zero if it owes no answer.
func (f *flight) absent(now time.Time) (absent bool, until time.Time) {
	since, owes := f.unanswered()
	if !owes || f.silent == 0 {
		return false, time.Time{}
	}
	until = since.Add(absence)
	return !now.Before(until), until
}

// deaf reports whether a member answers and nothing that it lacks arrives, though it was
// sent again and again: the group may carry polls, and no chunks. A member that the others
// have waiting, so that it is sent nothing, is not deaf.
func (f *flight) deaf(now time.Time) bool {
	since, stalls := f.stalled()
	return stalls && f.run >= suspectRun && !now.Before(since.Add(max(patience, 4*f.timer.RTO())))
}

// leavesDeaf reports whether a deaf member leaves. While nothing arrives at any of them it
// need not be the group's fault: then one leaves late, as a scout, and the others follow if
// something arrives there.
func (c *crowd) leavesDeaf(now time.Time, peers []peer, i int, late time.Duration) bool {
	f := &peers[i].flight
	switch {
	case !f.deaf(now):
		return false
	case !c.cc.stopped:
		return true
	case c.scout != noScout:
		return peers[c.scout].flight.delivered > c.had
	case now.Before(f.owed.Add(late)):
		return false
	}
	c.scout, c.had = i, f.delivered
	return true
}

// leftNumbers is by how much the numbers of the polls to a member that has left exceed those
// of the polls to the group.
const leftNumbers = 1 << 24

// renumber separates the polls to a member that leaves from those to the group. It is asked
// again at once, unless it is late with an answer.
func (f *flight) renumber(now time.Time) {
	f.lastPoll += leftNumbers
	if f.silent == 0 {
		f.waiting, f.resting, f.pollDue = false, true, now.Add(f.timer.RTO())
	}
}

// lacks reports whether a chunk is known to be lost.
func (f *flight) lacks(seq uint32) bool {
	return f.missing > 0 && seq > f.cum && seq < f.next && f.slot(seq).state == missing
}
