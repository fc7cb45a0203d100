package tftp

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"
)

// A session is one client's transfer as the server's reading goroutine knows it. The
// transfer itself runs in a goroutine of its own; the two share only what is atomic
// here, and the branch.
type session struct {
	client  netip.AddrPort
	asked   []byte // the request as it came
	began   time.Time
	cancel  context.CancelCauseFunc
	branch  *branch // in single-port mode
	counted bool    // against the server's bounds
	lingers bool    // over, but for lingering

	again atomic.Bool  // the request came again
	heard atomic.Int64 // when the client was last heard in the transfer, since began; 0: not yet
}

// touch notes that the client has been heard.
func (s *session) touch() { s.heard.Store(max(1, int64(time.Since(s.began)))) }

// idle is how long the client has not been heard, 0 if it has not answered yet.
func (s *session) idle() time.Duration {
	h := time.Duration(s.heard.Load())
	if h == 0 {
		return 0
	}
	return time.Since(s.began) - h
}
