package gnutella

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// An inbox takes what other goroutines ask of the one that runs [Node.Serve]. The zero value is ready.
type inbox struct {
	mu      sync.Mutex
	pending []func(*server)
	ready   chan struct{}
	ended   chan struct{}
	stats   Stats
	holders holders
}

func (b *inbox) init() {
	if b.ready == nil {
		b.ready, b.ended = make(chan struct{}, 1), make(chan struct{})
	}
}

// end returns the channel that is closed when Serve ends.
func (b *inbox) end() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.init()
	return b.ended
}

// signal returns the channel that says that there is something to take.
func (b *inbox) signal() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.init()
	return b.ready
}

// put adds a request. Serve takes it now, or when it begins.
func (b *inbox) put(f func(*server)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.init()
	b.pending = append(b.pending, f)
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []func(*server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.pending
	b.pending = nil
	return list
}

// shared are the files that the node offers.
type shared struct {
	mu    sync.Mutex
	addr  netip.AddrPort
	names []string
}

func (s *shared) set(addr netip.AddrPort, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr, s.names = addr, slices.Clone(names)
}

func (s *shared) get() (netip.AddrPort, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr, s.names
}

// find returns the index of the file that text names. Only the exact name matches.
func (s *shared) find(text string) (index int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.names, strings.TrimSuffix(text, "\x00"))
	return i, i >= 0
}
