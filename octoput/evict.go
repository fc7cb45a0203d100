package octoput

import (
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

const (
	// halfOpen is how long a transfer keeps its place without progress when another one
	// wants it. A sender that exists makes progress in this time. Packets with a forged
	// address can make progress, too, as nothing that a receiver sends must be known to
	// the sender; but then they must be sent all the time.
	halfOpen = time.Second
	// proven is the same for a client that has shown that it gets what a server sends.
	proven = 5 * time.Second
	// minRate is the rate, in bytes per second since it began, below which a transfer
	// gives up its place in favour of another one: an octoblock per second.
	minRate = BlockSize
)

// unlimited is more transfers than a host can have. Twice it is an int on every system.
const unlimited = 1 << 29

// maxTransfers is how many transfers a call may have, as the option of this name says.
func maxTransfers(option int) int {
	switch {
	case option > 0:
		return option
	case option < 0:
		return unlimited
	}
	return DefaultMaxTransfers
}

// maxPerAddress is how many transfers one IP address may have, as the option of this name
// says. The default leaves room for others, and for many users behind one address.
func maxPerAddress(option, maxTransfers int) int {
	switch {
	case option > 0:
		return option
	case option < 0:
		return maxTransfers
	}
	return max(maxTransfers/4, min(maxTransfers, 16))
}

// A place is what a transfer does with its place, as the choice of the one to evict needs
// it.
type place struct {
	addr     netip.Addr
	start    time.Time
	progress time.Time // the latest
	bytes    int64
	patience time.Duration // halfOpen or proven
}

// rate is the average rate in bytes per second.
func (p place) rate(now time.Time) float64 {
	return float64(p.bytes) / max(now.Sub(p.start).Seconds(), 1)
}

// yields reports whether the place can be given to another transfer.
func (p place) yields(now time.Time) bool {
	return now.Sub(p.progress) >= p.patience || now.Sub(p.start) >= p.patience && p.rate(now) < minRate
}

// before is the order of eviction: first the places of clients that have not proven
// themselves, then the slower ones, then those whose last progress is older.
func (p place) before(q place, now time.Time) bool {
	if p.patience != q.patience {
		return p.patience < q.patience
	}
	if a, b := p.rate(now), q.rate(now); a != b {
		return a < b
	}
	return p.progress.Before(q.progress)
}

// A contest finds the transfer to evict among those that are under way.
type contest[T any] struct {
	now    time.Time
	from   netip.Addr // who wants a place
	mine   int        // transfers that this address has
	worst  T          // of all, or of those of this address
	found  bool
	place  place
	onlyMy bool // the address has as many as it may
}

// add takes a transfer into account.
func (c *contest[T]) add(t T, p place) {
	if c.onlyMy && p.addr != c.from || !p.yields(c.now) {
		return
	}
	if !c.found || p.before(c.place, c.now) {
		c.worst, c.place, c.found = t, p, true
	}
}

// makeRoom reports whether there is a place for a transfer from an address. If there is
// none it evicts a transfer that yields, if there is one.
func (v *recvCall) makeRoom(now time.Time, from netip.AddrPort) bool {
	c := contest[*recvTransfer]{now: now, from: from.Addr()}
	for _, t := range v.transfers {
		if t.underWay() && t.key.peer.Addr() == from.Addr() {
			c.mine++
		}
	}
	full := v.active >= v.maxTransfers || v.wanted > 0 && v.complete+v.active >= v.wanted
	c.onlyMy = c.mine >= v.maxPerAddress
	if !full && !c.onlyMy {
		return true
	}
	for _, t := range v.transfers {
		if t.underWay() {
			c.add(t, place{t.key.peer.Addr(), t.since, t.progress, t.report.Bytes + int64(t.held.Len()*t.block.LegSize), halfOpen})
		}
	}
	if !c.found {
		return false
	}
	v.evict(now, c.worst)
	return true
}

// evict ends a transfer in favour of another one. Its sender is told only if it sent more
// than an OPEN: one that has heard nothing yet repeats its OPEN and may have a place then.
func (v *recvCall) evict(now time.Time, t *recvTransfer) {
	t.sink.Abort(errBusy)
	if t.block.Number > 1 || t.held != 0 {
		v.drop(now, t, errBusy, CodeBusy)
		return
	}
	v.finish(now, t, errBusy, CodeBusy)
	delete(v.transfers, t.key)
}

// makeRoom is the same at a server.
func (v *sendCall) makeRoom(now time.Time, from netip.AddrPort) bool {
	c := contest[*sendTransfer]{now: now, from: from.Addr()}
	for _, t := range v.transfers {
		if t.peer.Addr() == from.Addr() {
			c.mine++
		}
	}
	c.onlyMy = c.mine >= v.maxPerAddress
	if len(v.transfers) < v.maxTransfers && !c.onlyMy {
		return true
	}
	for _, t := range v.transfers {
		p := place{t.peer.Addr(), t.opened, t.progress, t.report.Bytes, halfOpen}
		if t.phase != opening {
			p.patience = proven
		}
		c.add(t, p)
	}
	if !c.found {
		return false
	}
	if c.worst.phase != opening {
		v.tell(c.worst.peer, c.worst.local, c.worst.session, c.worst.number(), CodeBusy)
	}
	v.finish(now, c.worst, c.worst.at(ferry.ErrBusy))
	return true
}
