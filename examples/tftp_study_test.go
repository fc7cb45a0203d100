package examples

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// delivered is what tftp-study renews.
const delivered = "../docs/tftp-delivery.md"

// studyLine matches a line of the program's table in the first reading: the strategy, and
// the mean time.
var studyLine = regexp.MustCompile(`(?m)^ *attempts, each way +(.+?)  +([0-9.]+) `)

// TestTFTPStudy: the table in docs is what the program prints. The last column has the mean
// of the first 20 runs, which are repeated here; 2 % are for processors that round
// otherwise.
func TestTFTPStudy(t *testing.T) {
	page, err := os.ReadFile(delivered)
	if err != nil {
		t.Fatal(err)
	}
	documented := rows(t, string(page))
	stdout, stderr, status := run(t, "tftp-study", "-runs", "20")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	lines := studyLine.FindAllStringSubmatch(stdout, -1)
	if len(lines) != 14 || len(documented) != 14 {
		t.Fatalf("%d strategies measured and %d documented, want 14\n%s", len(lines), len(documented), stdout)
	}
	for _, line := range lines {
		cells := documented["strategy/"+line[1]]
		if len(cells) != 12 {
			t.Errorf("%s: %q documented", line[1], cells)
			continue
		}
		mean, first := figure(t, line[2]), figure(t, cells[11])
		if math.Abs(mean-first) > 0.02*first {
			t.Errorf("%s takes %s s, but %s in %s; renew it: go run ./examples/tftp-study -runs 1000 -docs docs", line[1], line[2], cells[11], delivered)
		}
	}
}

// TestTFTPStudyDocs: a table takes the place of a table, and nothing else of the page changes.
func TestTFTPStudyDocs(t *testing.T) {
	page, err := os.ReadFile(delivered)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, filepath.Base(delivered))
	if err := os.WriteFile(name, page, 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := run(t, "tftp-study", "-runs", "1", "-docs", dir); status != 0 || stderr != "" {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	renewed, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rows(t, string(renewed))); n != 14 {
		t.Errorf("%d strategies in the renewed table, want 14", n)
	}
	text := func(page []byte) string {
		var b strings.Builder
		for line := range strings.Lines(string(page)) {
			if !strings.HasPrefix(line, "|") {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	if text(renewed) != text(page) {
		t.Errorf("more than the table was renewed:\n%s", renewed)
	}
	if chart, err := os.ReadFile(filepath.Join(dir, "tftp-delivery.svg")); err != nil || !strings.HasSuffix(string(chart), "</svg>\n") {
		t.Errorf("%d bytes of a chart, %v", len(chart), err)
	}
}
