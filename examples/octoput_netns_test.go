package examples

import (
	"path/filepath"
	"testing"
)

// TestOctoputBetweenNamespaces sends files from one network namespace to another, while
// the kernel loses packets in both directions: few enough that one of 90,000 openings is
// left without an answer in its five seconds.
func TestOctoputBetweenNamespaces(t *testing.T) {
	a, b := namespaces(t)
	a.lose(5)
	b.lose(20)
	dir := t.TempDir()
	r := listening(t, b.command("octoput-recv", "-v", "-listen", b.addr+":8888", "-dir", dir, "-n", "2"))
	text, textData := writeText(t)
	noise, noiseData := writeNoise(t, 2_300_003)
	for _, name := range []string{text, noise} {
		if out, err := a.command("octoput-send", name, b.addr+":8888").CombinedOutput(); err != nil {
			r.Process.Kill()
			printed, _ := r.wait()
			t.Fatalf("octoput-send: %v\n%s\noctoput-recv:\n%s", err, out, printed)
		}
	}
	if _, status := r.wait(); status != 0 {
		t.Errorf("octoput-recv: status %d", status)
	}
	same(t, filepath.Join(dir, "large.txt"), textData)
	same(t, filepath.Join(dir, "noise"), noiseData)
	if !a.lost() || !b.lost() {
		t.Error("the kernel lost nothing")
	}
}
