package examples

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startTftpd runs a tftpd and returns its address.
func startTftpd(t *testing.T, args ...string) string {
	t.Helper()
	return serving(t, command(t, "tftpd", append([]string{"-v", "-listen", "127.0.0.1:0"}, args...)...))
}

// serving starts a tftpd -v and returns its address. The server ends with the test.
func serving(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stderr := bufio.NewReader(pipe)
	line, err := stderr.ReadString('\n')
	addr, found := strings.CutPrefix(line, "serving at ")
	if !found {
		t.Fatalf("tftpd said %q, %v", line, err)
	}
	drained := make(chan struct{})
	go func() {
		io.Copy(io.Discard, stderr)
		close(drained)
	}()
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		<-drained
		if err := c.Wait(); err != nil {
			t.Errorf("tftpd after an interrupt: %v", err)
		}
	})
	return strings.TrimSpace(addr)
}

func TestTFTP(t *testing.T) {
	for _, wide := range []string{"-wide=false", "-wide"} {
		served, local := t.TempDir(), t.TempDir()
		name, data := writeNoise(t, 100_003)
		addr := startTftpd(t, wide, "-write", served)
		if stdout, stderr, status := run(t, "tftp", wide, "put", addr, name, "copy"); status != 0 || stdout+stderr != "" {
			t.Fatalf("put: status %d, %q %q", status, stdout, stderr)
		}
		if got, err := os.ReadFile(filepath.Join(served, "copy")); err != nil || !bytes.Equal(got, data) {
			t.Errorf("put: %d bytes, %v", len(got), err)
		}
		file := filepath.Join(local, "back")
		if _, stderr, status := run(t, "tftp", wide, "-v", "-blksize", "1000", "get", addr, "copy", file); status != 0 || !strings.Contains(stderr, "100003 bytes") {
			t.Errorf("get: status %d, %q", status, stderr)
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
			t.Errorf("get: %d bytes, %v", len(got), err)
		}
		if stdout, _, status := run(t, "tftp", wide, "get", addr, "copy", "-"); status != 0 || stdout != string(data) {
			t.Errorf("get -: status %d, %d bytes", status, len(stdout))
		}
		for _, tt := range []struct{ args, want string }{
			{"get " + addr + " nonsuch " + local + "/x", "file not found"},
			{"put " + addr + " " + name + " copy", "file already exists"},
			{"put " + addr + " " + name + " ../x", "access violation"},
		} {
			_, stderr, status := run(t, "tftp", append([]string{wide}, strings.Fields(tt.args)...)...)
			if status != 1 || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%s: status %d, %q", tt.args, status, stderr)
			}
		}
		if left, _ := os.ReadDir(local); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestTFTPMistakes(t *testing.T) {
	for _, tt := range []struct {
		command string
		status  int
		want    string
	}{
		{"tftp", 2, "want get HOST[:PORT] NAME"},
		{"tftp list 127.0.0.1:1 x", 2, "want get or put"},
		{"tftp -mode mail get 127.0.0.1:1 x", 2, "want octet or netascii"},
		{"tftp -blksize 7 get 127.0.0.1:1 x -", 1, "block size of 7 bytes"},
		{"tftp put 127.0.0.1:1 nonsuch", 1, "open nonsuch"},
		{"tftp put 127.0.0.1:1 -", 2, "want a NAME"},
		{"tftp get 127.0.0.1: x", 2, "want HOST:PORT"},
		{"tftpd", 2, "want one directory"},
		{"tftpd nonsuch", 1, "nonsuch"},
		{"tftpd -max 0 .", 2, "at least 1"},
		{"tftpd -mtu 1 .", 2, "at least 68"},
		{"tftpd -overwrite .", 2, "need -write"},
		{"tftpd -max-size x .", 2, "1.5MB"},
		{"tftp -giveup -1s get 127.0.0.1:1 x -", 2, "positive"},
		{"tftp-study x", 2, "want no arguments"},
		{"tftp-study -runs 0", 2, "at least one run"},
	} {
		args := strings.Fields(tt.command)
		_, stderr, status := run(t, args[0], args[1:]...)
		first, _, _ := strings.Cut(stderr, "\n")
		if status != tt.status || !strings.Contains(first, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: status %d, %q; want %d, %q", tt.command, status, stderr, tt.status, tt.want)
		}
	}
	for _, name := range []string{"tftpd", "tftp", "tftp-study"} {
		_, stderr, status := run(t, name, "-h")
		if status != 0 || !strings.HasPrefix(stderr, "usage: "+name) || !strings.Contains(stderr, "-v") || strings.Contains(stderr, "test.") {
			t.Errorf("%s -h: status %d, %q", name, status, stderr)
		}
	}
}

// TestStudy: the same seeds give the same table, and a chart.
func TestStudy(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "chart.svg")
	first, stderr, status := run(t, "tftp-study", "-runs", "2", "-svg", svg)
	if status != 0 || stderr != "" || strings.Count(first, "\n") < 4*14 {
		t.Fatalf("status %d\n%s%s", status, first, stderr)
	}
	for _, want := range []string{"attempts, each way", "deliveries, both ways", "adaptive", "informed", "bounds"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	if again, _, _ := run(t, "tftp-study", "-runs", "2"); again != first {
		t.Error("a second run printed another table")
	}
	if b, err := os.ReadFile(svg); err != nil || !bytes.Contains(b, []byte("</svg>")) {
		t.Errorf("chart: %d bytes, %v", len(b), err)
	}
}

// TestTFTPFlags: what the flags of both programs allow and refuse.
func TestTFTPFlags(t *testing.T) {
	served := t.TempDir()
	name, data := writeNoise(t, 100_003)
	addr := startTftpd(t, "-write", "-overwrite", "-max-size", "200kB", served)
	for range 2 {
		if _, stderr, status := run(t, "tftp", "put", addr, name, "copy"); status != 0 {
			t.Errorf("put: status %d, %q", status, stderr)
		}
	}
	large, _ := writeNoise(t, 200_001)
	for _, tt := range []struct{ args, want string }{
		{"put " + addr + " " + large + " large", "disk full"},
		{"put " + addr + " " + name + " .profile", "access violation"},
		{"put " + addr + " " + name + " sub/-rf", "access violation"},
		{"-max-size 100kB get " + addr + " copy " + served + "/back", "at most 100000 bytes"},
	} {
		if _, stderr, status := run(t, "tftp", strings.Fields(tt.args)...); status != 1 || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: status %d, %q", tt.args, status, stderr)
		}
	}
	if got, err := os.ReadFile(filepath.Join(served, "copy")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if left, _ := os.ReadDir(served); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	addr = startTftpd(t, "-write", "-dotfiles", served)
	if _, stderr, status := run(t, "tftp", "put", addr, name, ".profile"); status != 0 {
		t.Errorf("put with -dotfiles: status %d, %q", status, stderr)
	}
	if _, stderr, status := run(t, "tftp", "get", addr, ".profile", "-"); status != 0 {
		t.Errorf("get: status %d, %q", status, stderr)
	}
}

// TestTFTPPutsAPipe: a put waits for the writer of a pipe, and sends what it writes.
func TestTFTPPutsAPipe(t *testing.T) {
	served := t.TempDir()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Skip(err)
	}
	addr := startTftpd(t, "-write", served)
	c := command(t, "tftp", "put", addr, pipe, "copy")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits until the program opens it
	if err != nil {
		t.Fatal(err)
	}
	w.WriteString("text")
	w.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(served, "copy")); string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
}
