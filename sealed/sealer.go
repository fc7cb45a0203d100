package sealed

import (
	"crypto/cipher"
	"crypto/rand"
	"time"
)

// A sealer encrypts the packets of one conn. It is not safe for concurrent use.
type sealer struct {
	key    derivation
	random func([]byte) // crypto/rand

	aead    cipher.AEAD // nil before the first packet
	header  header
	drawn   time.Time // when the id was drawn
	nonce   [nonceSize]byte
	drawing [8]byte
}

func randomBytes(b []byte) { rand.Read(b) }

// begin prepares for a batch of packets that are sealed now. It returns the new sender id
// if it draws one.
func (s *sealer) begin(now time.Time) (id senderID, drawn bool, err error) {
	s.random(s.header.Salt[:])
	if s.aead != nil && s.header.Counter < maxPackets && now.Sub(s.drawn).Abs() < idLifetime {
		return id, false, nil
	}
	return s.draw(now)
}

// draw changes to a new sender id.
func (s *sealer) draw(now time.Time) (id senderID, drawn bool, err error) {
	s.random(s.drawing[:])
	id = newSenderID(now, s.drawing)
	aead, err := s.key.newAEAD(id)
	if err != nil {
		return id, false, err
	}
	s.aead, s.drawn = aead, now
	s.header.Key, s.header.Sender, s.header.Counter = s.key.id, id, 0
	return id, true, nil
}

// full reports whether the id may seal no further packet.
func (s *sealer) full() bool { return s.header.Counter >= maxPackets }

// seal appends a sealed packet to dst, which must have room for it.
func (s *sealer) seal(dst, payload []byte) []byte {
	s.header.Counter++
	s.header.nonce(&s.nonce)
	start := len(dst)
	dst = s.header.append(dst)
	return s.aead.Seal(dst, s.nonce[:], payload, dst[start:start+headerSize])
}
