package tftp

import (
	"net/netip"
	"strings"
)

// A Mode says what becomes of a file's bytes on the way.
type Mode int

// The modes of RFC 1350, section 1. "mail" is obsolete and not served.
const (
	Octet    Mode = iota // the bytes as they are
	Netascii             // text: each line ends with CR LF on the wire, with LF here
)

// String returns the mode as a request has it.
func (m Mode) String() string {
	if m == Netascii {
		return "netascii"
	}
	return "octet"
}

// ParseMode reads a mode; case does not matter.
func ParseMode(s string) (Mode, bool) {
	switch strings.ToLower(s) {
	case "octet":
		return Octet, true
	case "netascii":
		return Netascii, true
	}
	return 0, false
}

// A Request is what a client asks for.
type Request struct {
	// Op is RRQ, to read a file, or WRQ, to write one.
	Op Opcode
	// Name is as the client sent it: not checked, not cleaned. It holds no zero byte.
	Name string
	Mode Mode
	// Addr is where the request comes from; at a client, the server it goes to.
	Addr netip.AddrPort
	// Options are those of the request, known or not.
	Options []Option
	// Size is how many bytes a WRQ announces (RFC 2349), -1 if it does not.
	Size int64

	client bool // this side is the client
}
