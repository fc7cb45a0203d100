package octoput

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// legsOf cuts the data of a block, blanks included, into its packets.
func legsOf(b Block, data []byte) []Packet {
	var ps []Packet
	for i := range LegsPerBlock {
		ps = append(ps, Packet{Type: Leg, Flags: Nth(i + 1), Block: b.Number, Payload: data[i*b.LegSize:][:b.LegSize]})
	}
	return ps
}

// In any order (CPSC 441 assignment 2, "Technical Requirements", paragraph 3), and
// never twice.
func TestRecvStateAnyOrder(t *testing.T) {
	const size = BlockSize + 8*92 + 3
	file := append(noise(1, size), "     "...)
	for seed := range 100 {
		var in recvState
		in.reset(size)
		var got []byte
		for b := range Blocks(size) {
			legs := legsOf(b, file[b.Offset:])
			for n := range legs {
				p := legs[(n*(2*seed+1)+seed)%8] // an odd factor: every one is met once
				if what, err := in.judge(p); what != keep || err != nil {
					t.Fatalf("%v of octoblock %d: %v, %v", p.Flags, b.Number, what, err)
				}
				whole := in.put(p)
				if whole != (n == 7) {
					t.Fatalf("octoblock %d is whole after %d octolegs: %v", b.Number, n+1, whole)
				}
				if whole {
					got = append(got, in.data()...)
					in.forward()
				}
				if what, err := in.judge(p); what != repeat || err != nil {
					t.Fatalf("%v of octoblock %d again: %v, %v", p.Flags, b.Number, what, err)
				}
			}
		}
		if !in.all() || !bytes.Equal(got, file[:size]) {
			t.Fatalf("order %d: %d bytes, all %v", seed, len(got), in.all())
		}
	}
}

func TestRecvStateIgnores(t *testing.T) {
	leg := func(block uint64, length int) Packet {
		return Packet{Type: Leg, Flags: 1, Block: block, Payload: make([]byte, length)}
	}
	var in recvState
	in.reset(2*BlockSize + 8*92 + 3)
	for _, tt := range []struct {
		name string
		p    Packet
		want error
	}{
		{"from the future", leg(2, 1111), ErrBlock},
		{"behind the last", leg(5, 1), ErrBlock},
		{"far behind the last", leg(math.MaxUint64, 1), ErrBlock},
		{"too short", leg(1, 1110), ErrLength},
		{"too long", leg(1, 1112), ErrLength},
		{"as long as another block's", leg(1, 92), ErrLength},
	} {
		if what, err := in.judge(tt.p); what != ignore || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.name, what, err, tt.want)
		}
	}
	in.forward()
	if what, err := in.judge(leg(1, 92)); what != ignore || !errors.Is(err, ErrLength) {
		t.Errorf("a late one of the wrong length: %v, %v", what, err)
	}
	var empty recvState
	empty.reset(0)
	if what, err := empty.judge(leg(1, 1)); what != ignore || !errors.Is(err, ErrBlock) || !empty.all() {
		t.Errorf("one of an empty file: %v, %v", what, err)
	}
	var huge recvState
	huge.reset(math.MaxInt64)
	if len(huge.buf) != BlockSize {
		t.Errorf("a buffer of %d bytes", len(huge.buf))
	}
}

// A part is acknowledged when something is missing before what arrived, or the last
// octoleg arrived and others did not, and not while all goes well.
func TestRecvStateOwes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		arrive []int
		want   []bool
		copies int
	}{
		{"in order", []int{1, 2, 3, 4, 5, 6, 7}, []bool{false, false, false, false, false, false, false}, 1},
		{"a gap", []int{1, 2, 4, 5}, []bool{false, false, true, true}, 2},
		{"the last one first", []int{8}, []bool{true}, 2},
		{"backwards", []int{7, 6}, []bool{true, true}, 2},
		{"a gap that is filled", []int{2, 1, 3}, []bool{true, true, true}, 2},
		{"twice", []int{1, 1, 2}, []bool{false, true, true}, 2},
	} {
		var in recvState
		in.reset(BlockSize)
		b := in.block
		for i, n := range tt.arrive {
			p := legsOf(b, make([]byte, BlockSize))[n-1]
			if what, _ := in.judge(p); what == keep {
				in.put(p)
			}
			if got := in.owes(); got != tt.want[i] {
				t.Errorf("%s: octoleg %d: owes %v, want %v", tt.name, n, got, tt.want[i])
			}
		}
		if got := in.copies(); got != tt.copies {
			t.Errorf("%s: %d copies, want %d", tt.name, got, tt.copies)
		}
		in.forward()
		if got := in.copies(); got != tt.copies {
			t.Errorf("%s: %d copies for the next octoblock, want %d", tt.name, got, tt.copies)
		}
		in.forward()
		if got := in.copies(); got != 1 {
			t.Errorf("%s: %d copies after an octoblock without losses, want 1", tt.name, got)
		}
	}
}
