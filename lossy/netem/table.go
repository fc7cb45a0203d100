package netem

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

// scale returns the delays mean + jitter X for each X of a table. A negative delay
// counts as zero.
func scale(table []float64, mean, jitter time.Duration) []time.Duration {
	delays := make([]time.Duration, len(table))
	for i, x := range table {
		d := math.Round(float64(mean) + float64(jitter)*x)
		if delays[i] = math.MaxInt64; d < math.MaxInt64 {
			delays[i] = max(0, time.Duration(d))
		}
	}
	return delays
}
