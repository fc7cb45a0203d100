package p2mp

import "fmt"

// A Policy says what becomes of a transfer when a receiver falls silent.
type Policy int

const (
	// Drop gives the receiver up and finishes the others.
	Drop Policy = iota
	// Fail ends the transfer for all.
	Fail
	// Wait goes on trying until the context ends. In the classic mode the other
	// receivers hear nothing meanwhile, and give up by their own timers
	// (Receiver.GiveUp).
	Wait
)

var policyNames = [...]string{Drop: "drop", Fail: "fail", Wait: "wait"}

// String returns "drop", "fail" or "wait".
func (p Policy) String() string {
	if p < 0 || int(p) >= len(policyNames) {
		return fmt.Sprintf("policy %d", int(p))
	}
	return policyNames[p]
}

// MarshalText returns what String does.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String returns. With both methods a Policy works as a flag
// (flag.TextVar) and in configuration files.
func (p *Policy) UnmarshalText(text []byte) error {
	for i, name := range policyNames {
		if name == string(text) {
			*p = Policy(i)
			return nil
		}
	}
	return fmt.Errorf("p2mp: policy %q, want drop, fail or wait", text)
}
