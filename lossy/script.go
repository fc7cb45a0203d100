package lossy

import "fmt"

// DropNth drops the packets with these numbers in every flow, counted from 1:
// DropNth(1, 2) loses the first two and lets everything else pass. It panics
// if a number is less than 1.
func DropNth(numbers ...int) Model {
	drop := make(map[int]bool, len(numbers))
	for _, n := range numbers {
		if n < 1 {
			panic(fmt.Sprintf("lossy: DropNth: packets are numbered from 1, not %d", n))
		}
		drop[n] = true
	}
	return DropIf(func(p Packet) bool { return drop[p.N] })
}

// DropIf drops the packets for which predicate is true. The predicate is
// called by one goroutine at a time for each Network or wrapped conn, while
// that is locked: it must return soon and must not use its conns. It panics
// if predicate is nil.
func DropIf(predicate func(Packet) bool) Model {
	if predicate == nil {
		panic("lossy: DropIf: the predicate is nil")
	}
	return stateless(func(x *passage) verdict {
		if predicate(x.Packet) {
			return verdict{cause: CauseScript}
		}
		return verdict{}
	})
}
