package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// page is where the tables stand.
const page = "p2mp-experiments.md"

// A line is what was measured at a point: for each way, each run.
type line struct {
	point
	results [][]result
}

func newLine(p point, runs int) line {
	l := line{point: p}
	for range ways {
		l.results = append(l.results, make([]result, runs))
	}
	return l
}

// times are the mean, least and most in one way, in seconds.
func (l line) times(way int) (mean, least, most float64) {
	for i, r := range l.results[way] {
		s := r.elapsed.Seconds()
		mean += s / float64(len(l.results[way]))
		if i == 0 {
			least = s
		}
		least, most = min(least, s), max(most, s)
	}
	return mean, least, most
}

// sent is how many DATA packets left the sender for each chunk of the file, on average.
func (l line) sent(way int) float64 {
	var data, chunks float64
	for _, r := range l.results[way] {
		data += float64(r.data)
		chunks += float64(r.chunks)
	}
	return data / chunks
}

// head begins a table, and tells it from others.
func (e experiment) head() string {
	return "| " + e.axis + " | " + ways[0].name + " | by the model |"
}

// table formats the lines, in Markdown.
func (e experiment) table(lines []line) string {
	var b strings.Builder
	b.WriteString(e.head())
	for _, w := range ways[1:] {
		fmt.Fprintf(&b, " %s |", w.name)
	}
	b.WriteString(" DATA per chunk: classic | extended, unicast | by the model | extended, group | by the model |\n")
	fmt.Fprintf(&b, "|%s\n", strings.Repeat(" ---: |", 11))
	for _, l := range lines {
		chunks := int(l.results[0][0].chunks)
		classic, _, _ := l.times(0)
		fmt.Fprintf(&b, "| %v | %.3f | %.3f |", l.x, classic, expected(l.point, chunks))
		for w := range ways[1:] {
			mean, _, _ := l.times(w + 1)
			fmt.Fprintf(&b, " %.3f |", mean)
		}
		fmt.Fprintf(&b, " %.3f | %.3f | %.3f | %.3f | %.3f |\n", l.sent(0), l.sent(2), float64(l.receivers)/(1-l.loss),
			l.sent(3), rounds(l.receivers, l.loss))
	}
	return b.String()
}

// write renews the tables of the page in dir, and draws the charts.
func write(dir string, chosen []experiment, tables [][]line) error {
	name := filepath.Join(dir, page)
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text := string(b)
	for i, e := range chosen {
		if text, err = renew(text, e.head(), e.table(tables[i])); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "p2mp-"+e.name+".svg"), []byte(e.chart(tables[i])), 0o666); err != nil {
			return err
		}
	}
	return os.WriteFile(name, []byte(text), 0o666)
}

// renew puts a table in the place of that whose first line begins with head.
func renew(text, head, table string) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, head) })
	if i < 0 {
		return "", fmt.Errorf("no table that begins with %q", head)
	}
	end := i
	for end < len(lines) && strings.HasPrefix(lines[end], "|") {
		end++
	}
	return strings.Join(lines[:i], "") + table + strings.Join(lines[end:], ""), nil
}
