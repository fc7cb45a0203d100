package relay

// A Slow is the policy for a client whose queue is full (see [Server.Queue]).
type Slow int

const (
	// Disconnect: clients that speak wait for room. A client with a full queue that takes less than 16 KiB in
	// [Server.SlowTimeout] is disconnected.
	Disconnect Slow = iota
	// DropOldest: no client waits. The oldest messages in the queue are dropped, and a notice gives their number.
	DropOldest
	// Wait: clients that speak wait for room. Server.WriteTimeout disconnects the slow client.
	Wait
)

var slowNames = [...]string{Disconnect: "disconnect", DropOldest: "drop", Wait: "wait"}

// String returns "disconnect", "drop" or "wait".
func (s Slow) String() string { return nameOf(slowNames[:], int(s), "slow") }

// MarshalText returns the name of the policy.
func (s Slow) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText parses a name that String returns.
func (s *Slow) UnmarshalText(text []byte) error { return parseName(s, slowNames[:], text, "slow") }
