package sealed

import (
	"crypto/cipher"
	"time"
)

// maxCollisions bounds the keys that are tried for one key id.
const maxCollisions = 4

// skewPause is the time between two packets with a refused time that are authenticated, to
// learn how far the sender's clock is off.
const skewPause = time.Second

// An opener authenticates and decrypts the packets that arrive at one conn. It is not safe
// for concurrent use.
type opener struct {
	keys    map[keyID][]derivation // at most maxCollisions for each id
	senders senders

	nonce   [nonceSize]byte
	scratch []byte
	skewed  time.Time // when a packet with a refused time was last authenticated
}

// open decrypts a packet into the spare capacity of dst, or into other memory if there is
// not enough. reason is zero if the packet opened. skew is set for [Expired] if it is known.
func (o *opener) open(dst, packet []byte, now time.Time) (payload []byte, reason Reason, skew time.Duration) {
	h, ok := parseHeader(packet)
	if !ok {
		return nil, Malformed, 0
	}
	seconds := now.Unix()
	o.senders.sweep(seconds)
	p := o.senders.get(peerKey{h.Key, h.Sender})
	switch {
	case p == nil:
		return o.openNew(dst, packet, &h, now)
	case o.senders.expired(&h.Sender):
		return nil, Expired, 0
	case !p.window.fresh(h.Counter):
		return nil, Replayed, 0
	}
	payload, ok = o.decrypt(dst, packet, &h, p.aead)
	if !ok {
		return nil, Forged, 0
	}
	p.window.add(h.Counter)
	return payload, 0, 0
}

// openNew opens a packet of a sender id that is not known, and remembers the id if the
// packet authenticates.
func (o *opener) openNew(dst, packet []byte, h *header, now time.Time) (payload []byte, reason Reason, skew time.Duration) {
	keys := o.keys[h.Key]
	switch {
	case o.senders.own.has(h.Sender):
		return nil, Reflected, 0
	case len(keys) == 0:
		return nil, UnknownKey, 0
	case o.senders.evicted.has(h.Sender):
		return nil, Replayed, 0
	}
	timely := o.senders.timely(&h.Sender, now.Unix())
	if !timely {
		if now.Sub(o.skewed).Abs() < skewPause {
			return nil, Expired, 0
		}
		o.skewed = now
	}
	for i := range keys {
		aead, err := keys[i].newAEAD(h.Sender)
		if err != nil {
			continue
		}
		payload, ok := o.decrypt(dst, packet, h, aead)
		if !ok {
			continue
		}
		if !timely {
			return nil, Expired, ahead(&h.Sender, now.Unix())
		}
		o.senders.add(peerKey{h.Key, h.Sender}, aead).window.add(h.Counter)
		return payload, 0, 0
	}
	if !timely {
		return nil, Expired, 0
	}
	return nil, Forged, 0
}

// decrypt authenticates and decrypts a packet.
func (o *opener) decrypt(dst, packet []byte, h *header, aead cipher.AEAD) ([]byte, bool) {
	h.nonce(&o.nonce)
	size := len(packet) - overhead
	if cap(dst)-len(dst) < size { // more than the reader wants
		if cap(o.scratch) < size {
			o.scratch = make([]byte, 1<<16)
		}
		dst = o.scratch[:0]
	}
	out, err := aead.Open(dst, o.nonce[:], packet[headerSize:], packet[:headerSize])
	if err != nil {
		return nil, false
	}
	return out[len(dst):], true
}
