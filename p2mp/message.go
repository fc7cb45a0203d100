package p2mp

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"net/netip"
	"time"
)

// This file has the bodies of the packets of the extended mode. Each begins with the session.
// The package comment has the layouts. A body with any fault is errMalformed.

// version is the version of the extended mode.
const version = 1

// digestSHA256 is the only kind of digest.
const digestSHA256 = 1

var errMalformed = errors.New("p2mp: malformed packet")

// A hello offers a transfer.
type hello struct {
	session uint64
	version uint16
	needs   uint16 // capabilities that the receiver must have: none is defined

	name   string
	size   int64 // negative: unknown
	mode   fs.FileMode
	mss    int
	kind   uint8          // of digest
	digest *[32]byte      // nil: comes with FIN
	fec    uint16         // chunks in a block with parity; 0: no parity
	group  netip.AddrPort // where DATA is sent; invalid: to each receiver
	join   time.Duration  // how long receivers may join, in milliseconds
	token  uint64         // from an ABORT (busy); 0: none
}

// The types of a HELLO's fields.
const (
	fieldPadding = iota
	fieldName
	fieldSize
	fieldMode
	fieldMSS
	fieldKind
	fieldDigest
	fieldFEC
	fieldGroup
	fieldJoin

	fieldToken = 17 // the types between are reserved
)

// helloMin is the length that a HELLO is padded to, header included. It is not shorter than
// the REPORT that answers it, so that a forged HELLO amplifies nothing.
const helloMin = 64

func (h *hello) append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, h.session)
	b = binary.BigEndian.AppendUint16(b, h.version)
	b = binary.BigEndian.AppendUint16(b, h.needs)
	if h.name != "" {
		b = append(appendField(b, fieldName, len(h.name)), h.name...)
	}
	if h.size >= 0 {
		b = binary.BigEndian.AppendUint64(appendField(b, fieldSize, 8), uint64(h.size))
	}
	if h.mode != 0 {
		b = binary.BigEndian.AppendUint32(appendField(b, fieldMode, 4), uint32(h.mode.Perm()))
	}
	b = binary.BigEndian.AppendUint16(appendField(b, fieldMSS, 2), uint16(h.mss))
	b = append(appendField(b, fieldKind, 1), h.kind)
	if h.digest != nil {
		b = append(appendField(b, fieldDigest, 32), h.digest[:]...)
	}
	if h.fec != 0 {
		b = binary.BigEndian.AppendUint16(appendField(b, fieldFEC, 2), h.fec)
	}
	if h.group.IsValid() {
		ip := h.group.Addr().AsSlice()
		b = append(appendField(b, fieldGroup, len(ip)+2), ip...)
		b = binary.BigEndian.AppendUint16(b, h.group.Port())
	}
	if h.join > 0 {
		ms := min(h.join.Milliseconds(), math.MaxUint32)
		b = binary.BigEndian.AppendUint32(appendField(b, fieldJoin, 4), uint32(ms))
	}
	if h.token != 0 {
		b = binary.BigEndian.AppendUint64(appendField(b, fieldToken, 8), h.token)
	}
	if short := helloMin - headerLen - (len(b) - start); short > 0 {
		const field = 3 // bytes of its type and length
		n := max(0, short-field)
		b = append(appendField(b, fieldPadding, n), make([]byte, n)...)
	}
	return b
}

func appendField(b []byte, kind uint8, length int) []byte {
	return binary.BigEndian.AppendUint16(append(b, kind), uint16(length))
}

// parseHello skips fields of unknown types. A field that is repeated, truncated, or of a
// length that its type does not allow makes the HELLO malformed.
func parseHello(b []byte) (hello, error) {
	if len(b) < 12 {
		return hello{}, errMalformed
	}
	h := hello{
		session: binary.BigEndian.Uint64(b),
		version: binary.BigEndian.Uint16(b[8:]),
		needs:   binary.BigEndian.Uint16(b[10:]),
		size:    -1,
	}
	var seen [fieldToken + 1]bool
	for b = b[12:]; len(b) > 0; {
		if len(b) < 3 || len(b)-3 < int(binary.BigEndian.Uint16(b[1:])) {
			return hello{}, errMalformed
		}
		kind, length := b[0], int(binary.BigEndian.Uint16(b[1:]))
		value := b[3 : 3+length]
		b = b[3+length:]
		if kind > fieldJoin && kind != fieldToken {
			continue
		}
		if seen[kind] && kind != fieldPadding || !h.setField(kind, value) {
			return hello{}, errMalformed
		}
		seen[kind] = true
	}
	return h, nil
}

// setField reports whether the value has an allowed length.
func (h *hello) setField(kind uint8, v []byte) bool {
	switch {
	case kind == fieldPadding:
	case kind == fieldName:
		h.name = string(v)
	case kind == fieldSize && len(v) == 8:
		h.size = int64(binary.BigEndian.Uint64(v))
		return h.size >= 0
	case kind == fieldMode && len(v) == 4:
		h.mode = fs.FileMode(binary.BigEndian.Uint32(v)).Perm()
	case kind == fieldMSS && len(v) == 2:
		h.mss = int(binary.BigEndian.Uint16(v))
	case kind == fieldKind && len(v) == 1:
		h.kind = v[0]
	case kind == fieldDigest && len(v) == 32:
		h.digest = (*[32]byte)(append([]byte(nil), v...))
	case kind == fieldFEC && len(v) == 2:
		h.fec = binary.BigEndian.Uint16(v)
	case kind == fieldGroup && (len(v) == 6 || len(v) == 18):
		ip, _ := netip.AddrFromSlice(v[:len(v)-2])
		h.group = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(v[len(v)-2:]))
	case kind == fieldJoin && len(v) == 4:
		h.join = time.Duration(binary.BigEndian.Uint32(v)) * time.Millisecond
	case kind == fieldToken && len(v) == 8:
		h.token = binary.BigEndian.Uint64(v)
	default:
		return false
	}
	return true
}

// A poll asks receivers which chunks they have.
type poll struct {
	session uint64
	number  uint32 // from 1; polls and FINs are numbered together
	highest uint32 // the highest chunk sent so far
	// Receivers answer if their id leaves the remainder when divided by the modulus. If the
	// modulus is 0 or 1, all answer.
	modulus, remainder uint16
	fill               int // bytes that follow, zeros
}

func (p *poll) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.session)
	b = binary.BigEndian.AppendUint32(b, p.number)
	b = binary.BigEndian.AppendUint32(b, p.highest)
	b = binary.BigEndian.AppendUint16(b, p.modulus)
	b = binary.BigEndian.AppendUint16(b, p.remainder)
	return append(b, make([]byte, p.fill)...)
}

// pollLen is how long a POLL is that is not filled up.
const pollLen = 20

func parsePoll(b []byte) (poll, error) {
	if len(b) < pollLen { // a later version may add to it, and it may be filled up
		return poll{}, errMalformed
	}
	return poll{
		session:   binary.BigEndian.Uint64(b),
		number:    binary.BigEndian.Uint32(b[8:]),
		highest:   binary.BigEndian.Uint32(b[12:]),
		modulus:   binary.BigEndian.Uint16(b[16:]),
		remainder: binary.BigEndian.Uint16(b[18:]),
	}, nil
}

// asks reports whether the receiver with this id should answer.
func (p *poll) asks(id uint32) bool {
	return p.modulus <= 1 || id%uint32(p.modulus) == uint32(p.remainder)
}

// A fin is a poll that tells size and digest of the file.
type fin struct {
	session uint64
	number  uint32
	rto     time.Duration // the sender's timer for this receiver, in microseconds
	size    int64
	digest  [32]byte
}

func (f *fin) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, f.session)
	b = binary.BigEndian.AppendUint32(b, f.number)
	b = binary.BigEndian.AppendUint32(b, uint32(min(f.rto.Microseconds(), math.MaxUint32)))
	b = binary.BigEndian.AppendUint64(b, uint64(f.size))
	return append(b, f.digest[:]...)
}

func parseFin(b []byte) (fin, error) {
	if len(b) < 56 {
		return fin{}, errMalformed
	}
	f := fin{
		session: binary.BigEndian.Uint64(b),
		number:  binary.BigEndian.Uint32(b[8:]),
		rto:     time.Duration(binary.BigEndian.Uint32(b[12:])) * time.Microsecond,
		size:    int64(binary.BigEndian.Uint64(b[16:])),
		digest:  [32]byte(b[24:56]),
	}
	if f.size < 0 {
		return fin{}, errMalformed
	}
	return f, nil
}

// A status is the body of a REPORT: which chunks a receiver has.
type status struct {
	session  uint64
	id       uint32 // of the receiver, random
	number   uint32 // of the poll or FIN that is answered; 0: the HELLO
	cum      uint32 // all chunks up to this one are held
	space    uint32 // how many chunks after cum are kept
	burst    uint32 // how many packets at once are sure to fit into the socket
	received uint32 // DATA packets of the session that arrived, duplicates included
	clock    uint32 // the receiver's, in microseconds
	progress progress
	// held has a bit for each chunk from cum+2 on, most significant bit first; chunk
	// cum+1 is missing. It ends with the last byte that is not zero.
	held []byte
}

// progress is the state of a receiver.
type progress uint8

const (
	gathering progress = iota
	checking           // has all chunks, and verifies the file
	kept               // the file is whole, verified and safe
)

const statusLen = 38

func (s *status) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, s.session)
	b = binary.BigEndian.AppendUint32(b, s.id)
	b = binary.BigEndian.AppendUint32(b, s.number)
	b = binary.BigEndian.AppendUint32(b, s.cum)
	b = binary.BigEndian.AppendUint32(b, s.space)
	b = binary.BigEndian.AppendUint32(b, s.burst)
	b = binary.BigEndian.AppendUint32(b, s.received)
	b = binary.BigEndian.AppendUint32(b, s.clock)
	b = append(b, byte(s.progress), 0)
	return append(b, s.held...)
}

// parseStatus returns a status whose held aliases b.
func parseStatus(b []byte) (status, error) {
	if len(b) < statusLen || progress(b[36]) > kept {
		return status{}, errMalformed
	}
	return status{
		session:  binary.BigEndian.Uint64(b),
		id:       binary.BigEndian.Uint32(b[8:]),
		number:   binary.BigEndian.Uint32(b[12:]),
		cum:      binary.BigEndian.Uint32(b[16:]),
		space:    binary.BigEndian.Uint32(b[20:]),
		burst:    binary.BigEndian.Uint32(b[24:]),
		received: binary.BigEndian.Uint32(b[28:]),
		clock:    binary.BigEndian.Uint32(b[32:]),
		progress: progress(b[36]),
		held:     b[statusLen:],
	}, nil
}

// has reports whether chunk cum+1+i is held.
func (s *status) has(i uint32) bool {
	if i == 0 {
		return false
	}
	i--
	return i/8 < uint32(len(s.held)) && s.held[i/8]&(0x80>>(i%8)) != 0
}

// An abort ends a session.
type abort struct {
	session uint64
	reason  Reason
	token   uint64 // for the sender's next HELLO; 0: none
}

func (a *abort) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, a.session)
	b = binary.BigEndian.AppendUint16(b, uint16(a.reason))
	if a.token != 0 {
		b = binary.BigEndian.AppendUint64(b, a.token)
	}
	return b
}

func parseAbort(b []byte) (abort, error) {
	if len(b) < 10 {
		return abort{}, errMalformed
	}
	a := abort{session: binary.BigEndian.Uint64(b), reason: Reason(binary.BigEndian.Uint16(b[8:]))}
	if len(b) >= 18 {
		a.token = binary.BigEndian.Uint64(b[10:])
	}
	return a, nil
}

// A message is the body of a packet of the extended mode.
type message interface{ append(b []byte) []byte }

// appendMessage appends a whole packet of the extended mode.
func appendMessage(b []byte, c Category, body message) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, byte(c>>8), byte(c))
	b = body.append(b)
	seal(b[start:], 0)
	return b
}
