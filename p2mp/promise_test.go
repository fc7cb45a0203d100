package p2mp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestTwentyPercent: where a fifth of all packets is lost, in both directions, whoever
// is served gets the whole file and the sender learns of it, each time.
func TestTwentyPercent(t *testing.T) {
	for name, s := range map[string]Sender{"unicast": {}, "group": {Group: testGroup}} {
		t.Run(name, func(t *testing.T) {
			var slowest time.Duration
			for seed := range uint64(100 / thorough()) {
				synctest.Test(t, func(t *testing.T) {
					p := newParty(t, 8, lossy.Seed(seed), lossy.Loss(0.2), lossy.Delay(5*time.Millisecond))
					p.joinGroup(p.receivers...)
					p.receive(Receiver{})
					data := noise(seed, 100_000)
					report, err := p.send(s, data)
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					p.check(data)
					slowest = max(slowest, report.Elapsed)
				})
			}
			t.Logf("the slowest took %v", slowest)
		})
	}
}

// TestShortOnALAN: what joining costs is seen with a file of one byte.
func TestShortOnALAN(t *testing.T) {
	for name, s := range map[string]Sender{"unicast": {}, "group": {Group: testGroup}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 8, lossy.Delay(100*time.Microsecond))
				p.joinGroup(p.receivers...)
				p.receive(Receiver{})
				data := noise(1, 1)
				report, err := p.send(s, data)
				if err != nil {
					t.Fatal(err)
				}
				p.check(data)
				t.Logf("%v, joining and the digest included", report.Elapsed)
				if report.Elapsed > 50*time.Millisecond {
					t.Errorf("%v, want 50ms", report.Elapsed)
				}
			})
		})
	}
}
