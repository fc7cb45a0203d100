package p2mp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/checksum"
)

// greeted answers a HELLO.
func (v *serving) greeted(now time.Time, from netip.AddrPort, h *hello, length int) error {
	key := sessionKey{from, h.session}
	if s := v.sessions[key]; s != nil {
		s.heard(length)
		v.extendSession(now, s, v.patience(s)) // the sender may wait long for others to join
		v.answer(now, s, 0)
		return nil
	}
	if length < helloMin {
		return errMalformed // too short to be worth an answer that may be longer
	}
	if v.only && v.begun {
		return v.occupied(now, from, h)
	}
	// Nothing is remembered of an offer that no handler need be asked about.
	if reason := h.fault(); reason != 0 {
		v.refuse(from, h.session, reason)
		return nil
	}
	if v.full() || v.alike(from, h.session) {
		v.refuse(from, h.session, ReasonBusy)
		return ferry.ErrBusy
	}
	s := &session{
		key:    key,
		offer:  h.offer(from),
		start:  now,
		report: Report{Peers: []PeerReport{{Addr: from, State: Receiving, Extended: true}}},
		linger: v.linger,
	}
	var id [4]byte
	rand.Read(id[:]) // never fails
	s.id = binary.BigEndian.Uint32(id[:])
	s.heard(length)
	v.rememberSession(s)
	if err := v.open(s, h); err != nil {
		v.failSession(now, s, fmt.Errorf("p2mp: refused: %w", err), refusal(err), true)
		return nil
	}
	v.active++
	v.extendSession(now, s, v.giveUp)
	if v.trace.Accepted != nil {
		v.trace.Accepted(s.offer)
	}
	v.answer(now, s, 0)
	return nil
}

// occupied takes a HELLO that is not the one of Receive's transfer. From the sender of
// that it says, while the transfer is under way, that the sender began another; whoever
// else sent it is told that this receiver is busy.
func (v *serving) occupied(now time.Time, from netip.AddrPort, h *hello) error {
	s := v.latest(from)
	switch {
	case s != nil && s.state == underWay && h.fault() == 0:
		v.failSession(now, s, errRestarted, ReasonUnknown, false)
		return ferry.ErrBusy // as in the classic mode
	case s == nil && v.transfers[from] == nil && v.active > 0:
		v.refuse(from, h.session, ReasonBusy)
	}
	return ferry.ErrUnsolicited
}

// alike reports whether the sender has a session under way whose packets have the same
// sums: they could not be told apart.
func (v *serving) alike(from netip.AddrPort, id uint64) bool {
	for _, s := range v.bySender[from] {
		if s.state == underWay && sumOf(s.key.id) == sumOf(id) {
			return true
		}
	}
	return false
}

// sumOf is what a session adds to the checksum of its chunks.
func sumOf(session uint64) uint16 {
	var sum checksum.Partial
	sum.AddUint64(session)
	return sum.Sum()
}

// offer is what a Handler is told of a HELLO.
func (h *hello) offer(from netip.AddrPort) ferry.Offer {
	return ferry.Offer{Addr: from, Session: h.session, Name: h.name, Size: h.size, Mode: h.mode, SHA256: h.digest}
}

// fault says what makes a HELLO one that no handler need be asked about; 0: nothing.
func (h *hello) fault() Reason {
	switch {
	case h.version != version:
		return ReasonVersion
	case h.needs != 0, h.kind != digestSHA256, h.fec != 0:
		return ReasonUnsupported
	case sumOf(h.session) == 0, sumOf(h.session) == 0xffff, h.mss < 1:
		return ReasonMalformed
	case h.mss > MaxMSS:
		return ReasonUnsupported
	case h.group.IsValid() && (!h.group.Addr().IsMulticast() || h.group.Port() == 0):
		return ReasonGroup
	case h.size >= 0 && h.size/int64(h.mss) >= math.MaxUint32:
		return ReasonTooLarge
	}
	return 0
}

// open asks the handler for a sink, and it for what it holds already.
func (v *serving) open(s *session, h *hello) error {
	sink, err := v.accept(s.offer)
	if err != nil {
		return err
	}
	s.sink = sink
	s.gather = gather{mss: h.mss, size: h.size}
	var cum uint32
	if r, ok := sink.(ferry.Resumer); ok && h.digest != nil && h.size >= 0 {
		held, err := r.Resume(h.mss)
		if err == nil && (held < 0 || held > h.size || held < h.size && held%int64(h.mss) != 0) {
			err = fmt.Errorf("p2mp: a Resumer that holds %d bytes of %d, in chunks of %d", held, h.size, h.mss)
		}
		if err != nil {
			sink.Abort(err)
			s.sink = nil
			return err
		}
		cum = uint32((held + int64(h.mss) - 1) / int64(h.mss))
	}
	if cum == 0 {
		s.hash = sha256.New()
	}
	s.gather.begin(cum, orDefault(v.window, defaultWindow(h.mss)))
	s.burst = v.burst(h.mss)
	return nil
}

// burst is how many packets are sure to find room in the conn's receive buffer. Linux
// gives twice what was asked for, and counts what it allocates: half a packet more, and
// some.
func (v *serving) burst(mss int) uint32 {
	if v.buffer == 0 { // unknown
		return 2 * pollEvery
	}
	return uint32(max(2, 2*v.buffer/(mss+mss/2+1024)))
}
