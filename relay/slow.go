package relay

// A Slow says what becomes of a client whose queue is full, because it reads more slowly
// than the others speak.
type Slow int

const (
	// Disconnect lets who speaks wait for room, for a while (see Server.Patience), and
	// then closes the connection of the slow one. So a client that reads a little more
	// slowly than others flood it slows the flood, and one that has stopped reading is
	// gone.
	Disconnect Slow = iota
	// DropOldest lets nobody wait: the slow client loses the oldest messages that wait
	// for it, and is told how many.
	DropOldest
	// Wait lets who speaks wait for as long as it takes, or until Server.WriteTimeout
	// ends the slow client.
	Wait
)

var slowNames = [...]string{Disconnect: "disconnect", DropOldest: "drop", Wait: "wait"}

// String returns "disconnect", "drop" or "wait".
func (s Slow) String() string { return nameOf(slowNames[:], int(s), "slow") }

// MarshalText returns what String does.
func (s Slow) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String returns; see [Framing.UnmarshalText].
func (s *Slow) UnmarshalText(text []byte) error {
	i, err := indexOf(slowNames[:], string(text), "slow")
	if err == nil {
		*s = Slow(i)
	}
	return err
}
