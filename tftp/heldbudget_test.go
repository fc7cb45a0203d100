package tftp

import (
	"testing"
	"time"
)

// TestHeldBudget: blocks that arrive early use memory within the bound of all transfers, and
// a transfer that has none left goes on without it.
func TestHeldBudget(t *testing.T) {
	now := time.Unix(1, 0)
	var budget heldBudget
	budget.left.Store(100)
	newest := func() *inbound {
		in := newInbound(numbering{}, false, Settings{BlockSize: 40, WindowSize: 8}, receiverTimer(plain(), false))
		in.budget = &budget
		return in
	}
	a, b := newest(), newest()
	block := make([]byte, 40)
	for _, step := range []struct {
		in     *inbound
		number uint32
		want   verdict
	}{{a, 2, keep}, {b, 2, keep}, {b, 3, ignore}, {a, 3, ignore}, {b, 1, deliver}} {
		if v, _ := step.in.classify(now, step.number, block); v != step.want {
			t.Errorf("block %d: verdict %d, want %d", step.number, v, step.want)
		}
	}
	b.taken(now)
	if _, ok := b.takeHeld(); !ok {
		t.Error("the block that was held is gone")
	}
	b.taken(now)
	if v, _ := b.classify(now, 4, block); v != ignore { // 3 is next, and there is no room for 4
		t.Errorf("block 4: verdict %d", v)
	}
	a.release()
	b.release()
	if left := budget.left.Load(); left != 100 {
		t.Errorf("%d bytes are left in the end, want 100", left)
	}
}
