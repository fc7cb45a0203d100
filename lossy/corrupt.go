package lossy

import (
	"math"
	"math/rand/v2"
)

// Corrupt flips one bit, anywhere in the payload, of each packet with
// probability p. The receiver gets the changed packet: no UDP
// checksum stops it. An empty payload has no bit to flip. It panics unless p
// is within 0 and 1.
func Corrupt(p float64) Model {
	checkProbability("Corrupt", p)
	return chance(p, func() choice {
		return func(x *passage, chosen bool) verdict {
			where := x.uniform()
			if bits := 8 * len(x.Payload); chosen && bits > 0 {
				x.flip(int(where * float64(bits)))
			}
			return verdict{}
		}
	})
}

// BitErrors flips each bit of the payload with probability p, independently
// of all others: Corrupt for a channel whose bit error rate is known. It
// panics unless p is within 0 and 1.
func BitErrors(p float64) Model {
	checkProbability("BitErrors", p)
	return stateless(func(x *passage) verdict {
		// As many random numbers as are needed, from one of the packet's.
		rng := rand.NewPCG(x.rng.Uint64(), 0)
		if p > 0 {
			bits := 8 * len(x.Payload)
			for bit := gap(rng, p); bit < bits; bit += 1 + gap(rng, p) {
				x.flip(bit)
			}
		}
		return verdict{}
	})
}

// gap returns how many bits are spared before the next that is flipped, up to
// some number beyond all payloads.
func gap(rng *rand.PCG, p float64) int {
	u := (float64(rng.Uint64()>>11) + 0.5) / (1 << 53)
	return int(min(math.Log(u)/math.Log1p(-p), 1<<30))
}
