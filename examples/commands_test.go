// Package examples tests the example programs as users run them.
package examples

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/p2mp"
)

// bin is where TestMain builds the programs.
var bin string

func TestMain(m *testing.M) {
	status, err := build(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func build(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "ferry")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	bin = dir
	if out, err := exec.Command("go", "build", "-o", dir+"/", "./...").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return run(), nil
}

// command prepares a program; it ends with the test at the latest.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, filepath.Join(bin, name), args...)
}

// run runs a program to its end.
func run(t *testing.T, name string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	c := command(t, name, args...)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// A receiver is a p2mp-recv that runs.
type receiver struct {
	*exec.Cmd
	addr   string
	stderr *bufio.Reader
	stdout bytes.Buffer
}

func startReceiver(t *testing.T, args ...string) *receiver {
	t.Helper()
	r := &receiver{Cmd: command(t, "p2mp-recv", append([]string{"-v", "-listen", "127.0.0.1:0"}, args...)...)}
	pipe, err := r.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Stdout = &r.stdout
	r.stderr = bufio.NewReader(pipe)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := r.stderr.ReadString('\n')
	addr, found := strings.CutPrefix(line, "receiving at ")
	if !found {
		t.Fatalf("the receiver said %q, %v", line, err)
	}
	r.addr = strings.TrimSpace(addr)
	return r
}

// wait returns what else the receiver printed to standard error, and its status.
func (r *receiver) wait() (stderr string, status int) {
	rest, _ := io.ReadAll(r.stderr)
	r.Wait()
	return string(rest), r.ProcessState.ExitCode()
}

func writeNoise(t *testing.T, size int) (name string, data []byte) {
	data = make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	name = filepath.Join(t.TempDir(), "noise")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, data
}

func TestQuickstart(t *testing.T) {
	stdout, stderr, status := run(t, "quickstart", "-receivers", "4", "-loss", "0.2")
	if status != 0 || strings.Count(stdout, "4194304") != 4 || strings.Count(stdout, "true") != 4 || stderr != "" {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	name, _ := writeNoise(t, 3)
	stdout, stderr, status = run(t, "quickstart", "-receivers", "1", "-file", name, "-v", "-seed", "3")
	if status != 0 || strings.Count(stdout, "true") != 1 {
		t.Errorf("with -file: status %d\n%s%s", status, stdout, stderr)
	}
}

// TestCommands sends a file with p2mp-send to receivers that lose packets on
// purpose and keep it in the ways there are.
func TestCommands(t *testing.T) {
	name, data := writeNoise(t, 100_003)
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	a := startReceiver(t, "-dir", dir, "-n", "1")
	b := startReceiver(t, "-o", file, "-loss", "0.2", "-seed", "7")

	stdout, stderr, status := run(t, "p2mp-send", "-v", "-classic", "-mss", "500", name, a.addr, b.addr)
	if status != 0 || strings.Count(stdout, "complete") != 2 || strings.Count(stdout, "100003") != 2 {
		t.Errorf("p2mp-send: status %d\n%s%s", status, stdout, stderr)
	}
	// The P2MP-FTP report, "Client", point 6 and "Server", point 6.
	if !regexp.MustCompile(`^(Timeout, sequence number = \d+\n)+$`).MatchString(stderr) {
		t.Errorf("p2mp-send -v printed %q", stderr)
	}
	lost, status := b.wait()
	if status != 0 || !regexp.MustCompile(`^(Packet loss, sequence number = \d+\n)+$`).MatchString(lost) {
		t.Errorf("p2mp-recv -o: status %d, printed %q", status, lost)
	}
	if rest, status := a.wait(); status != 0 || rest != "" || !strings.Contains(a.stdout.String(), "100003 bytes") {
		t.Errorf("p2mp-recv -dir: status %d, printed %q and %q", status, rest, a.stdout.String())
	}

	kept, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, copied := range append(kept, file) {
		if got, err := os.ReadFile(copied); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", copied, len(got), err)
		}
	}
	if len(kept) != 1 {
		t.Errorf("-dir keeps %q, want one file", kept)
	}
}

// TestExtendedCommands: a file arrives under its own name, once.
func TestExtendedCommands(t *testing.T) {
	name, data := writeNoise(t, 1_000_003)
	dir := t.TempDir()
	r := startReceiver(t, "-dir", dir, "-loss", "0.05", "-resume")
	if stdout, stderr, status := run(t, "p2mp-send", "-rate", "1e9", "-window", "500", name, r.addr); status != 0 || !strings.Contains(stdout, "complete") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if _, stderr, status := run(t, "p2mp-send", name, r.addr); status != 1 || !strings.Contains(stderr, "has, or is receiving, a file of that name") {
		t.Errorf("the second time: status %d, %q", status, stderr)
	}
	got, err := os.ReadFile(filepath.Join(dir, "noise"))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.Process.Signal(os.Interrupt)
	r.wait()
}

// Of two senders of one name the first to complete delivers the file. The refusal of the
// other does not end the receiver early.
func TestTwoSenders(t *testing.T) {
	name, data := writeNoise(t, 1000)
	file := filepath.Join(t.TempDir(), "copy")
	r := startReceiver(t, "-o", file)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	joined, turnedAway := make(chan bool, 1), make(chan error, 1)
	go func() { // it would take a quarter of an hour
		slow := p2mp.Sender{Rate: 1e5, Trace: &p2mp.Trace{Joined: func(e p2mp.PacketEvent) { joined <- e.Extended }}}
		_, err := slow.Send(t.Context(), conn, []netip.AddrPort{netip.MustParseAddrPort(r.addr)}, ferry.Source{R: rand.NewChaCha8([32]byte{}), Size: 10_000_000})
		turnedAway <- err
	}()
	select {
	case extended := <-joined:
		if !extended {
			t.Skip("the receiver stood still for more than two seconds")
		}
	case err := <-turnedAway:
		t.Fatal(err)
	}
	if _, stderr, status := run(t, "p2mp-send", name, r.addr); status != 0 {
		t.Errorf("the quick one: status %d, %q", status, stderr)
	}
	if err := <-turnedAway; !errors.Is(err, ferry.ErrBusy) {
		t.Errorf("the slow one: %v", err)
	}
	if stderr, status := r.wait(); status != 0 || !strings.HasSuffix(stderr, conn.LocalAddr().String()+": p2mp: too many transfers\n") {
		t.Errorf("the receiver: status %d, %q", status, stderr)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A socket that never answers.
func TestAbsentReceiver(t *testing.T) {
	absent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer absent.Close()
	name, _ := writeNoise(t, 1000)
	r := startReceiver(t, "-dir", t.TempDir(), "-n", "1")
	_, stderr, status := run(t, "p2mp-send", name, r.addr, absent.LocalAddr().String())
	if want := "p2mp: 1 of 2 receivers answered; " + absent.LocalAddr().String() + ": no answer in 5s\n"; status != 1 || stderr != want {
		t.Errorf("status %d, %q; want %q", status, stderr, want)
	}
	r.wait()
}

func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	r := startReceiver(t, "-dir", dir)
	name, _ := writeNoise(t, 1000)
	if _, stderr, status := run(t, "p2mp-send", "-no-resume", name, r.addr); status != 0 {
		t.Fatal(stderr)
	}
	r.Process.Signal(os.Interrupt)
	if stderr, status := r.wait(); status != 0 || stderr != "" {
		t.Errorf("p2mp-recv -dir: status %d, %q", status, stderr)
	}

	r = startReceiver(t, "-o", filepath.Join(dir, "f"))
	r.Process.Signal(os.Interrupt)
	if stderr, status := r.wait(); status != 1 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("p2mp-recv -o: status %d, %q; want 1 and a line", status, stderr)
	}
}

// TestMistakes: a clear line, and the right status.
func TestMistakes(t *testing.T) {
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
		{"p2mp-send", 2, "want a file and at least one receiver"},
		{"p2mp-send nonsuch 127.0.0.1:1", 1, "open nonsuch: no such file"},
		{"p2mp-send " + dir + " 127.0.0.1:1", 1, "is a directory"},
		{"p2mp-send -policy maybe " + name + " 127.0.0.1:1", 2, `policy "maybe", want drop, fail or wait`},
		{"p2mp-send -mss 70000 " + name + " 127.0.0.1:1", 1, "MSS of 70000 bytes, want 1 to"},
		{"p2mp-send " + name + " [::1", 2, "want HOST:PORT"},
		{"p2mp-send " + name + " :7735", 2, "want HOST:PORT"},
		{"p2mp-send " + name + " 127.0.0.1:1 127.0.0.1:1", 1, "listed twice"},
		{"p2mp-recv", 2, "want either -o or -dir"},
		{"p2mp-recv -o a -dir b", 2, "want either -o or -dir"},
		{"p2mp-recv -o " + dir + "/no/f", 1, "no such file"},
		{"p2mp-recv -o " + dir, 1, "not a regular file"},
		{"p2mp-recv -o /dev/null", 1, "not a regular file"},
		{"p2mp-recv -o f -resume", 2, "-resume only with -dir"},
		{"p2mp-recv -o f -overwrite", 2, "only with -dir"},
		{"p2mp-recv -o f -max-size many", 2, "invalid value"},
		{"p2mp-recv -o f -n x", 2, "invalid value"},
		{"p2mp-recv -dir " + name, 1, "not a directory"},
		{"p2mp-recv -loss 1.5 -o f", 2, "want a probability"},
		{"p2mp-recv -o f -listen " + busy.LocalAddr().String(), 1, "address already in use"},
		{"quickstart -loss -1", 2, "want a probability"},
		{"quickstart -receivers 0", 2, "at least one receiver"},
		{"quickstart -file nonsuch", 1, "open nonsuch"},
		{"quickstart -nonsuch", 2, "not defined: -nonsuch"},
	} {
		args := strings.Fields(tt.command)
		_, stderr, status := run(t, args[0], args[1:]...)
		first, _, _ := strings.Cut(stderr, "\n")
		if status != tt.status || !strings.Contains(first, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: status %d, %q; want %d, %q", tt.command, status, stderr, tt.status, tt.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, name := range []string{"quickstart", "p2mp-send", "p2mp-recv"} {
		_, stderr, status := run(t, name, "-h")
		if status != 0 || !strings.HasPrefix(stderr, "usage: "+name) || !strings.Contains(stderr, "-v") {
			t.Errorf("%s -h: status %d, %q", name, status, stderr)
		}
	}
}
