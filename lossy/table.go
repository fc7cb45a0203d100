package lossy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// TableDelay delays each packet by one of the delays, each as likely as any
// other: a table of measured delays gives their distribution again. The slice
// is copied. It panics if there are none, or if one is negative.
func TableDelay(delays []time.Duration) Model {
	if len(delays) == 0 {
		panic("lossy: TableDelay: the table is empty")
	}
	table := make([]float64, len(delays))
	for i, d := range delays {
		checkDuration("TableDelay", "delay", d)
		table[i] = float64(d)
	}
	return tableDelay(0, 1, table)
}

// tableDelay delays by mean + jitter X, where X is one of the table's.
func tableDelay(mean, jitter float64, table []float64) Model {
	return randomDelay(func(u float64) float64 {
		return mean + jitter*table[int(u*float64(len(table)))]
	})
}

// tableUnit is what the numbers in a distribution table of tc count as one
// (NETEM_DIST_SCALE in linux/pkt_sched.h).
const tableUnit = 8192

// readTable reads a distribution table of tc: numbers between spaces, and
// comments from a # to the end of the line.
func readTable(r io.Reader) ([]float64, error) {
	var table []float64
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		for field := range strings.FieldsSeq(line) {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%q is not a number", field)
			}
			table = append(table, v/tableUnit)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(table) == 0 {
		return nil, errors.New("the table is empty")
	}
	return table, nil
}
