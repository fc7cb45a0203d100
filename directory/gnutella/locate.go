package gnutella

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
)

// A question is a call of Hits.
type question struct {
	name string
	id   GUID
	hits chan Message
}

// Publish sets the files that this node offers, with an HTTP server at peer. Nothing is sent: queries find them.
// An unspecified address stands for that of the connection a query came over.
func (n *Node) Publish(_ context.Context, peer netip.AddrPort, files []string) error {
	ip := peer.Addr().Unmap()
	if ip.IsUnspecified() {
		ip = netip.IPv4Unspecified()
	}
	n.shared.set(netip.AddrPortFrom(ip, peer.Port()), files)
	n.inbox.put(func(s *server) {
		s.m.Addr, _ = n.shared.get()
		s.m.Files = uint32(len(files))
	})
	return nil
}

// Withdraw ends the offer of all files.
func (n *Node) Withdraw(ctx context.Context, peer netip.AddrPort) error {
	return n.Publish(ctx, peer, nil)
}

// Hits floods a query for the exact name, and yields the QueryHits that come within five seconds of the first, or
// none if ten seconds pass without one. It yields an error last: ErrNoLink if there was no neighbour all the time.
func (n *Node) Hits(ctx context.Context, name string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		q := &question{name: name, hits: make(chan Message, 256)}
		linked := make(chan bool, 1)
		n.inbox.put(func(s *server) { s.ask(q) })
		defer n.inbox.put(func(s *server) { s.forget(q) })
		timer := time.NewTimer(noHits)
		defer timer.Stop()
		for first := true; ; {
			select {
			case m := <-q.hits:
				if first {
					first = false
					timer.Reset(moreHits)
				}
				if !yield(m, nil) {
					return
				}
			case <-timer.C:
				if !first {
					return
				}
				n.inbox.put(func(s *server) { linked <- len(s.links) > 0 })
				select {
				case ok := <-linked:
					if !ok {
						yield(Message{}, ErrNoLink)
					}
				case <-n.inbox.end():
				}
				return
			case <-ctx.Done():
				yield(Message{}, context.Cause(ctx))
				return
			case <-n.inbox.end():
				yield(Message{}, ErrClosed)
				return
			}
		}
	}
}

func (s *server) ask(q *question) {
	q.id = s.m.Ask(q.name, func(hit *Message) {
		select {
		case q.hits <- *hit:
		default: // more than anybody needs
		}
	}, s.send)
	s.asked[q] = true
}

func (s *server) forget(q *question) {
	s.m.Forget(q.id)
	delete(s.asked, q)
}

// Locate implements [fetch.Locator]: the sources are the servents whose QueryHits have the name.
func (n *Node) Locate(ctx context.Context, name string) iter.Seq2[fetch.Source, error] {
	return func(yield func(fetch.Source, error) bool) {
		seen := make(map[netip.AddrPort]bool)
		for hit, err := range n.Hits(ctx, name) {
			if err != nil {
				yield(fetch.Source{}, err)
				return
			}
			for _, r := range hit.Results {
				if r.Name == name && !seen[hit.Addr] {
					seen[hit.Addr] = true
					n.remember(hit, r.Index)
					if !yield(fetch.Source{Addr: hit.Addr}, nil) {
						return
					}
				}
			}
		}
	}
}
