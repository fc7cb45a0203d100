package relay

import (
	"fmt"
	"slices"
)

// A Framing defines where a client's messages end.
type Framing int

const (
	// Auto is Chunk until the first newline, and Line from then on. A read that fills the buffer, at first 4 KiB, counts
	// as one with the next read.
	Auto Framing = iota
	// Line: a message ends with a newline.
	Line
	// Chunk: a read is a message, as with the recv(1024) of CSCI 351 project 4. Messages that arrive in one read are one
	// message.
	Chunk
)

var framingNames = [...]string{Auto: "auto", Line: "line", Chunk: "chunk"}

// String returns "auto", "line" or "chunk".
func (f Framing) String() string { return nameOf(framingNames[:], int(f), "framing") }

// MarshalText returns the name of the framing.
func (f Framing) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText parses a name that String returns, for flag.TextVar and configuration files.
func (f *Framing) UnmarshalText(text []byte) error {
	return parseName(f, framingNames[:], text, "framing")
}

func nameOf(names []string, i int, what string) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("%s %d", what, i)
	}
	return names[i]
}

func parseName[T ~int](to *T, names []string, name []byte, what string) error {
	i := slices.Index(names, string(name))
	if i < 0 {
		return fmt.Errorf("relay: %s %q, want one of %q", what, name, names)
	}
	*to = T(i)
	return nil
}
