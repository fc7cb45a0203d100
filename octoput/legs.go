package octoput

import (
	"fmt"
	"math/bits"
)

// Legs is a set of octolegs: a bit for each, the first octoleg's the most significant
// one, so that it reads from left to right as the block does. The assignment writes
// '00100000' for the third octoleg (CPSC 441 assignment 2, "Technical Requirements",
// paragraph 3).
type Legs uint8

// AllLegs is the set of a whole octoblock.
const AllLegs Legs = 0b11111111

// Nth is the set of octoleg n alone, from 1. It is empty if n is not 1 to 8.
func Nth(n int) Legs {
	if n < 1 || n > LegsPerBlock {
		return 0
	}
	return 0b10000000 >> (n - 1)
}

// String returns eight digits, such as 00100000.
func (l Legs) String() string { return fmt.Sprintf("%08b", uint8(l)) }

// Len is the number of octolegs in the set.
func (l Legs) Len() int { return bits.OnesCount8(uint8(l)) }

// has reports whether the set holds the octoleg with index i, from 0.
func (l Legs) has(i int) bool { return l&(0b10000000>>i) != 0 }

// index is the place of the first octoleg of the set, from 0; 8 if it is empty.
func (l Legs) index() int { return bits.LeadingZeros8(uint8(l)) }

// gap reports whether an octoleg is missing before one that is there.
func (l Legs) gap() bool { return ^l&(^l+1) != 0 }
