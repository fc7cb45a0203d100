package directory

import (
	"context"
	"iter"
	"net/netip"
)

// A Source is a peer that has a file.
type Source struct {
	// Addr is where its HTTP server is.
	Addr netip.AddrPort
}

// A Locator knows who has a file. [Client] is the central one; others, of which no
// single host is the heart, can take its place.
type Locator interface {
	// Locate yields sources as they become known, and may yield an error last. It
	// ends when ctx does, and may go on looking until then: [Fetcher.Fetch] ends it when
	// it is done.
	Locate(ctx context.Context, name string) iter.Seq2[Source, error]
}

// A Publisher tells the others what a peer has.
type Publisher interface {
	// Publish says that the peer whose HTTP server is at peer shares files, and no
	// others. It is called again and again, each [Peer.Period] at the latest.
	Publish(ctx context.Context, peer netip.AddrPort, files []string) error
	// Withdraw says that the peer is leaving.
	Withdraw(ctx context.Context, peer netip.AddrPort) error
}

// Sources is a Locator that knows some sources beforehand, whatever the file.
type Sources []Source

// Locate yields the sources, in order.
func (s Sources) Locate(context.Context, string) iter.Seq2[Source, error] {
	return func(yield func(Source, error) bool) {
		for _, src := range s {
			if !yield(src, nil) {
				return
			}
		}
	}
}
