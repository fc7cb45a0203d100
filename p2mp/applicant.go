package p2mp

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
)

// Without a list of receivers anybody who hears the group may answer its HELLO, in the name
// of somebody else, too. An applicant is an address that a REPORT came from. It becomes a
// receiver when it answers a POLL that was sent to it alone, whose number cannot be guessed.
// Until then it is sent nothing else, and at most three times the bytes that came from it
// (RFC 9000, section 8.1).

const (
	// maxApplicants bounds applicants and receivers that are not on the sender's list.
	maxApplicants = 4096
	// maxPerHost bounds those of one IP address, and maxRefusals those who refuse.
	maxPerHost  = 16
	maxRefusals = 64
)

// An applicant is an address that has not proved yet that it receives what is sent there.
type applicant struct {
	number uint32 // of the POLL that it must answer
	id     uint32 // that it chose for itself
	asked  time.Time
	polls  int // that were sent
	budget amplify.Budget
}

// An invitation is to all who hear the group.
type invitation struct {
	join
	applicants map[netip.AddrPort]*applicant
	hosts      map[netip.Addr]int // how many applicants and receivers have an address
	refusals   int
	busy       []netip.AddrPort // that were when they were invited, and may not be next time
	unsent     error            // the last failure to write to the group
}

// mayApply reports whether there is room for one more from a host, and counts it.
func (v *invitation) mayApply(host netip.Addr, receivers int) bool {
	if v.hosts == nil {
		v.hosts, v.applicants = make(map[netip.Addr]int), make(map[netip.AddrPort]*applicant)
	}
	if len(v.applicants)+receivers >= maxApplicants || v.hosts[host] >= maxPerHost {
		return false
	}
	v.hosts[host]++
	return true
}

// invited takes a packet from an address that is none of the receivers. It reports whether
// the address is one of them now, or was turned away as one that refused.
func (t *sending) invited(now time.Time, from netip.AddrPort, p Packet, length int) (joins, taken bool) {
	switch {
	case !t.listless:
		return false, false
	case p.Category == CategoryAbort:
		a, err := parseAbort(p.Payload)
		if err != nil || a.session != t.session {
			return false, false
		}
		if v := &t.invitation; a.reason == ReasonBusy && t.inviting() && len(v.busy) < maxRefusals {
			v.busy = append(v.busy, from)
			return false, true
		}
		if a.reason == ReasonUnknown {
			return false, true // it heard a POLL before it heard a HELLO, and may join yet
		}
		return false, t.refuses(from, a.reason)
	case p.Category != CategoryReport:
		return false, false
	}
	s, err := parseStatus(p.Payload)
	if err != nil || s.session != t.session || !t.inviting() && t.store.at == nil {
		return false, false
	}
	v := &t.invitation
	a := v.applicants[from]
	switch {
	case a != nil && s.number == a.number && s.id == a.id:
		delete(v.applicants, from)
		t.welcome(now, from, a)
		return true, true
	case !t.mayJoin(&s, 0): // it answers no HELLO
		return false, false
	case a == nil && !v.mayApply(from.Addr(), len(t.peers)):
		return false, false
	case a == nil:
		a = &applicant{number: 1 + rand.Uint32N(1<<30)}
		v.applicants[from] = a
	}
	a.id = s.id
	a.budget.Received(length)
	if n := headerLen + pollLen; a.budget.Allows(n) {
		a.budget.Sent(n)
		a.asked = now
		a.polls++
		t.poll = poll{session: t.session, number: a.number}
		t.postMessageTo(from, nobody, CategoryPoll, &t.poll)
	}
	return false, true
}

// welcome makes an applicant one of the receivers.
func (t *sending) welcome(now time.Time, from netip.AddrPort, a *applicant) {
	t.index[from] = len(t.peers)
	j := join{until: now.Add(t.join / 2), due: now.Add(t.join), tries: a.polls, sent: a.asked}
	t.peers = append(t.peers, peer{addr: from, timer: t.timer, join: j, proof: a.number})
	t.report.Peers = append(t.report.Peers, PeerReport{Addr: from})
}

// refuseBusy ends the time in which those who were busy may join.
func (t *sending) refuseBusy() {
	for _, from := range t.invitation.busy {
		if _, known := t.index[from]; !known && t.invitation.applicants[from] == nil {
			t.refuses(from, ReasonBusy)
		}
	}
	t.invitation.busy = nil
}

// refuses records that a receiver has answered the invitation with an ABORT. The report
// lists the receiver with the reason.
func (t *sending) refuses(from netip.AddrPort, reason Reason) bool {
	v := &t.invitation
	if v.refusals >= maxRefusals || !v.mayApply(from.Addr(), len(t.peers)) {
		return false
	}
	v.refusals++
	delete(v.applicants, from)
	t.index[from] = len(t.peers)
	t.peers = append(t.peers, peer{addr: from})
	t.report.Peers = append(t.report.Peers, PeerReport{Addr: from})
	e := &PeerError{Addr: from, Seq: 1, Err: &AbortError{reason}}
	t.dropped(len(t.peers)-1, e) // it never took part: even under the policy Fail the others go on
	return true
}
