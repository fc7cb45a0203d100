package p2mp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ferrygo/ferry"
)

// Reasons why a packet is malformed or ignored; see [ParsePacket] and [Trace].
var (
	// ErrCategory: the category is unknown, or only packets to the other side have it.
	ErrCategory = errors.New("p2mp: unknown category")
	// ErrSequence: the sequence number cannot be right: it is 0, or that of a chunk that was
	// not sent yet, or of a chunk after the one that is due.
	ErrSequence = errors.New("p2mp: unexpected sequence number")
	// ErrLength: the chunk is longer than chunk 1, or does not have the length that its
	// number requires.
	ErrLength = errors.New("p2mp: unexpected chunk length")
	// ErrSession: the packet belongs to another session, or to none.
	ErrSession = errors.New("p2mp: packet of another session")
)

// Reasons why a transfer failed, in whole or for one receiver.
var (
	// ErrStalled: the receiver answers, but nothing that is sent to it arrives. The packets
	// may be too long for the path.
	ErrStalled = errors.New("p2mp: stalled")
	// ErrSlow: the receiver delayed the others in the group (see Sender.MinRate), or received
	// almost nothing.
	ErrSlow = errors.New("p2mp: slow")
	// errChecking: the receiver has all chunks, and takes too long to check them.
	errChecking = fmt.Errorf("%w: still checking", ferry.ErrUnconfirmed)
	// ErrTooManyChunks: the file has more chunks than there are sequence numbers. Use a
	// larger MSS.
	ErrTooManyChunks = errors.New("p2mp: more than 4294967295 chunks")
)

// Errors of package ferry, as this package returns them.
var (
	errBusy      = fmt.Errorf("p2mp: %w", ferry.ErrBusy)
	errDigest    = fmt.Errorf("p2mp: %w", ferry.ErrDigest)
	errRestarted = fmt.Errorf("p2mp: %w", ferry.ErrRestarted)
)

// A PeerError says why one receiver does not have the whole file, as far as the sender
// knows.
type PeerError struct {
	Addr netip.AddrPort
	// Seq is the first chunk that the receiver did not acknowledge.
	Seq uint32
	// Silence is how long the sender waited for an answer to its first try.
	Silence time.Duration
	// Length is the length of the packets that did not arrive, and Fits the length of packets
	// that did, if that may be the reason; otherwise both are 0. Use a smaller MSS then.
	Length, Fits int
	// Err is ErrStalled, ErrSlow, ferry.ErrNoAnswer, ferry.ErrSilent or ferry.ErrUnconfirmed,
	// or an *AbortError with what the receiver said. It is joined with the last error of
	// writing to the receiver, if there was one.
	Err error
}

// Error returns "ADDRESS: what happened".
func (e *PeerError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: ", e.Addr)
	switch {
	case errors.Is(e.Err, ferry.ErrNoAnswer):
		fmt.Fprintf(&b, "no answer in %v", e.Silence)
	case errors.Is(e.Err, ferry.ErrUnconfirmed) && errors.Is(e.Err, ferry.ErrRestarted):
		fmt.Fprintf(&b, "sent, not confirmed: after chunk %d, the last, it knows nothing of the transfer", e.Seq)
	case errors.Is(e.Err, errChecking):
		fmt.Fprintf(&b, "sent, not confirmed: it has been checking the file for %v", e.Silence)
	case errors.Is(e.Err, ferry.ErrUnconfirmed):
		fmt.Fprintf(&b, "sent, not confirmed: no answer to the end, after chunk %d, in %v", e.Seq, e.Silence)
	case errors.Is(e.Err, ErrSlow) && e.Silence > 0:
		fmt.Fprintf(&b, "too slow: it took next to nothing in %v, and lacks chunk %d and what follows", e.Silence, e.Seq)
	case errors.Is(e.Err, ErrSlow):
		fmt.Fprintf(&b, "too slow for the others, lacks chunk %d and what follows", e.Seq)
	case errors.Is(e.Err, ErrStalled):
		fmt.Fprintf(&b, "answers, but chunk %d and what follows did not arrive in %v", e.Seq, e.Silence)
		if e.Length > 0 {
			fmt.Fprintf(&b, ": packets of %d bytes do not arrive, packets of %d do: path MTU?", e.Length, e.Fits)
		}
	case errors.Is(e.Err, ferry.ErrSilent):
		fmt.Fprintf(&b, "silent for %v, lacks chunk %d and what follows", e.Silence, e.Seq)
	default:
		if a, ok := errors.AsType[*AbortError](e.Err); ok {
			b.WriteString(a.Reason.String())
		} else {
			fmt.Fprint(&b, e.Err)
		}
	}
	if w, ok := errors.AsType[*writeError](e.Err); ok {
		fmt.Fprintf(&b, " (%v)", w.err)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *PeerError) Unwrap() error { return e.Err }

// A writeError is the last error of sending to a receiver. It often explains why the
// receiver does not answer: no route, or a firewall.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// An IncompleteError is returned by Send when some receivers, or all, do not have the whole
// file, as far as the sender knows.
type IncompleteError struct {
	// Receivers is how many there were.
	Receivers int
	// Peers are those that failed, in the order in which they were given.
	Peers []*PeerError
	// Unsolicited is an address that sent packets although it is none of the receivers; not
	// valid if there was none. It may be another address of a receiver.
	Unsolicited netip.AddrPort
}

// Error returns one line with every failed receiver in it, such as "p2mp: 2 of 3
// receivers answered; 10.0.0.9:7735: no answer in 5s".
func (e *IncompleteError) Error() string {
	what := "answered"
	for _, p := range e.Peers {
		if !errors.Is(p.Err, ferry.ErrNoAnswer) {
			what = "have the whole file"
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "p2mp: %d of %d receivers %s", e.Receivers-len(e.Peers), e.Receivers, what)
	for _, p := range e.Peers {
		b.WriteString("; ")
		b.WriteString(p.Error())
	}
	if e.Unsolicited.IsValid() && what == "answered" {
		fmt.Fprintf(&b, "; packets came from %v, which is none of the receivers", e.Unsolicited)
	}
	return b.String()
}

// Unwrap returns the receivers' errors.
func (e *IncompleteError) Unwrap() []error {
	errs := make([]error, len(e.Peers))
	for i, p := range e.Peers {
		errs[i] = p
	}
	return errs
}
