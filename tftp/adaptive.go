package tftp

import "time"

// Adaptive is the default for Wide.
type Adaptive struct{}

// Begin makes the plan of one transfer.
func (Adaptive) Begin() Plan { return SelectiveRepeat{N: 64}.Begin() }

var _ time.Time
