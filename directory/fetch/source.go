package fetch

import (
	"context"
	"iter"
	"net/netip"
)

// A Source is a peer that has a file.
type Source struct {
	// Addr is the address of its HTTP server. A link-local IPv6 address has a zone.
	Addr netip.AddrPort
}

// A Locator finds the sources of a file. The client of a central directory is one.
type Locator interface {
	// Locate yields sources as it finds them, and may yield an error last. It returns
	// when ctx ends, and may search until then: [Fetcher.Fetch] ends ctx when the file
	// is complete.
	Locate(ctx context.Context, name string) iter.Seq2[Source, error]
}

// Sources is a Locator that yields the same sources for every file.
type Sources []Source

// Locate yields the sources in order.
func (s Sources) Locate(context.Context, string) iter.Seq2[Source, error] {
	return func(yield func(Source, error) bool) {
		for _, src := range s {
			if !yield(src, nil) {
				return
			}
		}
	}
}

// host returns what counts as one voter: an IPv4 address, or the 64 bits of an IPv6
// address that a site assigns to a link (RFC 4291, section 2.5.4). A host can have any
// number of ports, and of addresses with one prefix.
func (s Source) host() netip.Addr {
	a := s.Addr.Addr()
	if a.Is4() || a.IsLoopback() {
		return a
	}
	prefix, err := a.Prefix(64)
	if err != nil || a.IsLinkLocalUnicast() {
		return a // every host of a link has the same link-local prefix
	}
	return prefix.Addr()
}
