package sealed

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// A Config holds the options of Wrap. It may be used for any number of conns.
type Config struct {
	// Keys are the secrets of the group, at least one. The first seals; all open.
	Keys []Key

	// Purpose separates the uses of a key: packets of one purpose open in no other. It has
	// 1 to 32 characters of a-z, 0-9 and "-". It must be given.
	Purpose string

	// MaxSkew is the maximum difference between the clocks of sender and receiver, 2
	// minutes if it is 0. It is rounded down to seconds. A negative time means no limit,
	// for hosts without a clock: see "What it does not give" in the package comment.
	MaxSkew time.Duration

	// MaxSenders is the maximum number of sender ids that are remembered, 16384 if it is
	// 0, each with about 2 KiB. When there are more, the least recently used one makes
	// room, and is refused from then on. A negative number is an error.
	MaxSenders int

	// Trace reports packets that do not open. It may be nil.
	Trace *Trace
}

const (
	defaultMaxSkew    = 2 * time.Minute
	defaultMaxSenders = 1 << 14
)

// ErrConfig is wrapped by the errors of Wrap.
var ErrConfig = errors.New("sealed: invalid Config")

// Wrap returns a conn that reads and writes through pc: it seals the packets that are
// written, and drops packets that do not open.
//
// The conn owns pc: set deadlines on the conn, and close the conn. It has batch methods,
// which use those of pc; it forwards SetReadBuffer and SetWriteBuffer; and it has no
// SyscallConn, because a packet that is sent around the conn would not be sealed.
func (c *Config) Wrap(pc net.PacketConn) (net.PacketConn, error) {
	if pc == nil {
		return nil, fmt.Errorf("%w: the net.PacketConn is nil", ErrConfig)
	}
	keys, first, err := c.derivations()
	if err != nil {
		return nil, err
	}
	skew, senders := c.MaxSkew.Truncate(time.Second), c.MaxSenders
	if c.MaxSkew == 0 {
		skew = defaultMaxSkew
	}
	if c.MaxSkew < 0 {
		skew = -1
	}
	if senders == 0 {
		senders = defaultMaxSenders
	}
	if senders < 0 {
		return nil, fmt.Errorf("%w: MaxSenders is %d; want a positive number, or 0 for the default", ErrConfig, senders)
	}
	w := &conn{trace: c.Trace, now: time.Now}
	w.inner.open(pc)
	w.sealer = sealer{key: first, random: randomBytes}
	w.opener = opener{keys: keys, senders: newSenders(senders, skew)}
	if w.inner.poller != nil {
		return &pollConn{w}, nil
	}
	return w, nil
}

// derivations returns the keys by id, and the one that seals.
func (c *Config) derivations() (byID map[keyID][]derivation, first derivation, err error) {
	if err := checkPurpose(c.Purpose); err != nil {
		return nil, first, err
	}
	if len(c.Keys) == 0 {
		return nil, first, fmt.Errorf("%w: there is no key", ErrConfig)
	}
	byID = make(map[keyID][]derivation)
	for i, k := range c.Keys {
		if k.secret == nil {
			return nil, first, fmt.Errorf("%w: key %d is the zero Key", ErrConfig, i+1)
		}
		d, err := k.derivation(c.Purpose)
		if err != nil {
			return nil, first, err
		}
		if i == 0 {
			first = d
		}
		if len(byID[d.id]) < maxCollisions {
			byID[d.id] = append(byID[d.id], d)
		}
	}
	return byID, first, nil
}

// maxPurpose is the maximum length of a purpose.
const maxPurpose = 32

func checkPurpose(purpose string) error {
	ok := purpose != "" && len(purpose) <= maxPurpose
	for _, c := range []byte(purpose) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fmt.Errorf("%w: Purpose is %q; want 1 to %d characters of a-z, 0-9 and -", ErrConfig, purpose, maxPurpose)
	}
	return nil
}
