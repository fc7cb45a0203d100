package examples

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// A program is a command that runs, with its input and its lines of output.
type program struct {
	*exec.Cmd
	t              *testing.T
	in             io.WriteCloser
	stdout, stderr *bufio.Reader
}

func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{Cmd: command(t, name, args...), t: t}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	p.stdout, p.stderr = bufio.NewReader(out), bufio.NewReader(errs)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// expect reads a line of r and returns what the parentheses of want match.
func (p *program) expect(r *bufio.Reader, want string) string {
	p.t.Helper()
	line, err := r.ReadString('\n')
	m := regexp.MustCompile("^(?:" + want + ")\n$").FindStringSubmatch(line)
	if m == nil {
		p.t.Fatalf("%s printed %q, %v; want %q", p.Path, line, err, want)
	}
	if len(m) > 1 {
		return m[1]
	}
	return ""
}

// stop interrupts the program, and checks that it ends well.
func (p *program) stop() {
	p.t.Helper()
	p.Process.Signal(os.Interrupt)
	p.ends(0)
}

func (p *program) ends(status int) {
	p.t.Helper()
	rest, _ := io.ReadAll(p.stderr)
	if p.Wait(); p.ProcessState.ExitCode() != status {
		p.t.Errorf("%s ended with status %d, %q", p.Path, p.ProcessState.ExitCode(), rest)
	}
}

// startRelayd starts a server and returns its port.
func startRelayd(t *testing.T, args ...string) (p *program, addr string) {
	p = start(t, "relayd", append([]string{"-v", "-listen", "127.0.0.1:0"}, args...)...)
	port := p.expect(p.stderr, `waiting for connection\.\.\. listening on port (\d+)`)
	return p, "127.0.0.1:" + port
}

// plainClient is the TCP client of CSCI 351 project 4: recv(1024), no newlines.
type plainClient struct {
	net.Conn
	t *testing.T
}

func newPlainClient(t *testing.T, addr string) plainClient {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return plainClient{c, t}
}

func (c plainClient) send(text string) { io.WriteString(c, text) }

func (c plainClient) recv(want string) {
	c.t.Helper()
	buf := make([]byte, 1024)
	if n, err := c.Read(buf); string(buf[:n]) != want || err != nil && err != io.EOF {
		c.t.Errorf("received %q, %v; want %q", buf[:n], err, want)
	}
}

// CSCI 351 project 4, question 1.
func TestRelayd(t *testing.T) {
	p, addr := startRelayd(t)
	var clients []plainClient
	for range 5 {
		clients = append(clients, newPlainClient(t, addr))
	}
	newPlainClient(t, addr).recv("* full: at most 5 clients\n")
	clients[1].send("hello")
	for i, c := range clients {
		if i != 1 {
			c.recv("2: hello\n")
		}
	}
	clients[0].send("exit")
	clients[0].recv("")
	p.Process.Signal(os.Interrupt)
	log, _ := io.ReadAll(p.stderr)
	for _, want := range []string{
		"client connected: address  " + clients[4].LocalAddr().String() + "\n", "received \"hello\"\n", "received \"exit\"\n", "waiting for connection... listening on port ",
	} {
		if !strings.Contains(string(log), want) {
			t.Errorf("relayd -v printed %q, want %q in it", log, want)
		}
	}
	p.ends(0)
}

// CSCI 351 project 4, question 2, in the order of its execution step: server,
// forwarders, client.
func TestForwarder(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	addr := server.Addr().String()
	var forwarders []*program
	for range 2 {
		p := start(t, "forwarder", "-v", "-listen", "127.0.0.1:0", "-to", addr)
		addr = p.expect(p.stderr, `forwarding from (\S+)`)
		forwarders = append(forwarders, p)
	}
	conn, err := server.Accept() // before there is a client
	if err != nil {
		t.Fatal(err)
	}
	atServer := plainClient{conn, t}
	client := newPlainClient(t, addr)
	client.send("word")
	atServer.recv("word")
	atServer.send("answer")
	client.recv("answer")
	client.Close()
	atServer.recv("")
	conn.Close()
	for _, p := range forwarders {
		p.stop()
	}
}

// CSCI 351 project 4, question 3: two chats, and a plain client that sees their
// messages at the server.
func TestChat(t *testing.T) {
	p, addr := startRelayd(t)
	witness := newPlainClient(t, addr)
	var ports []string
	for range 2 {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, c.LocalAddr().String())
		c.Close()
	}
	a := start(t, "chat", "-v", "-server", addr, "-listen", ports[0], "-peer", ports[1])
	a.expect(a.stderr, "chatting at "+ports[0])
	b := start(t, "chat", "-v", "-server", addr, "-listen", ports[1], "-peer", ports[0])
	b.expect(b.stderr, "chatting at "+ports[1])
	fmt.Fprintln(a.in, "hello")
	b.expect(b.stdout, "hello")
	witness.recv("2: hello\n")
	fmt.Fprintln(b.in, "hi \x1b[2J")
	a.expect(a.stdout, "hi \ufffd\\[2J")
	a.expect(a.stderr, "server: 3: hi \ufffd\\[2J")
	fmt.Fprintln(b.in, "exit")
	a.ends(0)
	b.ends(0)
	p.stop()
}

// TestChatInterrupt: an interrupted client ends, although its peer does not answer.
func TestChatInterrupt(t *testing.T) {
	p, addr := startRelayd(t)
	alone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	a := start(t, "chat", "-v", "-server", addr, "-listen", "127.0.0.1:0", "-peer", alone.LocalAddr().String())
	a.expect(a.stderr, "chatting at .*")
	a.Process.Signal(os.Interrupt)
	a.expect(a.stderr, ".*exit sent, not confirmed.*")
	a.ends(0)
	p.stop()
}

// TestChatInterruptUnanswered: an interrupt does not wait for the timeout of a message that is not acknowledged.
func TestChatInterruptUnanswered(t *testing.T) {
	p, addr := startRelayd(t)
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	a := start(t, "chat", "-server", addr, "-listen", "127.0.0.1:0", "-peer", peer.LocalAddr().String())
	io.WriteString(a.in, strings.Repeat("x", 20_000)+"\n")
	peer.ReadFrom(make([]byte, 2000))
	a.Process.Signal(os.Interrupt)
	a.ends(0)
	p.stop()
}

func TestRelayMistakes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := busy.Addr().String()
	defer busy.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	absent := gone.Addr().String()
	for _, tt := range []struct {
		command string
		status  int
		want    string
	}{
		{"relayd -listen " + addr, 1, "address already in use"},
		{"relayd -framing words", 2, `framing "words", want one of`},
		{"relayd -slow down", 2, `slow "down", want one of`},
		{"relayd -max 0", 2, "-max 0: want a number of clients"},
		{"relayd extra", 2, "want no arguments"},
		{"forwarder", 2, "want -listen and -to"},
		{"forwarder -listen 127.0.0.1:0 -to nowhere", 2, "want HOST:PORT"},
		{"forwarder -listen 127.0.0.1:0 -to " + absent, 1, "relay: cannot reach " + absent},
		{"forwarder -listen " + addr + " -to " + addr, 1, "address already in use"},
		{"chat", 2, "want -server, -listen and -peer"},
		{"chat -server " + absent + " -listen 127.0.0.1:0 -peer 127.0.0.1:1", 1, "connection refused"},
		{"chat -server " + addr + " -listen 127.0.0.1:0 -peer nowhere", 2, "want HOST:PORT"},
	} {
		args := strings.Fields(tt.command)
		_, stderr, status := run(t, args[0], args[1:]...)
		first, _, _ := strings.Cut(stderr, "\n")
		if status != tt.status || !strings.Contains(first, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: status %d, %q; want %d, %q", tt.command, status, stderr, tt.status, tt.want)
		}
	}
	for _, name := range []string{"relayd", "forwarder", "chat"} {
		_, stderr, status := run(t, name, "-h")
		if status != 0 || !strings.HasPrefix(stderr, "usage: "+name) || !strings.Contains(stderr, "-v") {
			t.Errorf("%s -h: status %d, %q", name, status, stderr)
		}
	}
}
