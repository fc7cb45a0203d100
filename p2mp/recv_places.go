package p2mp

import (
	"crypto/sha256"
	"encoding/binary"
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
//   - A transfer that stands still gives its place to another after stallTime. Only
//     chunks that were written count as progress. The transfer with the fewest bytes is
//     the first to go; the others are safe as long as there is it.
//   - A sender that was told that the receiver is busy, and shows the token that it was
//     told, receives what is sent to its address. It need not wait for half-open
//     transfers without a token.
//   - A host that has more than a quarter of the places gives half-open ones to other
//     hosts at once, and takes none from others.
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

// findPlace reports whether a transfer may begin. If all places are taken it ends the
// transfer with the weakest claim.
func (l *recvLoop) findPlace(now time.Time, t *transfer) bool {
	if l.satisfied() {
		return false
	}
	if len(l.active) < l.max {
		return true
	}
	u := l.weakest(now, t)
	if u != nil {
		l.evict(now, u)
	}
	return u != nil
}

// weakest returns the transfer that must give its place to another, or nil.
func (l *recvLoop) weakest(now time.Time, t *transfer) (found *transfer) {
	host := t.key.from.Addr()
	share := max(1, l.max/hostShare)
	greedy := l.max > 1 && l.hosts[host] >= share
	for _, u := range l.active {
		of := u.key.from.Addr()
		switch {
		case u.state != underWay || greedy && of != host:
		case of != host && l.hosts[of] > share && u.halfOpen() && !u.proven:
			return u
		case found == nil || u.weaker(found):
			found = u
		}
	}
	if found == nil || !l.yields(now, found, t.proven) {
		return nil
	}
	return found
}

// yields reports whether a transfer must give its place to another that needs it, and
// whose sender has shown a token or not.
func (l *recvLoop) yields(now time.Time, t *transfer, proven bool) bool {
	patience := stallTime
	switch {
	case t.state != underWay || l.single && t.written+t.pending > 0: // or the sink has some of the file
		return false
	case t.halfOpen() && proven && !t.proven && !l.single:
		patience = 0
	case t.halfOpen() || proven && !t.proven:
		patience = halfOpenTime
	}
	return now.Sub(t.progress) >= patience
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
	if t.proven != u.proven {
		return u.proven
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

// token returns what a sender must show to prove that it receives what is sent to it. It
// cannot be guessed, and nothing has to be remembered. See RFC 9000, section 8.1.2.
func (l *recvLoop) token(key transferKey) uint64 {
	var b [64]byte
	m := append(b[:0], l.secret[:]...)
	m, _ = key.from.AppendBinary(m)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(m, key.session))
	return max(1, binary.BigEndian.Uint64(sum[:]))
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
