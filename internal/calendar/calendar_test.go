package calendar

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestOrder compares with a list that is sorted.
func TestOrder(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var q Queue[int]
		var want, got []Event[int]
		now, value := time.Duration(0), 0
		for range 3000 {
			if rng.IntN(2) == 0 {
				at := now + time.Duration(rng.Int64N([]int64{1, 1e6, 1e9, 3e11}[rng.IntN(4)]))
				to, from := rng.Uint32N(3), rng.Uint32N(3)
				q.Push(at, to, from, value)
				want = append(want, Event[int]{At: at, To: to, From: from, Value: value, number: uint64(value)})
				value++
			} else if e, ok := q.Pop(); ok {
				now = e.At
				got = append(got, e)
			}
		}
		for {
			e, ok := q.Pop()
			if !ok {
				break
			}
			got = append(got, e)
		}
		if q.Len() != 0 || len(got) != len(want) {
			t.Fatalf("seed %d: %d events of %d, %d left", seed, len(got), len(want), q.Len())
		}
		slices.SortFunc(want, func(a, b Event[int]) int { return a.compare(&b) })
		// Events of one instant may be pushed after some of them were popped.
		slices.SortStableFunc(got, func(a, b Event[int]) int { return int(a.At - b.At) })
		for i := range got {
			if got[i].At != want[i].At {
				t.Fatalf("seed %d: event %d at %v, want %v", seed, i, got[i].At, want[i].At)
			}
		}
	}
}

// TestSameInstant: order within one instant is by receiver, sender and number.
func TestSameInstant(t *testing.T) {
	var q Queue[string]
	q.Push(time.Second, 2, 1, "d")
	q.Push(time.Second, 1, 2, "b")
	q.Push(time.Second, 1, 2, "c")
	q.Push(time.Second, 1, 1, "a")
	q.Push(time.Hour, 0, 0, "f")
	q.Push(time.Minute*3, 9, 9, "e")
	var got strings.Builder
	for {
		e, ok := q.Pop()
		if !ok {
			break
		}
		got.WriteString(e.Value)
	}
	if got.String() != "abcdef" {
		t.Errorf("order %q", got.String())
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, pending := range []int{1e5, 1e6} {
		b.Run(strconv.Itoa(pending), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			var q Queue[uint32]
			for i := range pending {
				q.Push(time.Duration(rng.Int64N(2e9)), uint32(i), 0, 0)
			}
			for b.Loop() {
				e, _ := q.Pop()
				q.Push(e.At+time.Duration(rng.Int64N(2e9)), e.To, 0, 0)
			}
		})
	}
}
