package p2mp

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"github.com/ferrygo/ferry"
)

// A place is one of Receiver.MaxTransfers. A packet with a forged address can take one, so
// places are not given away for good:
//
//   - A half-open transfer, of which nothing but the first packet has arrived, proves
//     nothing about its sender. It gives its place to another after halfOpenTime.
//   - A transfer that stands still gives its place to another after stallTime, the one
//     with the fewest bytes first. Only chunks that were written count as progress.
//   - A host that has more than a quarter of the places, by half-open transfers, gives
//     them to other hosts at once, and takes none from others.
//
// As long as there are free places, none of this applies.
const (
	halfOpenTime = time.Second
	stallTime    = 5 * time.Second
	hostShare    = 4 // a host may have 1/hostShare of the places
)

// halfOpen reports whether nothing but the first packet of a transfer has arrived.
func (t *transfer) halfOpen() bool {
	if t.state != underWay {
		return false
	}
	if g, ok := t.chunks.(*reassembly); ok {
		return g.received == 0
	}
	return t.written <= 1
}

// findPlace reports whether a transfer from a host may begin. If all places are taken it
// ends the transfer with the weakest claim.
func (l *recvLoop) findPlace(now time.Time, host netip.Addr) bool {
	if l.satisfied() {
		return false
	}
	if len(l.active) < l.max {
		return true
	}
	t := l.weakest(now, host)
	if t != nil {
		l.evict(now, t)
	}
	return t != nil
}

// weakest returns the transfer that must give its place to another of a host, or nil.
func (l *recvLoop) weakest(now time.Time, host netip.Addr) *transfer {
	share := max(1, l.max/hostShare)
	greedy := l.hosts[host] >= share
	var found *transfer
	for _, t := range l.active {
		of := t.key.from.Addr()
		if greedy && of != host && l.max > 1 {
			continue
		}
		overShare := of != host && l.hosts[of] > share
		if l.yields(now, t, overShare) && (found == nil || t.weaker(found)) {
			found = t
		}
	}
	return found
}

// yields reports whether a transfer must give its place to another that needs it.
func (l *recvLoop) yields(now time.Time, t *transfer, overShare bool) bool {
	switch {
	case t.state != underWay:
		return false
	case l.single && t.written+t.pending > 0:
		return false // the sink has some of the file
	case t.halfOpen():
		return overShare || now.Sub(t.start) >= halfOpenTime
	}
	return now.Sub(t.progress) >= stallTime
}

// yieldsAny reports whether any transfer would give its place to another.
func (l *recvLoop) yieldsAny(now time.Time) bool {
	for _, t := range l.active {
		if l.yields(now, t, false) {
			return true
		}
	}
	return false
}

// weaker reports whether t has a weaker claim to its place than u.
func (t *transfer) weaker(u *transfer) bool {
	if a, b := t.halfOpen(), u.halfOpen(); a != b {
		return a
	}
	a, b := t.bytes-t.held, u.bytes-u.held
	return a < b || a == b && t.progress.Before(u.progress)
}

// evict ends a transfer for the sake of another.
func (l *recvLoop) evict(now time.Time, t *transfer) {
	if l.single { // nothing was written: the next transfer has the sink
		l.unused, t.sink = t.sink, nil
	}
	l.fail(now, t, errBusy, ReasonBusy)
	if l.single {
		l.err, l.begun = nil, false
	}
}

// evictName ends a half-open transfer that holds the name of an offered file. It reports
// whether there was one.
func (l *recvLoop) evictName(now time.Time, name string) bool {
	for _, t := range l.active {
		if t.halfOpen() && t.offer.Name == name && now.Sub(t.start) >= halfOpenTime {
			l.evict(now, t)
			return true
		}
	}
	return false
}

// starved ends the transfer that holds most of the memory for early chunks and stands
// still, if the memory is used up and t needs some.
func (l *recvLoop) starved(now time.Time, t *transfer) {
	if l.memory.used+int64(t.chunks.(*reassembly).mss) <= l.memory.max || now.Before(l.starvedDue) {
		return
	}
	l.starvedDue = now.Add(starvedSpacing)
	var found *transfer
	most := 0
	for _, u := range l.active {
		g, ok := u.chunks.(*reassembly)
		if !ok || u.state != underWay {
			continue
		}
		g.shrink()
		if held := g.early * g.mss; held > most && now.Sub(u.progress) >= halfOpenTime {
			found, most = u, held
		}
	}
	if found != nil && found != t {
		l.evict(now, found)
	}
}

// starvedSpacing is how often the loop looks for memory, at most.
const starvedSpacing = 20 * time.Millisecond

// Empty files of the classic mode take one packet, which proves nothing about its sender,
// so few are accepted in emptyTime.
const (
	emptyTime    = time.Minute
	maxEmptyHost = 8
	maxEmpty     = 64
)

// An emptyFile is one that was accepted.
type emptyFile struct {
	host netip.Addr
	at   time.Time
}

// mayBeEmpty reports whether a host may send another empty file in the classic mode.
func (l *recvLoop) mayBeEmpty(now time.Time, host netip.Addr) bool {
	for len(l.empty) > 0 && now.Sub(l.empty[0].at) >= emptyTime {
		l.empty = l.empty[1:]
	}
	n := 0
	for _, e := range l.empty {
		if e.host == host {
			n++
		}
	}
	if len(l.empty) >= maxEmpty || n >= maxEmptyHost {
		return false
	}
	l.empty = append(l.empty, emptyFile{host, now})
	return true
}

// shortage reports whether a handler's error is a passing shortage of this host. It is no
// answer to the offer: the same offer may be accepted later.
func shortage(err error) bool {
	if err == nil {
		return false
	}
	for _, s := range []error{ferry.ErrBusy, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}
