package examples

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ferrygo/ferry/examples/internal/printable"
)

// hostile is text that a terminal obeys, or that hides what it says.
const hostile = "a\x1b[2J\u009b2J\u202e\u3164\u200b\xffb"

// printableOnly fails if what a program printed holds anything but printable lines, or does
// not hold the text.
func printableOnly(t *testing.T, program, printed, text string) {
	t.Helper()
	if !strings.Contains(printed, text) {
		t.Errorf("%s printed %q, want %q in it", program, printed, text)
	}
	for line := range strings.Lines(printed) {
		line = strings.TrimSuffix(line, "\n")
		if printable.Text(line) != line {
			t.Errorf("%s printed %+q", program, line)
		}
	}
}

// hostileFile writes a file whose name has terminal control sequences and a line break.
func hostileFile(t *testing.T) (name string) {
	name = filepath.Join(t.TempDir(), "n\n"+hostile)
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Skip("this system has no such file names: ", err)
	}
	return name
}

func TestReceiversPrintHostileNames(t *testing.T) {
	want := printable.Quote("n\n" + hostile)
	file := hostileFile(t)
	p := startReceiver(t, "-o", filepath.Join(t.TempDir(), "copy"))
	stdout, stderr, _ := run(t, "p2mp-send", "-v", file, p.addr)
	printableOnly(t, "p2mp-send", stdout+stderr, p.addr)
	stderr, _ = p.wait()
	printableOnly(t, "p2mp-recv", stderr+p.stdout.String(), want)

	dir := t.TempDir()
	o := startOctoput(t, "-dir", dir)
	stdout, stderr, _ = run(t, "octoput-send", "-v", file, o.addr)
	printableOnly(t, "octoput-send", stdout+stderr, o.addr)
	o.Process.Signal(os.Interrupt)
	stderr, _ = o.wait()
	printableOnly(t, "octoput-recv", stderr+o.stdout.String(), want)
}

// answering runs a UDP server that answers each datagram with what answer returns for it.
func answering(t *testing.T, answer func(datagram string) []string) (addr string) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, a := range answer(string(buf[:n])) {
				conn.WriteTo([]byte(a), from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func TestTFTPPrintsHostileError(t *testing.T) {
	addr := answering(t, func(string) []string { return []string{"\x00\x05\x00\x00" + hostile + "\x00"} })
	for _, flag := range []string{"-v=false", "-v"} {
		_, stderr, _ := run(t, "tftp", flag, "get", addr, "name", filepath.Join(t.TempDir(), "f"))
		printableOnly(t, "tftp", stderr, "[2J")
	}
}

func TestTFTPDLogsHostileName(t *testing.T) {
	p := start(t, "tftpd", "-v", "-listen", "127.0.0.1:0", t.TempDir())
	addr := p.expect(p.stderr, "serving at (.*)")
	run(t, "tftp", "get", addr, hostile, filepath.Join(t.TempDir(), "f"))
	log := make(chan string)
	go func() {
		all, _ := io.ReadAll(p.stderr)
		log <- string(all)
	}()
	p.Process.Signal(os.Interrupt)
	printableOnly(t, "tftpd", <-log, "[2J")
	p.Wait()
}

// A directory that answers with a name that no peer could register.
func TestPeerPrintsHostileDirectory(t *testing.T) {
	addr := answering(t, func(request string) []string {
		view, ok := strings.CutSuffix(request, "  1 1")
		if !ok {
			return nil
		}
		word := strings.Fields(view)[1]
		return []string{view + "  2 1", "8 -  1 2", "8 - " + word + " 1 127.0.0.1 80 1700000000.000000 1 a%1B[2J%C2%9B2J%E2%80%AE%E3%85%A4b  2 2"}
	})
	stdout, stderr, status := run(t, "peer", "-directory", addr, "-view")
	printableOnly(t, "peer", stdout, `'a\x1b[2J\u009b2J\u202e\u3164b'`)
	if status != 0 || stderr != "" {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestDirectorydLogsHostileName(t *testing.T) {
	p := start(t, "directoryd", "-v", "-listen", "127.0.0.1:0")
	addr := p.expect(p.stderr, "serving at (.*)")
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "2 a[2J%E2%80%AE%E3%85%A4b  1 1")
	c.Read(make([]byte, 1000))
	printableOnly(t, "directoryd", firstLine(t, p.stderr), "malformed request") // such a name is refused
	p.stop()
}

func firstLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestRelayPrintsHostileText(t *testing.T) {
	p, addr := startRelayd(t)
	client := newPlainClient(t, addr)
	firstLine(t, p.stderr) // who is connected
	firstLine(t, p.stderr) // waiting
	chat := start(t, "chat", "-v", "-server", addr, "-listen", "127.0.0.1:0", "-peer", "127.0.0.1:9")
	firstLine(t, chat.stderr) // chatting at
	firstLine(t, p.stderr)
	firstLine(t, p.stderr)
	client.send(hostile)
	printableOnly(t, "chat", firstLine(t, chat.stderr), "server: 1: "+printable.Text(hostile))
	printableOnly(t, "relayd", firstLine(t, p.stderr), "[2J")
}

func TestMulticastPrintsHostileText(t *testing.T) {
	port := freePort(t)
	p := start(t, "mcast-recv", "-v", "-iface", loopback(t), "-group", "239.255.7.7:"+port)
	p.expect(p.stderr, `receiving at .*`)
	run(t, "mcast-send", "-iface", loopback(t), "-ttl", "0", "-group", "239.255.7.7:"+port, hostile+"\nforged")
	printableOnly(t, "mcast-recv", firstLine(t, p.stdout), printable.Text(hostile+"\nforged"))
	p.stop()
}
