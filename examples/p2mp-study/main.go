// P2mp-study repeats the experiments that are usual with the protocol of the P2MP-FTP
// report: how long a file takes against the number of receivers, the MSS and the loss. It
// does so for the classic mode, with the report's timer and with one that follows the round
// trip, and for the extended mode, by unicast and through a group, all in virtual time. It
// prints tables, and writes them and charts to a directory if asked.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/virtual"
)

var (
	runs    = flag.Int("runs", 5, "transfers in each way at each point")
	size    = flag.Int("size", 1_000_000, "length of the file in `bytes`")
	delay   = flag.Duration("delay", 5*time.Millisecond, "mean `time` that a packet takes, each way")
	jitter  = flag.Duration("jitter", time.Millisecond, "most `time` by which one takes longer or shorter")
	rate    = flag.Float64("rate", 100e6, "what the sender's link carries, in `bits` per second")
	queue   = flag.Int("queue", -1, "how many `packets` may wait for that link (negative: any number)")
	only    = flag.String("experiment", "", "run only this `one`: receivers, mss or loss")
	at      = flag.Float64("at", 0, "run only the point at this `value` (0: all)")
	docs    = flag.String("docs", "", "renew the tables in `DIR`/"+page+", and the charts beside it")
	verbose = flag.Bool("v", false, "say what is being run")
)

func main() { cli.Main("p2mp-study [flags]", run) }

func run(ctx context.Context) error {
	switch {
	case flag.NArg() > 0:
		return cli.Usagef("want no arguments")
	case *runs < 1, *size < 1:
		return cli.Usagef("want at least one run, and a byte to send")
	case *jitter < 0, *delay < *jitter:
		return cli.Usagef("want a jitter from 0 to the delay")
	case !(*rate > 0 && *rate <= 1e12):
		return cli.Usagef("want a rate above 0, and 1e12 at most")
	case *queue == 0:
		return cli.Usagef("want a queue of one packet at least, or a negative one")
	case *docs != "" && *at != 0:
		return cli.Usagef("want -at or -docs, not both: a page holds whole tables")
	}
	chosen := choose(*only, *at)
	if len(chosen) == 0 {
		return cli.Usagef("no such point: want -experiment receivers, mss or loss, and -at one of its values")
	}
	virtual.Main(func(bubble func(func())) int {
		if err := study(ctx, bubble, chosen); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	})
	return nil
}

// study runs everything and prints it.
func study(ctx context.Context, bubble func(func()), chosen []experiment) error {
	tables := make([][]line, len(chosen))
	for i, e := range chosen {
		var err error
		if tables[i], err = e.run(ctx, bubble); err != nil {
			return err
		}
	}
	fmt.Printf("%d bytes, %d transfers each; %v to %v each way, %g Mbit/s from the sender\n",
		*size, *runs, *delay-*jitter, *delay+*jitter, *rate/1e6)
	for i, e := range chosen {
		fmt.Printf("\n%s\n\n%s", e.title, e.table(tables[i]))
	}
	if *docs == "" {
		return nil
	}
	return write(*docs, chosen, tables)
}

// run makes all transfers of an experiment, on all processors.
func (e experiment) run(ctx context.Context, bubble func(func())) ([]line, error) {
	content := noise(*size)
	lines := make([]line, len(e.points))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range e.points {
		lines[i] = newLine(p, *runs)
		for w, way := range ways {
			for n := range *runs {
				group.Go(func() (err error) {
					if err := ctx.Err(); err != nil {
						return err
					}
					if *verbose {
						fmt.Fprintf(os.Stderr, "%s %v, %s, run %d\n", e.name, p.x, way.name, n+1)
					}
					bubble(func() { lines[i].results[w][n], err = transfer(way, p, content, uint64(n+1)) })
					if err != nil {
						err = fmt.Errorf("%s %v, %s, run %d: %w", e.name, p.x, way.name, n+1, err)
					}
					return err
				})
			}
		}
	}
	return lines, group.Wait()
}
