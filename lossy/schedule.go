package lossy

import (
	"fmt"
	"time"
)

// A Phase is a time of a [Schedule].
type Phase struct {
	For    time.Duration // how long it lasts; 0 is for ever
	Models []Model       // that apply meanwhile; none: everything passes
}

// Schedule applies models for a time, then others. The first phase begins when
// the Network or the wrapped conn is made. After the last phase the schedule
// begins again, unless that lasts for ever. A model keeps its state, such as the
// queue of a Rate, until its phase comes again.
//
//	Schedule( // a second of silence in every minute
//		Phase{For: 59 * time.Second},
//		Phase{For: time.Second, Models: []Model{Loss(1)}},
//	)
//
// It panics without a phase, if a phase is negative, or if a phase before the last
// is for ever.
func Schedule(phases ...Phase) Model {
	if len(phases) == 0 {
		panic("lossy: Schedule: there is no Phase")
	}
	s := &schedule{}
	for i, p := range phases {
		checkDuration("Schedule", "phase", p.For)
		if p.For == 0 && i < len(phases)-1 {
			panic(fmt.Sprintf("lossy: Schedule: phase %d is for ever, and not the last", i+1))
		}
		s.ends = append(s.ends, addDelay(s.length(), p.For))
	}
	s.repeats = phases[len(phases)-1].For > 0
	var all composed
	for i, p := range phases {
		models := flatten("Schedule", p.Models)
		gate := &part{eager: true, newJudge: func() judge {
			return func(x *passage) verdict {
				if s.phase(x.at) != i {
					return verdict{skip: len(models)}
				}
				return verdict{}
			}
		}}
		all = append(append(all, gate), models...)
	}
	return all
}

// A schedule tells which phase it is. It does not change.
type schedule struct {
	ends    []time.Duration // of the phases
	repeats bool
}

func (s *schedule) length() time.Duration {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// phase returns the index of the phase at a time.
func (s *schedule) phase(at time.Duration) int {
	if s.repeats {
		at %= s.length()
	}
	for i, end := range s.ends {
		if at < end {
			return i
		}
	}
	return len(s.ends) - 1
}
