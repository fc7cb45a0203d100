package gnutella

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/directory/fetch"
)

// The defaults of a Node.
const (
	DefaultPort     = 7777
	DefaultMaxLinks = 4
	DefaultAccept   = 32
	DefaultMaxRate  = 500
)

// The times of a Node.
const (
	handshakeTimeout = 10 * time.Second
	pingPeriod       = 20 * time.Second
	silence          = 90 * time.Second // a neighbour that says nothing for so long is disconnected
	dialPeriod       = 2 * time.Second
	moreHits         = 5 * time.Second // how long Holders waits after the first hit
	noHits           = 10 * time.Second
)

// A Node is a servent of a Gnutella network: it is a Locator and a Publisher.
//
// The fields are not changed after the first call. [Node.Serve] must run while the other methods are
// called, which any number of goroutines may do. A Node must not be copied.
type Node struct {
	// Listener takes neighbours, and connections that answer a Push. It stays the caller's, who closes it
	// when Serve has returned. Nil takes none.
	Listener net.Listener
	// Join are nodes to connect to first. Others are learnt from their Pongs.
	Join []netip.AddrPort
	// MaxLinks is how many neighbours the node looks for; Accept how many it accepts beyond that. 0
	// means the default.
	MaxLinks, Accept int
	// MaxRate is how many messages a second a neighbour may send, on average over some seconds. One that sends
	// more is disconnected. 0 means DefaultMaxRate, negative no bound.
	MaxRate int
	// Handler serves the files over connections that this node makes to answer a Push. Nil answers none.
	Handler http.Handler
	// Size returns the size of a shared file, for QueryHits. Nil means 0 for all.
	Size func(name string) int64
	// Dial connects to an address. Nil means a net.Dialer.
	Dial func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// Trace observes the node. Nil observes nothing.
	Trace *Trace

	shared shared
	inbox  inbox
}

var (
	_ fetch.Locator       = (*Node)(nil)
	_ directory.Publisher = (*Node)(nil)
)

// Stats says what a node has done.
type Stats struct {
	Counts
	Links []netip.AddrPort // the neighbours
}

// Stats returns what the node has done so far. It may be called at any time.
func (n *Node) Stats() Stats {
	n.inbox.mu.Lock()
	defer n.inbox.mu.Unlock()
	s := n.inbox.stats
	s.Links = slices.Clone(s.Links)
	return s
}

func or(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// Serve runs the node: it finds neighbours and keeps them, answers, and forwards, until ctx ends, whose
// cause it returns, or Listener fails. Serve may be called once.
func (n *Node) Serve(ctx context.Context) error {
	if n.MaxLinks < 0 || n.Accept < 0 {
		return errors.New("gnutella: a negative option")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := newServer(ctx, n)
	if n.Listener != nil {
		s.tasks.Go(func() { cancel(fmt.Errorf("gnutella: listener: %w", s.accept())) })
	}
	stop := context.AfterFunc(ctx, func() {
		if d, ok := n.Listener.(interface{ SetDeadline(time.Time) error }); ok {
			d.SetDeadline(time.Now())
		}
	})
	defer stop()
	s.run()
	close(n.inbox.end())
	s.close()
	return context.Cause(ctx)
}
