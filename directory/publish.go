package directory

import (
	"context"
	"net/netip"
)

// A Publisher tells others what a peer shares. [Client] is one.
type Publisher interface {
	// Publish says that the peer whose HTTP server is at peer shares these files, and no
	// others. A Peer calls it every [Peer.Period], and when something has changed. It
	// returns when ctx ends.
	Publish(ctx context.Context, peer netip.AddrPort, files []string) error
	// Withdraw says that the peer is leaving.
	Withdraw(ctx context.Context, peer netip.AddrPort) error
}
