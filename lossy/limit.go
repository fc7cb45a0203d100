package lossy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// later orders times from late to early.
func later(a, b time.Duration) int { return cmp.Compare(b, a) }

// Limit drops a packet when the models before it hold that many packets of its
// flow, which have not left yet. It is netem's "limit", which counts packets that wait for
// a slow link as well as delayed ones, and belongs behind the models that delay. A packet
// that it drops takes no time on their links and no place in their slots. It panics if packets is less than 1.
func Limit(packets int) Model {
	if packets < 1 {
		panic(fmt.Sprintf("lossy: Limit: %d packets are less than 1", packets))
	}
	return stateful(func() judge {
		l := &limit{packets: packets}
		return l.judge
	})
}

// limit is the state of one Limit.
type limit struct {
	packets int
	held    []time.Duration // when they leave, the first to leave last
	newest  int             // the index of the last that came
}

func (l *limit) judge(x *passage) verdict {
	for len(l.held) > 0 && l.held[len(l.held)-1] <= x.at {
		l.held = l.held[:len(l.held)-1]
	}
	if len(l.held) >= l.packets {
		x.undo()
		return verdict{cause: CauseQueue}
	}
	if leaves := addDelay(x.at, x.delay); leaves > x.at {
		l.newest, _ = slices.BinarySearchFunc(l.held, leaves, later)
		l.held = slices.Insert(l.held, l.newest, leaves)
		x.holders = append(x.holders, l)
	}
	return verdict{}
}

func (l *limit) undo() { l.held = slices.Delete(l.held, l.newest, l.newest+1) }
