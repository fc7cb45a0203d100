package relay

// A Slow says what happens to a client whose queue is full (see [Server.Queue]), because it reads more slowly than the
// others speak.
type Slow int

const (
	// Disconnect: those who speak wait for room, and a client with a full queue that takes less than 16 KiB in
	// [Server.SlowTimeout] is disconnected.
	Disconnect Slow = iota
	// DropOldest: nobody waits; the client loses the oldest messages that wait for it, and is told how many.
	DropOldest
	// Wait: those who speak wait for room, until Server.WriteTimeout ends the slow client.
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
