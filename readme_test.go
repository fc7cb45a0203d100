package ferry

import (
	"os"
	"strings"
	"testing"
)

// TestREADME: the program in the README is the one that p2mp's Example runs.
func TestREADME(t *testing.T) {
	readme := read(t, "README.md")
	_, code, _ := strings.Cut(readme, "```go\n")
	code, _, found := strings.Cut(code, "```")
	if !found || len(code) < 500 {
		t.Fatalf("no program in the README, but %q", code)
	}
	indented := "\t" + strings.ReplaceAll(strings.TrimSpace(code), "\n", "\n\t")
	indented = strings.ReplaceAll(indented, "\n\t\n", "\n\n")
	if !strings.Contains(read(t, "p2mp/example_test.go"), indented) {
		t.Errorf("p2mp/example_test.go does not have the README's program:\n%s", indented)
	}
}

func read(t *testing.T, name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
