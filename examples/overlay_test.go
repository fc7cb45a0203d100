package examples

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// overlayPeer starts a peer that shares everything in a directory, and returns where the overlay reaches it.
func overlayPeer(t *testing.T, kind, host, join, dir string) string {
	t.Helper()
	args := []string{"-overlay", kind, "-listen", host + ":0", "-overlay-listen", host + ":0", "-dir", dir, "-all"}
	if join != "" {
		args = append(args, "-join", join)
	}
	cmd := command(t, "peer", args...)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewReader(errs)
	line, err := log.ReadString('\n')
	at := regexp.MustCompile(`at (\S+)\n$`).FindStringSubmatch(line)
	if at == nil {
		rest, _ := io.ReadAll(log)
		t.Fatalf("%s peer says %q, %v, %s", kind, line, err, rest)
	}
	go io.Copy(io.Discard, log)
	return at[1]
}

// insist runs a program until it succeeds, 500 times at most. A young ring settles within some periods, and peers
// publish again when it has.
func insist(t *testing.T, name string, args ...string) (out, errs string, status int) {
	status = 1
	for try := 0; try < 500 && status != 0; try++ {
		out, errs, status = run(t, name, args...)
	}
	return out, errs, status
}

// TestOverlays: peers that have no directory find each other's files, and a name that none has is reported.
func TestOverlays(t *testing.T) {
	for _, kind := range []string{"chord", "gnutella"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var dirs [4]string
			for i := range dirs {
				dirs[i] = t.TempDir()
			}
			_, data := writeNoise(t, 3_000_000)
			if err := os.WriteFile(filepath.Join(dirs[0], "new.txt"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dirs[2], "other.txt"), []byte("other"), 0o600); err != nil {
				t.Fatal(err)
			}
			a := overlayPeer(t, kind, "127.0.2.1", "", dirs[0])
			b := overlayPeer(t, kind, "127.0.2.2", a, dirs[1])
			c := overlayPeer(t, kind, "127.0.2.3", b, dirs[2])
			for name, want := range map[string]string{"new.txt": string(data), "other.txt": "other"} {
				out, errs, status := insist(t, "peer", "-overlay", kind, "-overlay-listen", "127.0.2.4:0", "-join", c, "-dir", dirs[3], "-get", name)
				if status != 0 {
					t.Fatalf("-get %s: status %d, %s%s", name, status, out, errs)
				}
				if got, err := os.ReadFile(filepath.Join(dirs[3], name)); err != nil || string(got) != want {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
				}
			}
			out, errs, status := insist(t, "peer", "-overlay", kind, "-overlay-listen", "127.0.2.4:0", "-join", b, "-find", "new.txt")
			if status != 0 || !strings.HasPrefix(out, "127.0.2.1 ") {
				t.Errorf("-find: status %d, %q, %s", status, out, errs)
			}
			_, errs, status = run(t, "peer", "-overlay", kind, "-overlay-listen", "127.0.2.4:0", "-join", a, "-find", "nobody's")
			if status != 1 || !strings.Contains(errs, "no source") {
				t.Errorf("-find of a file that nobody has: status %d, %s", status, errs)
			}
		})
	}
}

func TestOverlayMistakes(t *testing.T) {
	for _, args := range [][]string{
		{"-overlay", "kad", "-join", "127.0.0.1:1", "-find", "x"},
		{"-overlay", "chord", "-find", "x"},
		{"-join", "127.0.0.1:1", "-find", "x"},
	} {
		if _, errs, status := run(t, "peer", args...); status != 2 || strings.Count(errs, "\n") < 1 {
			t.Errorf("peer %v: status %d, %s", args, status, errs)
		}
	}
}
