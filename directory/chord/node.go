package chord

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// The defaults of a Node.
const (
	DefaultPort       = 7777
	DefaultSuccessors = 8
	DefaultPeriod     = 5 * time.Second
	DefaultExpiry     = 10 * time.Minute
	DefaultMaxKeys    = 100_000
	DefaultMaxHolders = 100
	DefaultMaxPerAddr = 10_000
	DefaultTries      = 5
)

// A Node is a member of a ring, or asks one. It is a Locator and a Publisher.
//
// The fields are not changed after the first call. [Node.Serve] must run while the other methods are
// called, which any number of goroutines may do. A Node must not be copied.
type Node struct {
	// Conn carries the packets. It stays the caller's, who closes it when Serve has
	// returned.
	Conn net.PacketConn
	// Addr is where other nodes reach this one; its identifier is a digest of it. Zero
	// means Conn's own address, which must not be unspecified then.
	Addr netip.AddrPort
	// Join are nodes of the ring to join. Without any the node begins a ring.
	Join []netip.AddrPort
	// Observe has the node ask the ring of Join without becoming a member.
	Observe bool

	// Successors is the length of the successor list: as many nodes less one may fail at once.
	// Every publication is kept by that many nodes. 0 means DefaultSuccessors; 16 at most.
	Successors int
	// Period is the mean time between two rounds of maintenance. 0 means DefaultPeriod.
	Period time.Duration
	// Expiry is how long this node keeps a publication that is not renewed, and three times how often
	// it renews its own. 0 means DefaultExpiry.
	Expiry time.Duration
	// MaxKeys, MaxHolders and MaxPerAddr bound what this node keeps for others: names, holders of
	// one name, and publications from one IP address. 0 means the default.
	MaxKeys, MaxHolders, MaxPerAddr int

	// Trace observes the node. Nil observes nothing.
	Trace *Trace

	calls  inbox
	stats  Stats // guarded by calls.mu
	renews renewals
}

// Stats says what a node has done.
type Stats struct {
	Sent, Received int // packets
	Malformed      int // packets that were ignored
	Keys, Holders  int // publications that are kept for others
	Member         bool
	Predecessor    netip.AddrPort
	Successors     []netip.AddrPort
}

// Stats returns what the node has done so far. It may be called at any time.
func (n *Node) Stats() Stats {
	n.calls.mu.Lock()
	defer n.calls.mu.Unlock()
	s := n.stats
	s.Successors = append([]netip.AddrPort(nil), s.Successors...)
	return s
}

// addr is the address that the node has for others.
func (n *Node) addr() (netip.AddrPort, error) {
	a := n.Addr
	if !a.IsValid() {
		if u, ok := n.Conn.LocalAddr().(*net.UDPAddr); ok {
			a = u.AddrPort()
		} else if p, err := netip.ParseAddrPort(n.Conn.LocalAddr().String()); err == nil {
			a = p
		}
	}
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if !a.IsValid() || a.Addr().IsUnspecified() || a.Port() == 0 {
		return a, fmt.Errorf("chord: %v is no address that others can reach: set Addr", a)
	}
	return a, nil
}

// settings are what the machine of the node is made with.
func (n *Node) settings() (Settings, error) {
	s := Settings{
		Successors: or(n.Successors, DefaultSuccessors),
		Period:     or(n.Period, DefaultPeriod),
		Tries:      DefaultTries,
		Eager:      true,
		Timer:      rtt.Config{Initial: 300 * time.Millisecond},
	}
	switch {
	case s.Successors < 1 || s.Successors > 16:
		return s, fmt.Errorf("chord: Successors is %d, not 1 to 16", s.Successors)
	case s.Period < 0 || n.Expiry < 0 || n.MaxKeys < 0 || n.MaxHolders < 0 || n.MaxPerAddr < 0:
		return s, errors.New("chord: a negative option")
	case n.Observe && len(n.Join) == 0:
		return s, errors.New("chord: Observe needs a node to ask: set Join")
	}
	return s, nil
}

// or returns v, or def if v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
