package examples

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// newKey makes a key file as a shell would: ferry-key > FILE.
func newKey(t *testing.T, args ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "group.key")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := command(t, "ferry-key", args...)
	c.Stdout = f
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	return name
}

// payloads returns what the UDP packets in a capture carry, by tshark.
func payloads(t *testing.T, pcap string) string {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	c := exec.Command(tshark, "-n", "-r", pcap, "-T", "fields", "-e", "udp.payload")
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	return string(out)
}

// TestSealedTransfer sends a file with p2mp through a lossyproxy, which captures what is on
// the wire: with a key neither the name nor a piece of the file is there.
func TestSealedTransfer(t *testing.T) {
	key := newKey(t)
	source := filepath.Join(t.TempDir(), "telling-name")
	text := strings.Repeat("the content of the file. ", 20_000)
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, seal := range [][]string{nil, {"-key", key}} {
		dir, pcap := t.TempDir(), filepath.Join(t.TempDir(), "wire.pcapng")
		r := startReceiver(t, append(seal, "-dir", dir, "-n", "1")...)
		p := startProxy(t, "-to", r.addr, "-pcap", pcap, "-loss", "0.02", "-seed", "1")
		stdout, stderr, status := run(t, "p2mp-send", append(seal, source, p.addr)...)
		if status != 0 {
			t.Fatalf("p2mp-send: status %d\n%s%s", status, stdout, stderr)
		}
		if stderr, status := r.wait(); status != 0 {
			t.Errorf("p2mp-recv: status %d\n%s", status, stderr)
		}
		p.interrupt(t)
		if got, err := os.ReadFile(filepath.Join(dir, "telling-name")); string(got) != text {
			t.Errorf("%d bytes arrived, %v", len(got), err)
		}
		wire := payloads(t, pcap)
		for _, plain := range []string{"telling-name", "content of the file"} {
			if found, want := strings.Contains(wire, hex(plain)), seal == nil; found != want {
				t.Errorf("with %q, %q is on the wire: %v", seal, plain, found)
			}
		}
	}
}

func hex(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// TestWrongKey: a receiver says that packets do not open, and why they may not.
func TestWrongKey(t *testing.T) {
	name, _ := writeNoise(t, 1000)
	r := startReceiver(t, "-key", newKey(t), "-dir", t.TempDir(), "-n", "1")
	for _, seal := range [][]string{nil, {"-key", newKey(t)}} {
		if _, stderr, status := run(t, "p2mp-send", append(seal, "-giveup", "300ms", name, r.addr)...); status == 0 {
			t.Errorf("p2mp-send with %q: status 0, %s", seal, stderr)
		}
	}
	r.Process.Signal(os.Interrupt)
	stderr, _ := r.wait()
	if want := "packets did not open: another key, purpose or clock? The last is from 127.0.0.1:"; !strings.Contains(stderr, want) || !strings.Contains(stderr, ": not sealed\n") {
		t.Errorf("p2mp-recv printed %q, want %q", stderr, want)
	}
}

// TestSealedTFTP: every port of a transfer is sealed; the key may come from the environment.
func TestSealedTFTP(t *testing.T) {
	t.Setenv("FERRY_KEY_FILE", newKey(t))
	name, data := writeNoise(t, 300_000)
	addr := startTftpd(t, filepath.Dir(name))
	back := filepath.Join(t.TempDir(), "back")
	if _, stderr, status := run(t, "tftp", "get", addr, "noise", back); status != 0 {
		t.Fatalf("tftp: status %d, %s", status, stderr)
	}
	if got, err := os.ReadFile(back); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	t.Setenv("FERRY_KEY_FILE", "")
	if _, _, status := run(t, "tftp", "-giveup", "300ms", "get", addr, "noise", back); status == 0 {
		t.Error("tftp without a key gets the file")
	}
}

// TestSealedOctoput is a transfer with octoput.
func TestSealedOctoput(t *testing.T) {
	key := newKey(t)
	name, data := writeNoise(t, 100_000)
	out := filepath.Join(t.TempDir(), "copy")
	r := startOctoput(t, "-key", key, "-o", out)
	if _, stderr, status := run(t, "octoput-send", "-key", key, name, r.addr); status != 0 {
		t.Fatalf("octoput-send: status %d, %s", status, stderr)
	}
	r.Wait()
	if got, err := os.ReadFile(out); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestSealedDirectory looks a file up, with the key and without.
func TestSealedDirectory(t *testing.T) {
	key := newKey(t)
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.LocalAddr().String()
	free.Close()
	d := start(t, "directoryd", "-key", key, "-v", "-listen", addr)
	defer d.Process.Kill()
	if stdout, stderr, status := run(t, "peer", "-key", key, "-directory", addr, "-view"); status != 0 || strings.Contains(stderr, "HTTP") {
		t.Errorf("peer -view: status %d, %s%s", status, stdout, stderr)
	}
	_, stderr, _ := run(t, "peer", "-key", key, "-directory", addr, "-get", "nonsuch")
	if !strings.Contains(stderr, "only UDP is sealed: files travel over HTTP in the clear\n") {
		t.Errorf("peer -get printed %q", stderr)
	}
}

// TestKeyFiles: errors say why a key file is invalid, and never show its contents.
func TestKeyFiles(t *testing.T) {
	key := newKey(t)
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("ferry-key leaves the mode %v", info.Mode())
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "# created: 20") || !strings.HasPrefix(lines[1], "ferry-key-1") || len(lines[1]) != 11+44 {
		t.Errorf("ferry-key prints %d lines", len(lines))
	}
	write := func(text string, mode os.FileMode) string {
		name := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	open, bad := write(string(text), 0o640), write("# x\nsecret words\n", 0o600)
	twice, none := write(string(text)+lines[1]+"\n", 0o600), write("# none\n", 0o600)
	for name, want := range map[string]string{
		open:  "others can read or change " + open + ": run chmod 600 " + open,
		bad:   bad + ": sealed: key file, line 2: want a comment or ferry-key-1 and 44 characters of base64",
		twice: twice + ": sealed: key file, line 3: the key is there twice",
		none:  none + ": sealed: key file: there is no key",
		"/x":  "open /x: no such file",
	} {
		for _, program := range [][]string{
			{"p2mp-send", key, "127.0.0.1:1"},
			{"p2mp-recv", "-o", "-"},
			{"octoput-send", key, "127.0.0.1:1"},
			{"octoput-recv", "-o", filepath.Join(t.TempDir(), "x")},
			{"tftp", "get", "127.0.0.1:1", "x"},
			{"tftpd", t.TempDir()},
			{"directoryd"},
			{"peer", "-view"},
			{"mcast-send", "x"},
			{"mcast-recv"},
			{"chat", "-server", "127.0.0.1:1", "-listen", "127.0.0.1:0", "-peer", "127.0.0.1:1"},
		} {
			if name != open && program[0] != "tftpd" && program[0] != "p2mp-recv" {
				continue // one helper is behind all
			}
			stdout, stderr, status := run(t, program[0], append([]string{"-key", name}, program[1:]...)...)
			if status != 1 || !strings.Contains(stderr, want) {
				t.Errorf("%s -key %s: status %d, %q, want %q", program[0], filepath.Base(name), status, stderr, want)
			}
			if all := stdout + stderr; strings.Contains(all, lines[1][11:20]) || strings.Contains(all, "secret") {
				t.Errorf("%s tells what is in the file: %q", program[0], all)
			}
		}
	}
	if _, stderr, status := run(t, "tftpd", "-max-skew", "1s", t.TempDir()); status != 2 || !strings.Contains(stderr, "-max-skew needs -key") {
		t.Errorf("-max-skew alone: status %d, %q", status, stderr)
	}
	sign := newKey(t, "-sign")
	if text, _ := os.ReadFile(sign); !strings.Contains(string(text), "\n# public key: ferry-verify-1") || !strings.Contains(string(text), "\nferry-sign-1") {
		t.Error("ferry-key -sign prints something else")
	}
	if _, stderr, status := run(t, "tftpd", "-key", sign, t.TempDir()); status != 1 || !strings.Contains(stderr, "line 3") {
		t.Errorf("a signing key for -key: status %d, %q", status, stderr)
	}
}
