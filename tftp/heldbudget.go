package tftp

import "sync/atomic"

// A heldBudget is what the transfers of a server may use together for blocks that arrived before
// a missing one. A transfer that gets none ignores such a block until it is sent again. It is
// safe for concurrent use, and a nil *heldBudget has no limit.
type heldBudget struct{ left atomic.Int64 }

// maxHeld is the heldBudget of a server, in bytes: enough for 2800 windows of 64 blocks of 1468
// bytes that lack their first block.
const maxHeld = 256 << 20

// take reports whether n bytes are left, and takes them.
func (m *heldBudget) take(n int64) bool {
	if m == nil {
		return true
	}
	if m.left.Add(-n) < 0 {
		m.left.Add(n)
		return false
	}
	return true
}

// give gives n bytes back.
func (m *heldBudget) give(n int64) {
	if m != nil {
		m.left.Add(n)
	}
}
