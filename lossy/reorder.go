package lossy

import (
	"fmt"
	"time"
)

// Reorder lets packets overtake others by skipping the models that delay those. After
// gap-1 packets that were delayed, each packet skips the models with probability p. With a
// gap of 1 every packet may.
//
//	Reorder(0.25, 1, Delay(10*time.Millisecond)) // a quarter at once, the others late
//	Reorder(1, 5, Delay(10*time.Millisecond))    // every fifth at once
//
// It panics unless p is within 0 and 1, the gap is at least 1, and there are
// models.
func Reorder(p float64, gap int, models ...Model) Model {
	checkProbability("Reorder", p)
	if gap < 1 {
		panic(fmt.Sprintf("lossy: Reorder: a gap of %d packets is less than 1", gap))
	}
	late := flatten("Reorder", models)
	if len(late) == 0 {
		panic("lossy: Reorder: there is no Model to skip")
	}
	past := chance(p, func() choice {
		met := 0 // packets that met the models since one skipped them
		return func(_ *passage, chosen bool) verdict {
			if !chosen || met < gap-1 {
				met++
				return verdict{}
			}
			met = 0
			return verdict{skip: len(late)}
		}
	})
	gate := *past.(*part)
	gate.eager = true
	gate.inner = len(late)
	return append(composed{&gate}, late...)
}

// InOrder delays a packet until every packet that was sent before it in the same flow has
// left: jitter without reordering.
func InOrder() Model {
	return stateful(func() judge {
		o := new(order)
		return o.judge
	})
}

// order is the state of one InOrder.
type order struct {
	last   time.Duration // when the last leaves
	before time.Duration // last, before the packet that came last
}

func (o *order) judge(x *passage) verdict {
	leaves := addDelay(x.at, x.delay)
	o.before, o.last = o.last, max(o.last, leaves)
	x.holders = append(x.holders, o)
	return verdict{delay: o.last - leaves}
}

func (o *order) undo() { o.last = o.before }
