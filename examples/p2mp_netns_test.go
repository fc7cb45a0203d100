package examples

import (
	"path/filepath"
	"regexp"
	"testing"
)

// TestP2mpGroupBetweenNamespaces sends a file through a group to a receiver in another
// network namespace, and to one that is on the sender's own host.
func TestP2mpGroupBetweenNamespaces(t *testing.T) {
	a, b := namespaces(t)
	const group = "239.255.7.35:7735"
	for _, ns := range []namespace{a, b} {
		ns.must("ip", "link", "set", "lo", "up")
	}
	b.lose(5)
	name, data := writeNoise(t, 2_300_003)
	var files []string
	var receivers []*listener
	for _, ns := range []namespace{a, b} {
		files = append(files, filepath.Join(t.TempDir(), "got"))
		receivers = append(receivers, listening(t, ns.command("p2mp-recv", "-v", "-listen", ":7735",
			"-group", group, "-iface", "veth0", "-o", files[len(files)-1])))
	}
	out, err := a.command("p2mp-send", "-group", group, "-iface", "veth0", name, a.addr+":7735", b.addr+":7735").CombinedOutput()
	if err != nil {
		t.Fatalf("p2mp-send: %v\n%s", err, out)
	}
	for i, r := range receivers {
		if printed, status := r.wait(); status != 0 {
			t.Errorf("p2mp-recv: status %d\n%s", status, printed)
		}
		same(t, files[i], data)
	}
	if !b.lost() {
		t.Error("the kernel lost nothing")
	}
	if !regexp.MustCompile(`239\.255\.7\.35:7735 +group +[1-9]\d* `).Match(out) {
		t.Errorf("not through the group:\n%s", out)
	}
}
