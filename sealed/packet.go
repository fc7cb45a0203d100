package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"time"
)

// The layout of a sealed packet; see doc.go.
const (
	magic   = 0xfe
	version = 1

	headerSize = 24
	tagSize    = 16
	overhead   = headerSize + tagSize
	saltSize   = 4
	nonceSize  = 12
)

// A senderID names a sender for the time in which it uses one packet key: Unix seconds
// and eight random bytes.
type senderID [12]byte

func newSenderID(now time.Time, random [8]byte) (id senderID) {
	binary.BigEndian.PutUint32(id[:], uint32(now.Unix()))
	copy(id[4:], random[:])
	return id
}

// seconds returns the Unix time at which the id was drawn.
func (id *senderID) seconds() int64 { return int64(binary.BigEndian.Uint32(id[:])) }

// A header is the first 24 bytes of a sealed packet.
type header struct {
	Key     keyID
	Sender  senderID
	Counter uint32
	Salt    [saltSize]byte
}

// append appends the header.
func (h *header) append(b []byte) []byte {
	b = append(b, magic, version)
	b = append(b, h.Key[:]...)
	b = append(b, h.Sender[:]...)
	b = binary.BigEndian.AppendUint32(b, h.Counter)
	return append(b, h.Salt[:]...)
}

// parseHeader reads the header of a packet. It reports false if b is not a sealed packet
// of this version.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < overhead || b[0] != magic || b[1] != version {
		return h, false
	}
	h.Key = keyID(b[2:4])
	h.Sender = senderID(b[4:16])
	h.Counter = binary.BigEndian.Uint32(b[16:20])
	h.Salt = [saltSize]byte(b[20:24])
	return h, h.Counter != 0
}

// nonce writes the nonce of a packet: salt, four zero bytes, counter.
func (h *header) nonce(n *[nonceSize]byte) {
	copy(n[:], h.Salt[:])
	clear(n[4:8])
	binary.BigEndian.PutUint32(n[8:], h.Counter)
}

// newAEAD returns AES-256-GCM with the packet key of a sender id.
func (d *derivation) newAEAD(id senderID) (cipher.AEAD, error) {
	key, err := d.packetKey(id)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
