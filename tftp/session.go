package tftp

import (
	"container/list"
	"context"
	"net/netip"
	"sync/atomic"
	"time"
)

// A session is one client's transfer as the server's reading goroutine knows it. The
// transfer itself runs in a goroutine of its own. The two share what is atomic here, and
// the branch.
type session struct {
	client  netip.AddrPort
	local   netip.Addr // of this host, that the client asked; zero: unknown
	asked   []byte     // the request as it came
	began   time.Time
	ctx     context.Context // ends when the transfer is to end
	cancel  context.CancelCauseFunc
	branch  *branch // in single-port mode
	counted bool    // against the server's bounds
	lingers bool    // over, except for lingering

	inAll, inHost *list.Element // in the lists of half-open sessions; nil: in none

	// To find readers that are too slow: how much was acknowledged at a time.
	marked     time.Time
	markedSize int64

	opened   atomic.Bool            // the handler has returned, and the transfer has its conn
	wake     atomic.Pointer[func()] // ends a read of the transfer; nil before it has its conn
	progress atomic.Int64           // bytes of the file that the client has acknowledged, or sent
	again    atomic.Int64           // when the request came again, since began; 0: it did not
	heard    atomic.Int64           // when the client was last heard in the transfer, since began; 0: not yet
}

// touch notes that the client has been heard.
func (s *session) touch() { s.heard.Store(s.age()) }

// repeated notes that the request has come again, and wakes the transfer.
func (s *session) repeated() {
	s.again.Store(s.age())
	if wake := s.wake.Load(); wake != nil {
		(*wake)()
	}
}

// age is the time since the session began, in nanoseconds; never 0.
func (s *session) age() int64 { return max(1, int64(time.Since(s.began))) }

// answered reports whether the client has answered, which proves that it is at its address.
func (s *session) answered() bool { return s.heard.Load() != 0 }

// idle is how long the client has not been heard, 0 if it has not answered yet.
func (s *session) idle() time.Duration {
	h := time.Duration(s.heard.Load())
	if h == 0 {
		return 0
	}
	return time.Since(s.began) - h
}

// askedAtTheEnd reports whether the request came again so shortly before this moment, the
// end of the transfer, that it is a new one: the client had sent its last packet, and this
// side had not looked at it yet.
func (s *session) askedAtTheEnd() bool {
	at := s.again.Load()
	return at != 0 && time.Duration(s.age()-at) < atTheEnd
}

// atTheEnd is more than the time that passes between the arrival of a packet and a look at
// it, and less than the time after which clients repeat a request.
const atTheEnd = 50 * time.Millisecond
