package tftp

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Option is one pair of an RRQ, a WRQ or an OACK (RFC 2347). Names are
// compared without regard to case.
type Option struct{ Name, Value string }

// The options that are understood.
const (
	optBlockSize  = "blksize"    // RFC 2348
	optTimeout    = "timeout"    // RFC 2349
	optSize       = "tsize"      // RFC 2349
	optWindowSize = "windowsize" // RFC 7440
)

// The bounds of the options' values.
const (
	minBlockSize     = 8     // RFC 2348
	MaxBlockSize     = 65464 // RFC 2348
	MaxWindowSize    = 65535 // RFC 7440, section 3
	maxTimeout       = 255   // seconds; RFC 2349
	defaultBlockSize = 512   // RFC 1350, where there is no option
)

// Settings are the options in force in a transfer.
type Settings struct {
	// BlockSize is the payload of a full block in bytes; 512 without the option.
	BlockSize int
	// WindowSize is the number of blocks that follow one another without
	// an ACK; 1 without the option.
	WindowSize int
	// Size is the file's length in bytes as one side announced it, -1 if
	// it did not.
	Size int64
	// Timeout is the time before a server retransmits, as the server has granted it; 0 if it
	// has not.
	Timeout time.Duration
}

// plain is what holds without options.
var plain = func() Settings { return Settings{BlockSize: defaultBlockSize, WindowSize: 1, Size: -1} }

// digits reads the value of an option: decimal digits alone. A number that is too large
// for an int64 is the largest int64, and fits is false.
func digits(s string) (n int64, fits, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil, true
}

// number reads the value of an option that must be within bounds.
func number(s string, low, high int64) (int64, bool) {
	n, fits, ok := digits(s)
	return n, ok && fits && n >= low && n <= high
}

// atMost reads the value of an option that the server may lower. A value above high is
// high.
func atMost(s string, low, high int64) (int64, bool) {
	n, _, ok := digits(s)
	return min(n, high), ok && n >= low
}

// limits are what a server grants.
type limits struct {
	blockSize int                     // the largest
	window    func(blockSize int) int // the largest for a block size
	size      int64                   // of the file to be read, -1 if unknown
	op        Opcode                  // RRQ or WRQ
	netascii  bool                    // then the size on the wire is not that of the file
}

// grant returns the settings that are in force after a request, and the options of the OACK:
// those that were asked for, are known and have a valid value, in the order of the request. All
// others are ignored (RFC 2347, "Negotiation Protocol").
func grant(asked []Option, l limits) (s Settings, answer []Option) {
	s = plain()
	wanted := wishes(asked)
	// The block size first: the window depends on it, whatever their order.
	if n, ok := wanted[optBlockSize]; ok {
		s.BlockSize = min(int(n), l.blockSize)
	}
	if n, ok := wanted[optWindowSize]; ok {
		s.WindowSize = min(int(n), l.window(s.BlockSize))
	}
	if n, ok := wanted[optSize]; ok {
		switch {
		case l.op == WRQ:
			s.Size = n
		case l.netascii || l.size < 0:
			delete(wanted, optSize)
		default:
			s.Size = l.size
		}
	}
	for _, o := range asked {
		name := strings.ToLower(o.Name)
		if _, ok := wanted[name]; ok {
			delete(wanted, name)
			answer = append(answer, Option{o.Name, s.value(name)})
		}
	}
	return s, answer
}

// wishes returns the values of the options that a server may grant, where they are valid.
// The first option of a name counts. The timeout option is not among them: see Choices in
// the package comment.
func wishes(asked []Option) map[string]int64 {
	wanted := make(map[string]int64)
	seen := make(map[string]bool)
	for _, o := range asked {
		name := strings.ToLower(o.Name)
		var n int64
		var ok bool
		switch {
		case seen[name]:
			continue
		case name == optBlockSize:
			n, ok = atMost(o.Value, minBlockSize, MaxBlockSize)
		case name == optWindowSize:
			n, ok = atMost(o.Value, 1, MaxWindowSize)
		case name == optSize:
			n, ok = number(o.Value, 0, math.MaxInt64)
		}
		seen[name] = true
		if ok {
			wanted[name] = n
		}
	}
	return wanted
}

// value is an option's value as it is sent.
func (s Settings) value(name string) string {
	switch name {
	case optBlockSize:
		return strconv.Itoa(s.BlockSize)
	case optWindowSize:
		return strconv.Itoa(s.WindowSize)
	case optTimeout:
		return strconv.FormatInt(int64(s.Timeout/time.Second), 10)
	}
	return strconv.FormatInt(max(0, s.Size), 10)
}

// ask returns the options of a client's request. tsize is among them unless the size is -1; 0
// asks for the size (RFC 2349).
func ask(want Settings) []Option {
	var options []Option
	add := func(name string) { options = append(options, Option{name, want.value(name)}) }
	if want.Size >= 0 {
		add(optSize)
	}
	if want.BlockSize != defaultBlockSize {
		add(optBlockSize)
	}
	if want.WindowSize != 1 {
		add(optWindowSize)
	}
	if want.Timeout > 0 {
		add(optTimeout)
	}
	return options
}

// accept returns the settings that are in force after an OACK, at a client that asked for
// want. A server may answer only options that were asked for. It may lower sizes and not raise
// them. Everything else is refused with error 8 (RFC 2347, 2348, 2349, 7440).
func accept(asked []Option, want Settings, op Opcode, answer []Option) (Settings, error) {
	s := plain()
	if op == WRQ {
		s.Size = want.Size // what is being sent is known without the server
	}
	for i, o := range answer {
		name := strings.ToLower(o.Name)
		same := func(p Option) bool { return strings.EqualFold(p.Name, name) }
		if !slices.ContainsFunc(asked, same) || slices.ContainsFunc(answer[:i], same) {
			return s, refuse(o)
		}
		if !s.take(name, o.Value, want, op) {
			return s, refuse(o)
		}
	}
	return s, nil
}

// take puts one answered option in force. It returns false if the value is not allowed.
func (s *Settings) take(name, value string, want Settings, op Opcode) bool {
	var n int64
	var ok bool
	switch name {
	case optBlockSize:
		n, ok = number(value, minBlockSize, int64(want.BlockSize))
		s.BlockSize = int(n)
	case optWindowSize:
		n, ok = number(value, 1, int64(want.WindowSize))
		s.WindowSize = int(n)
	case optTimeout:
		n, ok = number(value, 1, maxTimeout)
		s.Timeout = time.Duration(n) * time.Second
		ok = ok && s.Timeout == want.Timeout
	case optSize:
		n, ok = number(value, 0, 1<<63-1)
		if op == RRQ {
			s.Size = n
		}
	}
	return ok
}

func refuse(o Option) error {
	return &peerError{CodeOption, "option " + sendable(o.Name) + " was not asked for with such a value", ErrNegotiation}
}
