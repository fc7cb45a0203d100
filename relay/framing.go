package relay

import "fmt"

// A Framing says where a client's messages end.
type Framing int

const (
	// Auto: a read is a message, as with Chunk, until the first newline comes; from then on a message ends with a
	// newline. Reads that fill all of the buffer, at first 4 KiB, count as one with the read that follows.
	Auto Framing = iota
	// Line: a message ends with a newline.
	Line
	// Chunk: a read is a message, as for the recv(1024) of CSCI 351 project 4. Messages
	// that are sent in quick succession may arrive in one read, and are then one.
	Chunk
)

var framingNames = [...]string{Auto: "auto", Line: "line", Chunk: "chunk"}

// String returns "auto", "line" or "chunk".
func (f Framing) String() string { return nameOf(framingNames[:], int(f), "framing") }

// MarshalText returns what String does.
func (f Framing) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String returns. With both methods a Framing works as a
// flag (flag.TextVar) and in configuration files.
func (f *Framing) UnmarshalText(text []byte) error {
	i, err := indexOf(framingNames[:], string(text), "framing")
	if err == nil {
		*f = Framing(i)
	}
	return err
}

func nameOf(names []string, i int, what string) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("%s %d", what, i)
	}
	return names[i]
}

func indexOf(names []string, name, what string) (int, error) {
	for i, n := range names {
		if n == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("relay: %s %q, want one of %q", what, name, names)
}
