//go:build !linux

package bench

import "time"

// cpuTime is the time by the clock, where there is no other.
func cpuTime() time.Duration { return time.Since(started) }

var started = time.Now()
