package chord

import (
	"sync"
	"time"
)

// A request is what another goroutine asks of the one that runs [Node.Serve], which owns the machine.
type request func(m *Machine, now time.Duration, out Out)

// An inbox takes requests to the goroutine of Serve. The zero value is ready.
type inbox struct {
	mu      sync.Mutex
	pending []request
	wake    func()        // wakes Serve; nil while it does not run
	ended   chan struct{} // closed when Serve has ended; made by the first who needs it
}

// end returns the channel that is closed when Serve ends.
func (b *inbox) end() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended == nil {
		b.ended = make(chan struct{})
	}
	return b.ended
}

// put adds a request, for Serve to take now or when it begins.
func (b *inbox) put(r request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = append(b.pending, r)
	if b.wake != nil {
		b.wake()
	}
}

// take returns the requests that were put.
func (b *inbox) take() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.pending
	b.pending = nil
	return list
}
