package datagram

import (
	"errors"
	"os"
	"testing"
)

// A conn that yields does so after a Read of few packets, looks, and only then sleeps.
func TestYield(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name   string
		before int // packets of the Read before
		after  int // packets that are there when others have run
		err    error
		yields int
	}{
		{"nothing before", 0, 0, nil, 0},
		{"few", 1, 3, nil, 1},
		{"as many as are few", fewPackets - 1, 3, nil, 1},
		{"many", fewPackets, 3, nil, 0},
		{"few, and nothing after", 1, 0, nil, 1},
		{"few, and an error after", 1, 0, broken, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			looker := &lookReader{err: test.err}
			c := open(t.Context(), newFakeConn(), looker, nil)
			defer c.Release()
			c.pkts = make([]Packet, test.before)
			yields := 0
			c.yield = func() {
				yields++
				if looker.reads+looker.looks > 0 {
					t.Error("it looked before it gave way")
				}
				looker.pkts = make([]Packet, test.after)
			}
			pkts, err := c.Read(past)
			if yields != test.yields {
				t.Errorf("gave way %d times, want %d", yields, test.yields)
			}
			if test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("%v, want %v", err, test.err)
			}
			if test.yields == 0 || test.err != nil {
				return
			}
			if slept := looker.reads > 0; slept != (test.after == 0) {
				t.Errorf("slept: %v", slept)
			}
			if len(pkts) != test.after || test.after == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d packets, %v", len(pkts), err)
			}
		})
	}
}
