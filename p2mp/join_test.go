package p2mp

import (
	"fmt"
	"testing"
	"time"
)

// TestJoinTimes: when unanswered HELLOs are repeated, and when they end.
func TestJoinTimes(t *testing.T) {
	for _, tt := range []struct {
		until time.Duration
		want  string // milliseconds
	}{
		{2500 * time.Millisecond, "[0 100 300 550 800 1050 1300 1550 1800 2050] end 2300"},
		{2200 * time.Millisecond, "[0 100 300 550 800 1050 1300 1550 1800 2050] end 2200"},
		{time.Second, "[0 100 300 550 800] end 1000"},
		{0, "[0] end 0"}, // one there is in any case
	} {
		start := time.Unix(1000, 0)
		j := join{until: start.Add(tt.until)}
		var sent []int64
		now := start
		for range 100 {
			send, exhausted, wake := j.next(now)
			if exhausted {
				break
			}
			if send {
				sent = append(sent, now.Sub(start).Milliseconds())
			}
			if early, over, again := j.next(wake.Add(-1)); wake.After(now) && (early || over || !again.Equal(wake)) {
				t.Errorf("it does not wait until %v", wake.Sub(start))
			}
			now = wake
		}
		if got := fmt.Sprint(sent, " end ", now.Sub(start).Milliseconds()); got != tt.want {
			t.Errorf("until %v: %s, want %s", tt.until, got, tt.want)
		}
	}
}

// The round trip is known only where one HELLO was sent.
func TestJoinMeasures(t *testing.T) {
	now := time.Unix(1000, 0)
	j := join{until: now.Add(time.Second)}
	j.next(now)
	if got := j.measured(now.Add(30 * time.Millisecond)); got != 30*time.Millisecond {
		t.Errorf("after one HELLO: %v", got)
	}
	j.next(now.Add(100 * time.Millisecond))
	if got := j.measured(now.Add(130 * time.Millisecond)); got != 0 {
		t.Errorf("after two: %v", got)
	}
}
