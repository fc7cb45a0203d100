// Tftp-study answers the question of the UDP file delivery assignment: how is a file
// best delivered over its network? It delivers one many times by each strategy, in
// virtual time, in the four ways in which the text can be read, and prints a table, and
// a chart if asked.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/virtual"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/tftp"
)

var (
	runs    = flag.Int("runs", 2000, "deliveries by each strategy in each reading")
	size    = flag.Int64("size", 22733, "length of the file in `bytes`")
	svg     = flag.String("svg", "", "draw the times as a chart in `FILE`")
	docs    = flag.String("docs", "", "renew the table in `DIR`/"+page+", and the chart beside it")
	verbose = flag.Bool("v", false, "say what is being run")
)

// methods are what is compared, in the order of the table.
var methods = []method{
	{"stop-and-wait, 1 s", tftp.StopAndWait{Timeout: time.Second}, 0},
	{"stop-and-wait, 150 ms", tftp.StopAndWait{Timeout: 150 * time.Millisecond}, 0},
	{"stop-and-wait, measured", tftp.StopAndWait{}, 0},
	{"go-back-N, 8", tftp.GoBackN{N: 8}, 0},
	{"RFC 7440 window, 8", nil, 8},
	{"RFC 7440 window, 16", nil, 16},
	{"selective repeat, 8", tftp.SelectiveRepeat{N: 8}, 0},
	{"selective repeat, 16", tftp.SelectiveRepeat{N: 16}, 0},
	{"paced, 11 ms", tftp.Paced{Interval: 11 * time.Millisecond}, 0},
	{"AIMD", tftp.AIMD{}, 0},
	{"burst, 12 each 201 ms", tftp.Burst{N: 12, Interval: 201 * time.Millisecond}, 0},
	{"burst, 24 each 201 ms", tftp.Burst{N: 24, Interval: 201 * time.Millisecond}, 0},
	{"informed", tftp.Informed{}, 0},
	{"adaptive", tftp.Adaptive{}, 0},
}

// A reading is one way to read the assignment's text.
type reading struct {
	name    string
	options []lossy.Reading
}

var readings = []reading{
	{"attempts, each way", []lossy.Reading{lossy.CountAttempts, lossy.CountEachWay}},
	{"attempts, both ways", []lossy.Reading{lossy.CountAttempts, lossy.CountBothWays}},
	{"deliveries, each way", []lossy.Reading{lossy.CountDeliveries, lossy.CountEachWay}},
	{"deliveries, both ways", []lossy.Reading{lossy.CountDeliveries, lossy.CountBothWays}},
}

func main() { cli.Main("tftp-study [flags]", run) }

func run(ctx context.Context) (err error) {
	switch {
	case flag.NArg() > 0:
		return cli.Usagef("want no arguments")
	case *runs < 1, *size < 0:
		return cli.Usagef("want at least one run, and no negative size")
	}
	virtual.Main(func(bubble func(func())) int {
		if err := study(ctx, bubble); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	})
	return nil
}

// study runs everything and prints it.
func study(ctx context.Context, bubble func(func())) error {
	var lines []line
	for _, r := range readings {
		for _, m := range methods {
			if *verbose {
				fmt.Fprintf(os.Stderr, "%s: %s\n", r.name, m.name)
			}
			ds, err := many(ctx, bubble, m, r)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", r.name, m.name, err)
			}
			lines = append(lines, summarize(m, r, ds))
		}
	}
	if err := table(os.Stdout, lines, *size, *runs); err != nil {
		return err
	}
	if *docs != "" {
		if err := renew(*docs, lines); err != nil {
			return err
		}
	}
	if *svg == "" {
		return nil
	}
	f, err := os.Create(*svg)
	if err != nil {
		return err
	}
	return errors.Join(chart(f, lines), f.Close())
}

// many delivers the file once for each seed, on all processors.
func many(ctx context.Context, bubble func(func()), m method, r reading) ([]delivery, error) {
	content := make(file, *size)
	ds, errs := make([]delivery, *runs), make([]error, *runs)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				bubble(func() { ds[i], errs[i] = deliver(m, content, uint64(i+1), r.options) })
			}
		})
	}
	for i := range *runs {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return ds, errors.Join(errors.Join(errs...), ctx.Err())
}
