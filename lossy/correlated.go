package lossy

import "math"

// Correlated makes the random decisions of m depend on those it made before
// in the same flow, with correlation r: 0 changes nothing, and with 1 all are
// like the first. The probability of each decision stays the same.
//
// A [Loss], [Duplicate], [Corrupt] or [Reorder] of probability p becomes a
// chain of two states: it happens with p(1-r) after a packet to which it did
// not happen and with p + r(1-p) after one to which it did, which is p in the
// long run and gives runs of 1/((1-p)(1-r)) packets on average. A random
// delay also keeps its distribution: the normal scores of a packet's delay
// and of the next one's have correlation r. (netem's correlation changes the
// rate of loss: of its 10 % with a correlation of 25 % it drops 1.8 %.)
//
// Models that decide nothing by chance, or have a correlation of their own,
// are left as they are, and so are the models inside a Reorder. It panics unless r is within 0 and 1, and if nothing
// in m can be correlated.
func Correlated(r float64, m Model) Model {
	checkProbability("Correlated", r)
	var all composed
	any := false
	for inner, parts := 0, flatten("Correlated", []Model{m}); len(parts) > 0; parts = parts[1:] {
		p := parts[0]
		if inner--; inner < 0 && p.correlated != nil {
			c := *p
			c.newJudge = p.correlated(r)
			inner, p, any = p.inner, &c, true
		}
		all = append(all, p)
	}
	if !any {
		panic("lossy: Correlated: nothing in the Model can be correlated")
	}
	return all
}

// random makes a model that says hit with probability p, and otherwise miss.
func random(p float64, hit, miss verdict) Model {
	return &part{ // and not by chance, which would be one more call for each packet
		timeless: true,
		newJudge: func() judge {
			return func(x *passage) verdict {
				if x.uniform() < p {
					return hit
				}
				return miss
			}
		},
		correlated: func(r float64) func() judge {
			return func() judge {
				c := coin{p: p, r: r}
				return func(x *passage) verdict {
					if c.toss(x) {
						return hit
					}
					return miss
				}
			}
		},
	}
}

// A choice is a judge that is told whether the packet was chosen.
type choice func(x *passage, chosen bool) verdict

// chance makes a model that chooses packets with probability p.
func chance(p float64, newChoice func() choice) Model {
	return &part{
		timeless: true,
		newJudge: func() judge {
			choose := newChoice()
			return func(x *passage) verdict { return choose(x, x.uniform() < p) }
		},
		correlated: func(r float64) func() judge {
			return func() judge {
				c, choose := coin{p: p, r: r}, newChoice()
				return func(x *passage) verdict { return choose(x, c.toss(x)) }
			}
		},
	}
}

// A coin shows heads with probability p, correlated with the toss before.
type coin struct {
	p, r   float64
	tossed bool
	heads  bool
}

func (c *coin) toss(x *passage) bool {
	p := c.p
	switch {
	case !c.tossed:
	case c.heads:
		p += c.r * (1 - c.p)
	default:
		p *= 1 - c.r
	}
	c.tossed, c.heads = true, x.uniform() < p
	return c.heads
}

// A drift is a sequence of numbers uniform in (0, 1), each correlated with the
// one before: the distribution function of normally distributed numbers z with
// z' = r z + sqrt(1-r²) e.
type drift struct {
	r     float64
	begun bool
	z     float64
}

func (d *drift) next(x *passage) float64 {
	e := x.normal()
	if d.begun {
		e = d.r*d.z + math.Sqrt(1-d.r*d.r)*e
	}
	d.begun, d.z = true, e
	return inside(0.5 * math.Erfc(-e/math.Sqrt2))
}

// inside returns u, or the nearest number in (0, 1).
func inside(u float64) float64 {
	return min(max(u, 0x1p-54), 1-0x1p-53)
}
