package sealed

import (
	"container/list"
	"crypto/cipher"
	"time"
)

const (
	// idLifetime is the time for which a sender uses one id.
	idLifetime = 60 * time.Second

	// maxPackets bounds the packets that a sender seals under one id. AES-GCM allows 2^23
	// (RFC 9001, section 6.6).
	maxPackets = 1 << 22

	// maxEvicted bounds the evicted ids that are remembered.
	maxEvicted = 1 << 16

	// maxOwn bounds the own ids that are remembered. At the rate at which maxPackets
	// forces a new id, it is enough for an hour.
	maxOwn = 1 << 12
)

// A peerKey names a sender id under one key.
type peerKey struct {
	key    keyID
	sender senderID
}

// A peer is the state of a sender id that has authenticated.
type peer struct {
	peerKey
	aead   cipher.AEAD
	window window
	use    *list.Element // in senders.used
}

// senders are the sender ids that a conn has heard from. They are bounded, and made only
// by packets that have authenticated.
type senders struct {
	max    int           // windows
	skew   time.Duration // negative: times are not checked
	byKey  map[peerKey]*peer
	used   *list.List // of *peer, the most recently used first
	last   *peer
	swept  int64 // Unix seconds of the last sweep
	oldest int64 // ids that were drawn before this time are refused: they may have been forgotten

	evicted idSet // ids that made room
	own     idSet // ids of this conn
}

func newSenders(max int, skew time.Duration) senders {
	return senders{
		max: max, skew: skew, byKey: make(map[peerKey]*peer), used: list.New(),
		evicted: newIDSet(maxEvicted), own: newIDSet(maxOwn),
	}
}

// lifetime returns the number of seconds after which no packet of an id is accepted.
func (s *senders) lifetime() int64 { return int64((s.skew + idLifetime) / time.Second) }

// get returns the state of a sender id, or nil if there is none.
func (s *senders) get(k peerKey) *peer {
	p := s.last
	if p == nil || p.peerKey != k {
		if p = s.byKey[k]; p == nil {
			return nil
		}
		s.last = p
		s.used.MoveToFront(p.use)
	}
	return p
}

// add remembers a sender id. The least recently used one makes room if need be.
func (s *senders) add(k peerKey, aead cipher.AEAD) *peer {
	if len(s.byKey) >= s.max {
		old := s.used.Back().Value.(*peer)
		s.evicted.add(old.sender)
		s.remove(old)
	}
	p := &peer{peerKey: k, aead: aead}
	p.use = s.used.PushFront(p)
	s.byKey[k] = p
	s.last = p
	return p
}

func (s *senders) remove(p *peer) {
	s.used.Remove(p.use)
	delete(s.byKey, p.peerKey)
	if s.last == p {
		s.last = nil
	}
}

// sweep drops what is too old to matter, once a second.
func (s *senders) sweep(now int64) {
	if s.skew < 0 || now <= s.swept {
		return
	}
	s.swept = now
	s.oldest = max(s.oldest, now-s.lifetime())
	for _, p := range s.byKey {
		if s.expired(&p.sender) {
			s.remove(p)
		}
	}
	s.evicted.sweep(s.oldest)
	s.own.sweep(s.oldest)
}

// expired reports whether packets of an id are refused because of its age.
func (s *senders) expired(id *senderID) bool { return s.skew >= 0 && id.seconds() < s.oldest }

// ahead returns by how much the clock of a sender that draws an id now would be ahead of
// this one.
func ahead(id *senderID, now int64) time.Duration {
	return time.Duration(id.seconds()-now) * time.Second
}

// timely reports whether an id that is not known may be accepted.
func (s *senders) timely(id *senderID, now int64) bool {
	return s.skew < 0 || !s.expired(id) && ahead(id, now).Abs() <= s.skew
}

// An idSet is a bounded set of sender ids. When it is full, the oldest entry makes room.
type idSet struct {
	max   int
	ids   map[senderID]*list.Element
	order *list.List // of senderID, the newest first
}

func newIDSet(max int) idSet {
	return idSet{max: max, ids: make(map[senderID]*list.Element), order: list.New()}
}

func (s *idSet) has(id senderID) bool {
	_, ok := s.ids[id]
	return ok
}

func (s *idSet) add(id senderID) {
	if s.has(id) {
		return
	}
	if len(s.ids) >= s.max {
		s.remove(s.order.Back())
	}
	s.ids[id] = s.order.PushFront(id)
}

func (s *idSet) remove(e *list.Element) {
	delete(s.ids, e.Value.(senderID))
	s.order.Remove(e)
}

// sweep removes the ids that were drawn before a time.
func (s *idSet) sweep(oldest int64) {
	for e := s.order.Back(); e != nil; {
		id, before := e.Value.(senderID), e.Prev()
		if id.seconds() < oldest {
			s.remove(e)
		}
		e = before
	}
}
