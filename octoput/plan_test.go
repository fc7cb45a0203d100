package octoput

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// planVectors are worked by hand from CPSC 441 assignment 2, "Technical Requirements",
// paragraphs 3 and 4; 262144 is the file of its bonus.
var planVectors = []struct {
	size   int64
	full   int
	blocks []Block // those behind the full ones
}{
	{0, 0, nil},
	{1, 0, []Block{{1, Tiny, 0, 1, 7}}},
	{5, 0, []Block{{1, Tiny, 0, 1, 3}}},
	{7, 0, []Block{{1, Tiny, 0, 1, 1}}},
	{8, 0, []Block{{1, Partial, 0, 1, 0}}},
	{9, 0, []Block{{1, Partial, 0, 1, 0}, {2, Tiny, 8, 1, 7}}},
	{736, 0, []Block{{1, Partial, 0, 92, 0}}},
	{739, 0, []Block{{1, Partial, 0, 92, 0}, {2, Tiny, 736, 1, 5}}},
	{8887, 0, []Block{{1, Partial, 0, 1110, 0}, {2, Tiny, 8880, 1, 1}}},
	{8888, 1, nil},
	{8889, 1, []Block{{2, Tiny, 8888, 1, 7}}},
	{8896, 1, []Block{{2, Partial, 8888, 1, 0}}},
	{17776, 2, nil},
	{32768, 3, []Block{{4, Partial, 26664, 763, 0}}},
	{262144, 29, []Block{{30, Partial, 257752, 549, 0}}},
}

func TestPlanVectors(t *testing.T) {
	for _, tt := range planVectors {
		t.Run(fmt.Sprint(tt.size), func(t *testing.T) {
			var want []Block
			for i := range tt.full {
				want = append(want, Block{uint64(i + 1), Full, int64(i) * 8888, 1111, 0})
			}
			want = append(want, tt.blocks...)
			if diff := cmp.Diff(want, slices.Collect(Blocks(tt.size))); diff != "" {
				t.Errorf("Blocks (-want +got):\n%s", diff)
			}
			if n := plan(tt.size).count(); n != uint64(len(want)) {
				t.Errorf("%d octoblocks, want %d", n, len(want))
			}
		})
	}
}

// largest states the rule once more, in the assignment's words: "eight equally-sized
// pieces, if at all possible", not longer than those of a full octoblock; "the largest
// possible size".
func largest(left int) int {
	for leg := 1111; leg > 0; leg-- {
		if leg*8 <= left {
			return leg
		}
	}
	return 0
}

// TestPlanBySearch compares every size up to 20000 with a plan that is made block by
// block, by trying.
func TestPlanBySearch(t *testing.T) {
	for size := range 20001 {
		var want []Block
		for at := 0; at < size; {
			b := Block{Number: uint64(len(want) + 1), Kind: Tiny, Offset: int64(at), LegSize: largest(size - at)}
			switch b.LegSize {
			case 1111:
				b.Kind = Full
			case 0: // "leftover data (between 1 and 7 bytes)"
				b.LegSize, b.Pad = 1, 8-(size-at)
			default:
				b.Kind = Partial
			}
			at += b.LegSize*8 - b.Pad
			want = append(want, b)
		}
		got := slices.Collect(Blocks(int64(size)))
		if !slices.Equal(got, want) {
			t.Fatalf("size %d: %v, want %v", size, got, want)
		}
	}
}

// TestPlanOfHugeFiles: the plan needs no walk to find a block, and no size overflows it.
func TestPlanOfHugeFiles(t *testing.T) {
	for _, size := range []int64{600_000_000, 1 << 32, 1 << 62, math.MaxInt64} {
		p := plan(size)
		var end int64
		for n := max(1, p.count()-4); n <= p.count(); n++ {
			b := p.block(n)
			if end != 0 && b.Offset != end {
				t.Errorf("size %d: octoblock %d begins at %d, the one before ends at %d", size, n, b.Offset, end)
			}
			end = b.Offset + int64(b.Data())
		}
		if end != size {
			t.Errorf("size %d: the last octoblock ends at %d", size, end)
		}
	}
	for range Blocks(-1) {
		t.Error("a negative size has an octoblock")
	}
	for b := range Blocks(math.MaxInt64) {
		if b.Number == 3 {
			break // an iterator that does not obey panics
		}
	}
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{Full: "full", Partial: "partial", Tiny: "tiny", 9: "kind 9"} {
		if got := k.String(); got != want {
			t.Errorf("Kind(%d) = %q, want %q", uint8(k), got, want)
		}
	}
}
