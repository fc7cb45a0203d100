package chord

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/directory/fetch"
)

// maxAnswers is more than the nodes that are asked for the holders of a name.
const maxAnswers = maxAddrs + 1

// Holders yields the addresses that are registered under a name, as the nodes that keep them answer.
// It yields an error last, if there is one: ErrNoAnswer if no node answered. A name without
// holders is not an error.
func (n *Node) Holders(ctx context.Context, name string) iter.Seq2[netip.AddrPort, error] {
	return func(yield func(netip.AddrPort, error) bool) {
		found, done := make(chan []netip.AddrPort, maxAnswers), make(chan int, 1)
		n.calls.put(func(m *Machine, now time.Duration, out Out) {
			m.Locate(now, HashName(name), func(list []netip.AddrPort) { found <- list }, func(answered int) {
				done <- answered
			}, out)
		})
		seen := make(map[netip.AddrPort]bool)
		each := func(list []netip.AddrPort) bool {
			for _, a := range list {
				if !seen[a] && !yield(a, nil) {
					return false
				}
				seen[a] = true
			}
			return true
		}
		for {
			select {
			case list := <-found:
				if !each(list) {
					return
				}
			case answered := <-done:
				for len(found) > 0 {
					if !each(<-found) {
						return
					}
				}
				if answered == 0 {
					yield(netip.AddrPort{}, ErrNoAnswer)
				}
				return
			case <-ctx.Done():
				yield(netip.AddrPort{}, context.Cause(ctx))
				return
			case <-n.calls.end():
				yield(netip.AddrPort{}, ErrClosed)
				return
			}
		}
	}
}

var (
	_ fetch.Locator       = (*Node)(nil)
	_ directory.Publisher = (*Node)(nil)
)

// Locate implements [fetch.Locator]: the sources are the Holders of the name.
func (n *Node) Locate(ctx context.Context, name string) iter.Seq2[fetch.Source, error] {
	return func(yield func(fetch.Source, error) bool) {
		for addr, err := range n.Holders(ctx, name) {
			if !yield(fetch.Source{Addr: addr}, err) {
				return
			}
		}
	}
}

// renewals are the names that the node has published, and when.
type renewals struct {
	mu    sync.Mutex
	port  uint16
	names map[string]renewal
	// around are the neighbours that the node had when it last published: where they change,
	// names may belong to other nodes.
	around []netip.AddrPort
}

// A renewal says when a name was published, and how long it is until the next time.
type renewal struct {
	at   time.Time
	wait time.Duration
}

// firstRenewal is how soon a name is published again for the first time. The time doubles up to a third of Expiry:
// a ring that is young may change much.
const firstRenewal = 5 * time.Second

// maxPublishing bounds the publications that are under way at the same time.
const maxPublishing = 16

// Publish registers this host, with an HTTP server at peer's port, as a holder of files, in place of those that
// it registered before. Other nodes take the IP address from the packets, so a node can
// register only its own host. Publish is called again and again; it registers what is new at once, and the rest again
// after 5 s, 10 s and so on up to a third of Expiry, and when the node's neighbours in the ring have changed.
//
// The error joins those of the names that no node has accepted, and wraps ErrNoAnswer or ErrRefused.
func (n *Node) Publish(ctx context.Context, peer netip.AddrPort, files []string) error {
	r := &n.renews
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil || r.port != peer.Port() {
		r.port, r.names = peer.Port(), make(map[string]renewal)
	}
	stats := n.Stats()
	around := append([]netip.AddrPort{stats.Predecessor}, stats.Successors...)
	changed := !slices.Equal(around, r.around)
	r.around = around
	wanted := make(map[string]bool, len(files))
	var due []string
	for _, name := range files {
		wanted[name] = true
		if known, ok := r.names[name]; !ok || changed || time.Since(known.at) >= known.wait {
			due = append(due, name)
		}
	}
	var gone []string
	for name := range r.names {
		if !wanted[name] {
			gone = append(gone, name)
			delete(r.names, name)
		}
	}
	errs := n.register(ctx, gone, true, func(string) {})
	errs = append(errs, n.register(ctx, due, false, func(name string) {
		wait := min(max(firstRenewal, 2*r.names[name].wait), or(n.Expiry, DefaultExpiry)/3)
		if changed {
			wait = firstRenewal
		}
		r.names[name] = renewal{time.Now(), wait}
	})...)
	return errors.Join(errs...)
}

// Withdraw removes what the node has published.
func (n *Node) Withdraw(ctx context.Context, peer netip.AddrPort) error {
	return n.Publish(ctx, peer, nil)
}

// register publishes or removes names, some at a time, and calls ok for each that succeeded.
func (n *Node) register(ctx context.Context, names []string, remove bool, ok func(name string)) (errs []error) {
	type outcome struct {
		name   string
		stored int
	}
	outcomes := make(chan outcome, maxPublishing)
	next, running := 0, 0
	for next < len(names) || running > 0 {
		if next < len(names) && running < maxPublishing {
			name := names[next]
			n.calls.put(func(m *Machine, now time.Duration, out Out) {
				m.Publish(now, HashName(name), n.renews.port, remove, func(stored, answered int) {
					if stored == 0 && answered == 0 {
						stored = -1
					}
					outcomes <- outcome{name, stored}
				}, out)
			})
			next++
			running++
			continue
		}
		select {
		case o := <-outcomes:
			running--
			n.Trace.published(o.name, max(o.stored, 0))
			switch {
			case o.stored > 0:
				ok(o.name)
			case remove: // it expires
			case o.stored == 0:
				errs = append(errs, fmt.Errorf("%w: %q", ErrRefused, o.name))
			default:
				errs = append(errs, fmt.Errorf("%w: %q", ErrNoAnswer, o.name))
			}
		case <-ctx.Done():
			return append(errs, context.Cause(ctx))
		case <-n.calls.end():
			return append(errs, ErrClosed)
		}
	}
	return errs
}
