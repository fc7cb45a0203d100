package examples

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// programs returns the names of all programs.
func programs(t *testing.T) (names []string) {
	files, err := os.ReadDir(bin)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// TestManners: what all programs have in common.
func TestManners(t *testing.T) {
	t.Parallel()
	for _, name := range programs(t) {
		stdout, stderr, status := run(t, name, "-version")
		if status != 0 || stderr != "" || !regexp.MustCompile(`^`+name+` \S+ \(go\S+ \w+/\w+\)\n$`).MatchString(stdout) {
			t.Errorf("%s -version: status %d, %q, %q", name, status, stdout, stderr)
		}
		stdout, stderr, status = run(t, name, "-h")
		if status != 0 || stdout != "" || !strings.HasPrefix(stderr, "usage: "+name) || !strings.Contains(stderr, "\n  -v") {
			t.Errorf("%s -h: status %d, %q, %q", name, status, stdout, stderr)
		}
		stdout, stderr, status = run(t, name, "-no-such-flag")
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "-no-such-flag (-h lists the flags)") {
			t.Errorf("%s -no-such-flag: status %d, %q, %q", name, status, stdout, stderr)
		}
	}
}

// TestFlagsAnywhere: flags may stand behind arguments, and a host has a default port.
func TestFlagsAnywhere(t *testing.T) {
	t.Parallel()
	name, _ := writeNoise(t, 10)
	stdout, stderr, status := run(t, "p2mp-send", name, "127.0.0.1", "-giveup", "1ms")
	if status != 1 || !strings.Contains(stdout+stderr, "127.0.0.1:7735") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("status %d, %q %q", status, stdout, stderr)
	}
}
