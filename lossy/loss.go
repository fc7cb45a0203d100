package lossy

// Loss drops each packet with probability p, independently of all others. It
// panics unless p is within 0 and 1.
func Loss(p float64) Model {
	checkProbability("Loss", p)
	return stateless(func(x *passage) verdict {
		if x.uniform() < p {
			return verdict{cause: CauseLoss}
		}
		return verdict{}
	})
}
