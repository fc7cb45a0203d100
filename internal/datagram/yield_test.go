package datagram

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
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
			c.yielder.on = true
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

// Where giving way takes long, and not for many packets, it is not done for a while.
func TestYieldHogged(t *testing.T) {
	for _, test := range []struct {
		name   string
		takes  time.Duration
		brings func(n int) int // packets, the nth time
		want   []int           // the first Reads that gave way
	}{
		{"long, for little", 3 * time.Millisecond, func(int) int { return 1 }, []int{0, 1, 2, 3, 259, 515}},
		{"long, for nothing", 3 * time.Millisecond, func(int) int { return 0 }, []int{0, 1, 2, 3, 259, 515}},
		{"long, for many now and then", 3 * time.Millisecond, func(n int) int { return n % 4 / 3 * fewPackets }, []int{0, 1, 2, 3, 4, 5}},
		{"not long", longYield, func(int) int { return 1 }, []int{0, 1, 2, 3, 4, 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				looker := &lookReader{}
				c := open(t.Context(), newFakeConn(), looker, nil)
				defer c.Release()
				read, yields := 0, []int(nil)
				c.yielder.on, c.yield = true, func() {
					time.Sleep(test.takes)
					looker.pkts = make([]Packet, test.brings(len(yields)))
					yields = append(yields, read)
				}
				for ; len(yields) < len(test.want) && read < 1000; read++ {
					c.pkts, looker.pkts = make([]Packet, 1), nil
					_, _ = c.Read(past)
				}
				if !slices.Equal(yields, test.want) {
					t.Errorf("Reads %v gave way, want %v", yields, test.want)
				}
			})
		})
	}
}

// With one processor, the other goroutines of this process run as well.
func TestYieldToGoroutines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ran atomic.Bool
	go ran.Store(true)
	giveWay := yielding()
	for range 10 {
		giveWay()
	}
	if !ran.Load() {
		t.Error("another goroutine was not let run")
	}
}

// A conn does what its Config says.
func TestOpenConfig(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	for _, cfg := range []Config{{}, {Yield: true}, {Spin: time.Millisecond}} {
		c := Open(t.Context(), pc, cfg)
		if c.yielder.on != cfg.Yield || c.spinner.time != cfg.Spin {
			t.Errorf("%+v: yields %v, spins for %v", cfg, c.yielder.on, c.spinner.time)
		}
		c.Release()
	}
}
