package directory

import (
	"crypto/rand"
	"net/netip"
	"strconv"
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
)

// A session is what a directory keeps of one address that asks it something: a request
// that comes in fragments, and then the answer that goes out in fragments. There is one
// at a time for each address. Requests that need neither make none.
type session struct {
	from  netip.AddrPort
	place node[session] // in the queue by progress
	bytes int           // that it counts for

	// The request.
	typ     Type
	total   int
	next    int    // the fragment that is expected; total+1 when the request is complete
	body    []byte // of the fragments so far
	opening uint64 // digest of its first fragment
	latest  uint64 // and of the fragment accepted last
	peer    netip.AddrPort
	moved   time.Time      // the last progress of either side
	local   netip.Addr     // the address of this host that was asked
	budget  amplify.Budget // of what may be sent to the address

	// The answer.
	answer  fragments
	token   int  // the length of its token
	current int  // the fragment in flight; 0: no answer is under way
	refused bool // the request is answered instead of acknowledged
	held    bool // the next transmission waits until more bytes have come from the address
	tries   int
	first   time.Time // when the fragment in flight was first sent
	last    time.Time // and last
	timer   timer

	wake  time.Time
	index int // in the heap by wake
}

// queue is the index of the queue that it is in.
func (s *session) queue() int {
	if s.budget.Proved() {
		return 1
	}
	return 0
}

func (s *session) answering() bool { return s.current > 0 }

// due is when the fragment in flight is retransmitted.
func (s *session) due() time.Time { return s.last.Add(s.timer.timeout()) }

// tokenLen is the length of the token in an answer's first fragment, where there is
// room for as much: 48 random bits.
const tokenLen = 8

// setAnswer makes body the session's answer. It reports false if the request was too
// short for an answer with that number of fragments; the answer must then be shorter.
//
// The first fragment is no longer than the datagram of requestLen bytes that the
// address sent. It holds nothing but a token, which its acknowledgement repeats: a host
// that never sees the token cannot make the directory believe that it did. The token
// stands before each other fragment, too, and tells the fragments of one answer from
// those of another.
func (s *session) setAnswer(typ Type, body []byte, requestLen int, tokens *tokens) bool {
	total := 1 + cut(typ, body, tokenLen+1).total() // with a shorter token there are not more
	// TYPE, two spaces, 1, a space, TOTAL; with a token that and a space more.
	room := requestLen - len("6  1 ") - len(strconv.Itoa(total))
	if room < 0 {
		return false
	}
	token := make([]byte, min(max(room-1, 0), tokenLen))
	tokens.fill(token)
	s.token = len(token)
	s.answer, s.current, s.tries = cutAnswer(typ, body, token), 1, 0
	s.held, s.timer = false, timer{}
	return true
}

// tokens makes random tokens.
type tokens struct {
	buf  [512]byte
	left int
}

// alphabet has 64 characters that stand for themselves in a field.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// fill fills b with random characters of the alphabet.
func (t *tokens) fill(b []byte) {
	for i := range b {
		if t.left == 0 {
			rand.Read(t.buf[:]) // never fails
			t.left = len(t.buf)
		}
		t.left--
		b[i] = alphabet[t.buf[t.left]%64]
	}
}

// sessionHeap orders sessions by when they have to be looked at. It is a
// heap.Interface.
type sessionHeap []*session

func (h sessionHeap) Len() int           { return len(h) }
func (h sessionHeap) Less(i, j int) bool { return h[i].wake.Before(h[j].wake) }

func (h sessionHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds x, a *session.
func (h *sessionHeap) Push(x any) {
	s := x.(*session)
	s.index = len(*h)
	*h = append(*h, s)
}

// Pop removes the last.
func (h *sessionHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return s
}
