package p2mp

import (
	"net/netip"
	"slices"

	"github.com/ferrygo/ferry/checksum"
)

// A transferKey identifies a transfer at a receiver. A sender may have several sessions at
// one receiver, and one transfer of the classic mode, whose session is 0.
type transferKey struct {
	from    netip.AddrPort
	session uint64
}

// A sumKey finds the session of a DATA packet: the packet does not carry the session, but
// its checksum includes it. See sessionSum.
type sumKey struct {
	from netip.AddrPort
	sum  uint16
}

// A recvTable holds the transfers of one call: those under way, and those that have ended
// and are remembered.
type recvTable struct {
	all    map[transferKey]*transfer
	bySum  map[sumKey]*transfer         // of the extended mode
	latest map[netip.AddrPort]*transfer // the latest session of each sender
	hosts  map[netip.Addr]int           // how many transfers under way each host has
	active []*transfer                  // under way, in the order in which they began

	// Transfers that have ended, in the order in which they did. Those that failed or were
	// refused are kept apart: they must not displace those whose end may be asked for.
	whole, failed []*transfer
}

func newRecvTable() recvTable {
	return recvTable{
		all:    make(map[transferKey]*transfer),
		bySum:  make(map[sumKey]*transfer),
		latest: make(map[netip.AddrPort]*transfer),
		hosts:  make(map[netip.Addr]int),
	}
}

// sessionSum is what a session adds to the checksum of its DATA packets, as the number
// that [packetSum] finds in them. It is 0 for a session that changes no checksum.
func sessionSum(session uint64) uint16 {
	var sum checksum.Partial
	sum.AddUint64(session)
	return oneZero(^sum.Sum())
}

// packetSum is what must be added to a packet for its checksum to be right: 0 for a packet
// without a session, and otherwise its session's number.
func packetSum(b []byte) uint16 {
	var sum checksum.Partial
	sum.Add(b)
	return oneZero(sum.Sum())
}

// oneZero maps the two zeros of ones' complement to one (RFC 1071, section 1).
func oneZero(sum uint16) uint16 {
	if sum == 0xffff {
		return 0
	}
	return sum
}

func (t *transfer) sumKey() sumKey { return sumKey{t.key.from, sessionSum(t.key.session)} }

// add adds a transfer that begins.
func (r *recvTable) add(t *transfer) {
	r.all[t.key] = t
	r.active = append(r.active, t)
	r.hosts[t.key.from.Addr()]++
	if t.session != nil {
		r.bySum[t.sumKey()] = t
		r.latest[t.key.from] = t
	}
}

// end moves a transfer to those that have ended. At most bound of a kind are remembered.
func (r *recvTable) end(t *transfer, bound int) {
	r.active = without(r.active, t)
	host := t.key.from.Addr()
	if r.hosts[host]--; r.hosts[host] == 0 {
		delete(r.hosts, host)
	}
	list := &r.whole
	if t.state == failed {
		list = &r.failed
	}
	*list = append(*list, t)
	if len(*list) > bound {
		r.forget((*list)[0])
	}
}

// forget removes a transfer that has ended.
func (r *recvTable) forget(t *transfer) {
	r.whole, r.failed = without(r.whole, t), without(r.failed, t)
	if r.all[t.key] == t {
		delete(r.all, t.key)
	}
	if t.session == nil {
		return
	}
	if r.bySum[t.sumKey()] == t {
		delete(r.bySum, t.sumKey())
	}
	if r.latest[t.key.from] == t {
		delete(r.latest, t.key.from)
	}
}

// without returns list without t.
func without(list []*transfer, t *transfer) []*transfer {
	if i := slices.Index(list, t); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}
