package lossy

import (
	"strings"
	"testing"
	"time"
)

// TestSchedule sends a packet each second and looks at what applies when.
func TestSchedule(t *testing.T) {
	late := func(s time.Duration) []Model { return []Model{Delay(s), Delay(s)} }
	run := func(n int, phases ...Phase) (got []int) {
		for _, f := range judgeN(n, time.Second, 1, Schedule(phases...), Delay(1)) {
			got = append(got, int(f.delay-1)/2)
		}
		return got
	}
	text := func(x []int) string {
		var b strings.Builder
		for _, v := range x {
			b.WriteByte("0123456789"[v])
		}
		return b.String()
	}
	for _, test := range []struct {
		phases []Phase
		want   string
	}{
		{[]Phase{{2 * time.Second, late(1)}, {3 * time.Second, nil}, {time.Second, late(2)}}, "110002110002"},
		{[]Phase{{2 * time.Second, late(1)}, {0, late(3)}}, "113333333333"},
		{[]Phase{{0, late(4)}}, "444444444444"},
		{[]Phase{{time.Second, late(4)}}, "444444444444"},
		// At 3 s the second round of 2.5 s is half a second old.
		{[]Phase{{1500 * time.Millisecond, late(1)}, {time.Second, nil}}, "110101101011"},
	} {
		if got := text(run(12, test.phases...)); got != test.want {
			t.Errorf("%v: %s, want %s", test.phases, got, test.want)
		}
	}
}

// TestScheduleRemembers: the state of a model outlasts its phase.
func TestScheduleRemembers(t *testing.T) {
	m := Schedule(Phase{For: 2, Models: []Model{DropEvery(2), Rate(8, 100)}}, Phase{For: 2})
	fates := judgeN(6, 1, 1, m)
	if fates[1].cause != CauseScript || fates[4].delay <= fates[0].delay {
		t.Errorf("fates are %+v", fates)
	}
}
