package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// A line is what one strategy did in one reading. Counts are means.
type line struct {
	method, reading                string
	mean, median, p95              float64 // seconds
	data, acks, packets, delivered float64
	perSecond                      float64 // packets delivered
	first                          float64 // mean time of the first runs, in seconds
}

func summarize(m method, r reading, ds []delivery) line {
	l := line{method: m.name, reading: r.name}
	n := float64(len(ds))
	times := make([]time.Duration, 0, len(ds))
	for _, d := range ds {
		times = append(times, d.took)
		l.mean += d.took.Seconds() / n
		l.data += float64(d.data) / n
		l.acks += float64(d.acks) / n
		l.packets += float64(d.total) / n
		l.delivered += float64(d.delivered) / n
	}
	early := times[:min(len(times), firstRuns)]
	for _, d := range early {
		l.first += d.Seconds() / float64(len(early))
	}
	slices.Sort(times)
	l.median = times[len(times)/2].Seconds()
	l.p95 = times[(len(times)-1)*95/100].Seconds()
	if l.mean > 0 {
		l.perSecond = l.delivered / l.mean
	}
	return l
}

// The bounds, for 45 blocks and the reading "attempts, each way".
const (
	// A packet that passes when n came before passes with probability 0.9 - n/40: no
	// sequence of 36 has more than 16.65 of them, and none that keeps a distance has
	// more than 40.5 a second.
	perWindow = 16.65
	perSecond = 40.5
)

// table prints the lines, and the bound that no strategy can beat.
func table(w io.Writer, lines []line, size int64, runs int) error {
	blocks := size/512 + 1
	fmt.Fprintf(w, "%d bytes, %d blocks of 512; %d runs of each\n\n", size, blocks, runs)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "reading\tstrategy\tmean s\tmedian s\t95 % s\tDATA\tACK\tpackets\tdelivered\tdelivered/s\t")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%.3f\t%.3f\t%.3f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t\n", l.reading, l.method,
			l.mean, l.median, l.p95, l.data, l.acks, l.packets, l.delivered, l.perSecond)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
bounds (attempts, each way): no 200 ms bring more than %.2f blocks on average; at an even pace no second brings more
than %.1f, so that pacing takes at least %.2f s and 50 ms more; bursts with all their ACKs known at once would take %.2f s.
`, perWindow, perSecond, float64(blocks)/perSecond, allKnowing(blocks))
	return err
}

// allKnowing is about how long a file of this many blocks takes in full windows, if the
// sender knew at once which packets are lost. The last window needs only its share.
func allKnowing(blocks int64) float64 {
	const window, delay = 0.2, 0.05
	return float64(int64((float64(blocks)-1)/perWindow))*window + delay
}
