package examples

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// studied is what p2mp-study renews.
const studied = "../docs/p2mp-experiments.md"

// rows returns the cells of the tables in a text, by the heading of the first column, a
// slash, and the first cell.
func rows(t *testing.T, text string) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	heading := ""
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 3 {
			heading = ""
			continue
		}
		cells = cells[1 : len(cells)-1]
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case heading == "":
			heading = cells[0]
		case strings.HasPrefix(cells[0], "-"):
		default:
			found[heading+"/"+cells[0]] = cells[1:]
		}
	}
	return found
}

func figure(t *testing.T, cell string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestP2MPStudy: the tables in docs are what the program prints, and the models hold. A
// twentieth is for processors that round otherwise, and for small changes to p2mp's rate.
func TestP2MPStudy(t *testing.T) {
	page, err := os.ReadFile(studied)
	if err != nil {
		t.Fatal(err)
	}
	documented := rows(t, string(page))
	if len(documented) != 5+10+10 {
		t.Errorf("the page has %d points, want 25", len(documented))
	}
	near := func(a, b, within float64) bool { return math.Abs(a-b) <= within*b }
	for _, args := range [][]string{
		{"-experiment", "receivers", "-at", "1"},
		{"-experiment", "mss", "-at", "1000"},
		{"-experiment", "loss", "-at", "0.02"},
	} {
		stdout, stderr, status := run(t, "p2mp-study", args...)
		measured := rows(t, stdout)
		if status != 0 || stderr != "" || len(measured) != 1 {
			t.Fatalf("%v: status %d\n%s%s", args, status, stdout, stderr)
		}
		for point, cells := range measured {
			if len(cells) != 10 || len(documented[point]) != 10 {
				t.Fatalf("%s: %q, but %q in %s", point, cells, documented[point], studied)
			}
			for i, cell := range cells {
				if !near(figure(t, cell), figure(t, documented[point][i]), 0.05) {
					t.Errorf("%s: %q, but %q in %s; renew it: go run ./examples/p2mp-study -docs docs", point, cells, documented[point], studied)
					break
				}
			}
			for _, pair := range [][2]int{{0, 1}, {6, 7}, {8, 9}} {
				if !near(figure(t, cells[pair[0]]), figure(t, cells[pair[1]]), 0.02) {
					t.Errorf("%s: %s, and %s by the model", point, cells[pair[0]], cells[pair[1]])
				}
			}
		}
	}
}

// TestP2MPStudyDocs: tables take the place of tables, and the same seeds give the same
// ones.
func TestP2MPStudyDocs(t *testing.T) {
	page, err := os.ReadFile(studied)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, filepath.Base(studied))
	if err := os.WriteFile(name, page, 0o600); err != nil {
		t.Fatal(err)
	}
	var printed [2]string
	for i := range printed {
		stdout, stderr, status := run(t, "p2mp-study", "-runs", "1", "-size", "20000", "-docs", dir)
		if status != 0 || stderr != "" {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
		printed[i] = stdout
	}
	if printed[0] != printed[1] {
		t.Errorf("a second run printed other tables:\n%s\n%s", printed[0], printed[1])
	}
	renewed, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want, got := rows(t, printed[0]), rows(t, string(renewed))
	if len(want) != 25 || len(got) != 25 {
		t.Fatalf("%d points printed, %d written; want 25", len(want), len(got))
	}
	for point := range want {
		if strings.Join(want[point], " ") != strings.Join(got[point], " ") {
			t.Errorf("%s: %q printed, %q written", point, want[point], got[point])
		}
	}
	if prose(string(renewed)) != prose(string(page)) {
		t.Errorf("more than the tables was renewed:\n%s", renewed)
	}
	for _, experiment := range []string{"receivers", "mss", "loss"} {
		chart, err := os.ReadFile(filepath.Join(dir, "p2mp-"+experiment+".svg"))
		if err != nil || strings.Count(string(chart), "<polyline") != 4 || !strings.HasSuffix(string(chart), "</svg>\n") {
			t.Errorf("%s: %d bytes of a chart, %v", experiment, len(chart), err)
		}
	}
}

// prose is what a page has besides the tables' figures.
func prose(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if first := strings.TrimLeft(line, "| "); first == line || first[0] < '0' || first[0] > '9' {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestP2MPStudyMistakes(t *testing.T) {
	for arg, want := range map[string]string{
		"x":                     "want no arguments",
		"-runs 0":               "at least one run",
		"-size 0":               "a byte to send",
		"-jitter 6ms":           "from 0 to the delay",
		"-rate 0":               "want a rate",
		"-queue 0":              "one packet at least",
		"-experiment x":         "no such point",
		"-at 7":                 "no such point",
		"-at 100 -docs .":       "not both",
		"-experiment mss -at x": "invalid value",
	} {
		_, stderr, status := run(t, "p2mp-study", strings.Fields(arg)...)
		if first, _, _ := strings.Cut(stderr, "\n"); status != 2 || !strings.Contains(first, want) {
			t.Errorf("%s: status %d, %q; want %q", arg, status, first, want)
		}
	}
	_, stderr, status := run(t, "p2mp-study", "-experiment", "mss", "-runs", "1", "-size", "1000", "-docs", t.TempDir())
	if status != 1 || !strings.Contains(stderr, "p2mp-experiments.md: no such file") {
		t.Errorf("without a page: status %d, %q", status, stderr)
	}
	_, stderr, status = run(t, "p2mp-study", "-h")
	if status != 0 || !strings.HasPrefix(stderr, "usage: p2mp-study") || strings.Contains(stderr, "test.") {
		t.Errorf("-h: status %d, %q", status, stderr)
	}
}
