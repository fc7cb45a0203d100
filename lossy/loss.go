package lossy

// Loss drops each packet with probability p, independently of all others, or
// in runs if it is [Correlated]. It panics unless p is within 0 and 1.
func Loss(p float64) Model {
	checkProbability("Loss", p)
	return random(p, verdict{cause: CauseLoss}, verdict{})
}
