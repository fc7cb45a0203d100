package examples

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestP2mpRecvAccepts: what a receiver accepts is decided by its flags.
func TestP2mpRecvAccepts(t *testing.T) {
	name, data := writeNoise(t, 1000)
	dot := filepath.Join(filepath.Dir(name), ".noise")
	if err := os.WriteFile(dot, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flags, send string
		want        string // the error; empty: none
		kept        string
	}{
		{"", name, "a file of that name", ""},
		{"-overwrite", name, "", "noise"},
		{"", dot, "refused the name", ""},
		{"-dotfiles", dot, "", ".noise"},
		{"-overwrite -max-size 999", name, "file too large", ""},
		{"-overwrite -max-size 1kB", name, "", "noise"},
		{"-no-classic", "-classic " + name, "no answer", ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "noise"), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := startReceiver(t, append(strings.Fields(tt.flags), "-dir", dir)...)
		_, stderr, status := run(t, "p2mp-send", append(strings.Fields(tt.send), r.addr)...)
		if (status == 0) != (tt.want == "") || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s, %s: status %d, %s", tt.flags, tt.send, status, stderr)
		}
		r.Process.Signal(os.Interrupt)
		r.wait()
		if got, _ := os.ReadFile(filepath.Join(dir, tt.kept)); tt.kept != "" && !bytes.Equal(got, data) {
			t.Errorf("%s, %s: %d bytes are kept", tt.flags, tt.send, len(got))
		}
	}
	// The bound holds for -o, too, and the sender of the next file is served.
	file := filepath.Join(t.TempDir(), "f")
	small, _ := writeNoise(t, 900)
	r := startReceiver(t, "-o", file, "-max-size", "999")
	if _, stderr, status := run(t, "p2mp-send", name, r.addr); status == 0 || !strings.Contains(stderr, "file too large") {
		t.Errorf("-o: status %d, %s", status, stderr)
	}
	if _, stderr, status := run(t, "p2mp-send", small, r.addr); status != 0 {
		t.Errorf("-o, a smaller file: status %d, %s", status, stderr)
	}
	r.wait()
}
