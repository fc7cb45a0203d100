package examples

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A listener is a receiving program that runs. Its output is read all the time, so that it
// never waits for the test.
type listener struct {
	*exec.Cmd
	addr   string
	stdout bytes.Buffer
	busy   chan struct{} // closed when it has printed a thousand lines
	done   chan struct{} // closed when it prints nothing more
	stderr bytes.Buffer  // valid then
}

// listening starts a program that prints "receiving at ADDRESS" first, and reads that.
func listening(t *testing.T, c *exec.Cmd) *listener {
	t.Helper()
	l := &listener{Cmd: c, busy: make(chan struct{}), done: make(chan struct{})}
	pipe, err := l.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.Stdout = &l.stdout
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	line, err := lines.ReadString('\n')
	addr, found := strings.CutPrefix(line, "receiving at ")
	if !found {
		t.Fatalf("the receiver said %q, %v", line, err)
	}
	l.addr = strings.TrimSpace(addr)
	go func() {
		defer close(l.done)
		for n := 1; ; n++ {
			line, err := lines.ReadString('\n')
			l.stderr.WriteString(line)
			if err != nil {
				return
			}
			if n == 1000 {
				close(l.busy)
			}
		}
	}()
	return l
}

// wait returns what the program printed to standard error after its first line, and its
// status.
func (l *listener) wait() (stderr string, status int) {
	<-l.done
	l.Wait()
	return l.stderr.String(), l.ProcessState.ExitCode()
}

func startOctoput(t *testing.T, args ...string) *listener {
	t.Helper()
	return listening(t, command(t, "octoput-recv", append([]string{"-v", "-listen", "127.0.0.1:0"}, args...)...))
}

// writeText writes 256 KiB of ASCII, the bonus of CPSC 441 assignment 2.
func writeText(t *testing.T) (name string, data []byte) {
	for n := 0; len(data) < 256<<10; n++ {
		data = append(data, "an octopus has three hearts, nine brains and blue blood \n"[n%57])
	}
	name = filepath.Join(t.TempDir(), "large.txt")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, data
}

func same(t *testing.T, name string, data []byte) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(data))
	}
}

// TestOctoput sends the file of the bonus over loopback, with one packet in five lost
// in each direction.
func TestOctoput(t *testing.T) {
	name, data := writeText(t)
	dir := t.TempDir()
	r := startOctoput(t, "-dir", dir, "-n", "1", "-loss", "0.2", "-seed", "7")
	stdout, stderr, status := run(t, "octoput-send", "-v", "-loss", "0.2", "-seed", "8", name, r.addr)
	if status != 0 || !strings.Contains(stdout, "262144 of 262144 bytes in 30 octoblocks") {
		t.Errorf("octoput-send: status %d\n%s%s", status, stdout, stderr)
	}
	// Bitmaps of eight digits, before and after.
	for _, want := range []string{
		`(?m)^sent LEG 1 10000000, held 00000000$`,
		`(?m)^sent LEG \d+ [01]{8} again, held [01]{8}$`,
		`(?m)^received ACK \d+ [01]{8}, held [01]{8} -> 11111111$`,
		`(?m)^dropped ACK \d+ [01]{8}$`,
	} {
		if !regexp.MustCompile(want).MatchString(stderr) {
			t.Errorf("octoput-send -v printed nothing like %s", want)
		}
	}
	printed, status := r.wait()
	if status != 0 || !strings.Contains(r.stdout.String(), `"large.txt", 262144 bytes in 30 octoblocks`) {
		t.Errorf("octoput-recv: status %d, %q", status, r.stdout.String())
	}
	for _, want := range []string{`(?m)^received LEG 1 [01]{8}, held [01]{8} -> [01]{8}$`, `(?m)^dropped LEG \d+ [01]{8}$`} {
		if !regexp.MustCompile(want).MatchString(printed) {
			t.Errorf("octoput-recv -v printed nothing like %s", want)
		}
	}
	same(t, filepath.Join(dir, "large.txt"), data)
}

// TestOctoputKeeps: -o replaces, -dir does not, a name is the sender's.
func TestOctoputKeeps(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "copy")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	name, data := writeNoise(t, 8889)
	r := startOctoput(t, "-o", old)
	if _, stderr, status := run(t, "octoput-send", name, r.addr); status != 0 {
		t.Error(stderr)
	}
	if _, status := r.wait(); status != 0 {
		t.Errorf("octoput-recv -o: status %d", status)
	}
	same(t, old, data)

	r = startOctoput(t, "-dir", dir)
	for _, want := range []string{"", "there is such a file already"} {
		_, stderr, status := run(t, "octoput-send", name, r.addr)
		if (status == 0) != (want == "") || !strings.Contains(stderr, want) {
			t.Errorf("octoput-send: status %d, %q, want %q", status, stderr, want)
		}
	}
	r.Process.Signal(os.Interrupt)
	if printed, status := r.wait(); status != 0 || !strings.Contains(printed, "file already exists") {
		t.Errorf("octoput-recv -dir: status %d, %q", status, printed)
	}
	same(t, filepath.Join(dir, "noise"), data)
}

// TestOctoputInterrupted: an interrupted program tells the other one, which says so and
// keeps nothing.
func TestOctoputInterrupted(t *testing.T) {
	name, dir := sparse(t), t.TempDir()
	r := startOctoput(t, "-o", filepath.Join(dir, "f"))
	send := command(t, "octoput-send", name, r.addr)
	var errs bytes.Buffer
	send.Stderr = &errs
	if err := send.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.busy:
	case <-r.done:
	}
	r.Process.Signal(os.Interrupt)
	_, status := r.wait()
	send.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); status != 1 || len(left) != 0 {
		t.Errorf("octoput-recv: status %d, files %q", status, left)
	}
	if status := send.ProcessState.ExitCode(); status != 1 || !regexp.MustCompile(`ended at octoblock \d+: stopped\n$`).MatchString(errs.String()) {
		t.Errorf("octoput-send: status %d, %q", status, errs.String())
	}
}

// TestOctoputReceiverVanishes: the sender says who fell silent and how far it came, and
// ends with status 1.
func TestOctoputReceiverVanishes(t *testing.T) {
	if testing.Short() {
		t.Skip("a receiver is given up after 10 s")
	}
	r := startOctoput(t, "-o", filepath.Join(t.TempDir(), "f"))
	send := command(t, "octoput-send", sparse(t), r.addr)
	var errs bytes.Buffer
	send.Stderr = &errs
	if err := send.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.busy:
	case <-r.done:
	}
	r.Process.Kill() // it cannot say goodbye
	r.wait()
	send.Wait()
	said := regexp.MustCompile(`^octoput: ` + regexp.QuoteMeta(r.addr) + `: silent for 10s at octoblock \d+\n$`)
	if status := send.ProcessState.ExitCode(); status != 1 || !said.MatchString(errs.String()) {
		t.Errorf("octoput-send: status %d, %q", status, errs.String())
	}
}

// sparse makes a file that is far larger than the disk.
func sparse(t *testing.T) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 4<<30); err != nil {
		t.Skip("no sparse files here:", err)
	}
	return name
}

// TestOctoputMistakes: a clear line, and the right status.
func TestOctoputMistakes(t *testing.T) {
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	name, _ := writeNoise(t, 10)
	dir := t.TempDir()
	for _, tt := range []struct {
		command string
		status  int
		want    string
	}{
		{"octoput-send", 2, "want a file and a receiver"},
		{"octoput-send a b c", 2, "want a file and a receiver"},
		{"octoput-send nonsuch 127.0.0.1:1", 1, "open nonsuch: no such file"},
		{"octoput-send " + dir + " 127.0.0.1:1", 1, "is a directory"},
		{"octoput-send /dev/null 127.0.0.1:1", 1, "no regular file"},
		{"octoput-send " + name + " 127.0.0.1:", 2, "want HOST:PORT"},
		{"octoput-send " + name + " :8888", 2, "want HOST:PORT"},
		{"octoput-send -loss 2 " + name + " 127.0.0.1:1", 2, "want a probability"},
		{"octoput-recv", 2, "want either -o or -dir"},
		{"octoput-recv -o a -dir b", 2, "want either -o or -dir"},
		{"octoput-recv -o " + dir + "/no/f", 1, "no such file"},
		{"octoput-recv -dir " + name, 1, "not a directory"},
		{"octoput-recv -loss -1 -o f", 2, "want a probability"},
		{"octoput-recv -o f -listen " + busy.LocalAddr().String(), 1, "address already in use"},
	} {
		args := strings.Fields(tt.command)
		_, stderr, status := run(t, args[0], args[1:]...)
		first, _, _ := strings.Cut(stderr, "\n")
		if status != tt.status || !strings.Contains(first, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: status %d, %q; want %d, %q", tt.command, status, stderr, tt.status, tt.want)
		}
	}
	for _, name := range []string{"octoput-send", "octoput-recv"} {
		_, stderr, status := run(t, name, "-h")
		if status != 0 || !strings.HasPrefix(stderr, "usage: "+name) || !strings.Contains(stderr, "-v") {
			t.Errorf("%s -h: status %d, %q", name, status, stderr)
		}
	}
}
