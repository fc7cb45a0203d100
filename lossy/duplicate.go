package lossy

// Duplicate sends each packet twice with probability p. The models
// after this one judge the copy separately: Compose(Duplicate(1), Jitter(0, max))
// delivers the two at different times, and Compose(Duplicate(1), Loss(p))
// loses one without the other. It panics unless p is within 0 and 1.
func Duplicate(p float64) Model {
	checkProbability("Duplicate", p)
	return random(p, verdict{copies: 1}, verdict{})
}
