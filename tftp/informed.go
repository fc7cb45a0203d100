package tftp

// Informed knows the law.
type Informed struct{}

// Begin makes the plan of one transfer.
func (Informed) Begin() Plan { return Burst{N: 24, Interval: 201e6}.Begin() }
