package lossy

import "fmt"

// Loss drops each packet with probability p, independently of all others, or
// in runs if it is [Correlated]. It panics unless p is within 0 and 1.
func Loss(p float64) Model {
	checkProbability("Loss", p)
	return random(p, verdict{cause: CauseLoss}, verdict{})
}

// GilbertElliott drops packets in bursts. The flow is in a good or in a bad
// state: with each packet it goes from good to bad with probability p and from
// bad to good with r, and then the packet is dropped with the probability of
// the state, lossBad or lossGood. So a share of p/(p+r) of the packets meets the
// bad state, and for 1/r packets on average. The first finds the states as
// likely as any later one. GilbertElliott(p, r, 1, 0) is the simple Gilbert
// model.
//
// It panics unless all are within 0 and 1.
func GilbertElliott(p, r, lossBad, lossGood float64) Model {
	for _, q := range []float64{p, r, lossBad, lossGood} {
		checkProbability("GilbertElliott", q)
	}
	return stateful(func() judge {
		g := &gilbert{p: p, r: r, lossBad: lossBad, lossGood: lossGood}
		return g.judge
	})
}

// A gilbert is the state of one GilbertElliott.
type gilbert struct {
	p, r, lossBad, lossGood float64
	begun, bad              bool
}

func (g *gilbert) judge(x *passage) verdict {
	u := x.uniform()
	switch {
	case !g.begun:
		g.begun, g.bad = true, u*(g.p+g.r) < g.p
	case g.bad:
		g.bad = u >= g.r
	default:
		g.bad = u < g.p
	}
	loss := g.lossGood
	if g.bad {
		loss = g.lossBad
	}
	if x.uniform() < loss {
		return verdict{cause: CauseLoss}
	}
	return verdict{}
}

// FourState drops packets by a Markov chain of four states, netem's "loss
// state": 1 is a good time, in which packets pass; 4 a single loss in it; 3 a
// burst of losses; and 2 packets that pass within a burst. p13 is the
// probability to go from state 1 to 3, and so on; from 4 the chain goes
// back to 1. In the long run the shares of the states are to each other as
//
//	1 : p13/p31 p32/p23 : p13/p31 : p14
//
// of which the last two are lost. Every flow begins in state 1. It panics
// unless all are within 0 and 1, and so are p13+p14 and p31+p32.
func FourState(p13, p31, p32, p23, p14 float64) Model {
	for _, q := range []float64{p13, p31, p32, p23, p14} {
		checkProbability("FourState", q)
	}
	if sum := max(p13+p14, p31+p32); sum > maxSum {
		panic(fmt.Sprintf("lossy: FourState: probabilities from one state add up to %v", sum))
	}
	return stateful(func() judge {
		s := &fourState{p13: p13, p31: p31, p32: p32, p23: p23, p14: p14, state: 1}
		return s.judge
	})
}

// maxSum is the limit of a sum of probabilities: 1, and room for rounding.
const maxSum = 1 + 0x1p-40

// A fourState is the state of one FourState.
type fourState struct {
	p13, p31, p32, p23, p14 float64
	state                   int
}

func (s *fourState) judge(x *passage) verdict {
	s.state = s.after(x.uniform())
	if s.state >= 3 {
		return verdict{cause: CauseLoss}
	}
	return verdict{}
}

// after returns the next state.
func (s *fourState) after(u float64) int {
	switch s.state {
	case 1:
		return choose(u, 3, s.p13, 4, s.p14, 1)
	case 2:
		return choose(u, 3, s.p23, 2, 0, 2)
	case 3:
		return choose(u, 1, s.p31, 2, s.p32, 3)
	default:
		return 1
	}
}

// choose returns a with probability p, b with probability q, or else c.
func choose(u float64, a int, p float64, b int, q float64, c int) int {
	switch {
	case u < p:
		return a
	case u < p+q:
		return b
	}
	return c
}
