package lossy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// later orders times from late to early.
func later(a, b time.Duration) int { return cmp.Compare(b, a) }

// Limit drops a packet when that many of its flow are held by the models
// before it, which is to say that they have not left yet. It is netem's
// "limit", which counts packets that wait for a slow link and those that are
// only late alike, and belongs behind the models that delay. It panics if
// packets is less than 1.
func Limit(packets int) Model {
	if packets < 1 {
		panic(fmt.Sprintf("lossy: Limit: %d packets are less than 1", packets))
	}
	return stateful(func() judge {
		var held []time.Duration // when they leave, the first to leave last
		return func(x *passage) verdict {
			for len(held) > 0 && held[len(held)-1] <= x.at {
				held = held[:len(held)-1]
			}
			if len(held) >= packets {
				return verdict{cause: CauseQueue}
			}
			if leaves := addDelay(x.at, x.delay); leaves > x.at {
				i, _ := slices.BinarySearchFunc(held, leaves, later)
				held = slices.Insert(held, i, leaves)
			}
			return verdict{}
		}
	})
}
