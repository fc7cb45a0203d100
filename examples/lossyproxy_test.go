package examples

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A proxy is a lossyproxy that runs.
type proxy struct {
	*exec.Cmd
	addr   string
	stdout bytes.Buffer
	stderr bytes.Buffer
	read   chan struct{} // closed when all of standard error has been read
}

func startProxy(t *testing.T, args ...string) *proxy {
	t.Helper()
	p := &proxy{Cmd: command(t, "lossyproxy", append([]string{"-v", "-listen", "127.0.0.1:0"}, args...)...), read: make(chan struct{})}
	pipe, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stdout = &p.stdout
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	stderr := bufio.NewReader(pipe)
	line, err := stderr.ReadString('\n')
	addr, found := strings.CutPrefix(line, "proxying at ")
	if !found {
		t.Fatalf("lossyproxy said %q, %v", line, err)
	}
	p.addr = strings.TrimSpace(addr)
	go func() {
		io.Copy(&p.stderr, stderr)
		close(p.read)
	}()
	return p
}

// interrupt ends the proxy, which prints what it did.
func (p *proxy) interrupt(t *testing.T) (packets, dropped int) {
	t.Helper()
	p.Process.Signal(os.Interrupt)
	<-p.read
	if err := p.Wait(); err != nil {
		t.Errorf("lossyproxy after an interrupt: %v\n%s", err, &p.stderr)
	}
	var copies, passed int
	if _, err := fmt.Sscanf(p.stdout.String(), "%d packets, %d copies: %d passed on, %d dropped", &packets, &copies, &passed, &dropped); err != nil {
		t.Errorf("lossyproxy printed %q: %v", &p.stdout, err)
	}
	return packets, dropped
}

// TestLossyProxyTFTPHPA gets a file with the client of tftp-hpa, through a
// network that loses one packet in ten, from its own server and from ours.
func TestLossyProxyTFTPHPA(t *testing.T) {
	client, err := exec.LookPath("tftp")
	if err != nil {
		t.Skip("tftp is not installed (Debian package tftp-hpa)")
	}
	if version, _ := exec.Command(client, "-V").CombinedOutput(); !strings.Contains(string(version), "tftp-hpa") {
		t.Skipf("tftp is not that of tftp-hpa: %q", version)
	}
	for name, start := range map[string]func(t *testing.T, dir string) (addr string){
		"tftpd":     func(t *testing.T, dir string) string { return startTftpd(t, "-wide=false", dir) },
		"tftpd-hpa": startInTftpd,
	} {
		t.Run(name, func(t *testing.T) {
			name, data := writeNoise(t, 50_011) // 98 blocks
			local := t.TempDir()
			pcap, back := filepath.Join(local, "capture.pcapng"), filepath.Join(local, "back")
			p := startProxy(t, "-to", start(t, filepath.Dir(name)), "-loss", "0.05", "-seed", "1", "-delay", "1ms", "-pcap", pcap)
			host, port, _ := net.SplitHostPort(p.addr)
			c := exec.CommandContext(t.Context(), client, "-m", "binary", host, port, "-c", "get", "noise", back)
			if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("tftp: %v, %q", err, out)
			}
			if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(data))
			}
			packets, dropped := p.interrupt(t)
			t.Logf("%d packets, of which %d were dropped", packets, dropped)
			if packets < 2*98 || dropped == 0 || dropped > packets/8 {
				t.Errorf("%d of %d packets were dropped, at a loss of one in twenty", dropped, packets)
			}
			// Packets in flight when the proxy is interrupted are dropped, before or after
			// the counts are printed.
			log := p.stderr.String()
			lost, late := strings.Count(log, "cause=loss"), strings.Count(log, `cause="nobody there"`)
			if dropped < lost || dropped > lost+late {
				t.Errorf("-v printed %d and %d drops, want %d", lost, late, dropped)
			}
			checkCapture(t, pcap, packets, dropped)
		})
	}
}

// startInTftpd runs the server of tftp-hpa, which is found in a directory that
// FERRY_TFTP_TOOLS names, or where it is installed.
func startInTftpd(t *testing.T, dir string) (addr string) {
	t.Helper()
	bin := ""
	for _, d := range append(filepath.SplitList(os.Getenv("FERRY_TFTP_TOOLS")), "", "/usr/sbin") {
		if p, err := exec.LookPath(filepath.Join(d, "in.tftpd")); err == nil {
			bin = p
			break
		}
	}
	if bin == "" {
		t.Skip("in.tftpd is not installed (Debian package tftpd-hpa)")
	}
	if os.Getuid() != 0 {
		t.Skip("in.tftpd wants to be root")
	}
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = free.LocalAddr().String()
	free.Close()
	for _, d := range []string{dir, filepath.Dir(dir)} { // its own user must get there
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), bin, "--foreground", "--address", addr, "--user", "root", "--permissive",
		"--retransmit", "100000", "--secure", dir)
	c.WaitDelay = time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	// It is there when it answers: from another port.
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr))
	for range 200 {
		conn.WriteTo([]byte("\x00\x01nonsuch\x00octet\x00"), to)
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, _, err := conn.ReadFrom(make([]byte, 100)); err == nil {
			return addr
		}
	}
	t.Fatalf("%s does not answer", bin)
	return addr
}

// checkCapture compares a capture with the statistics.
func checkCapture(t *testing.T, name string, packets, dropped int) {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Log("tshark is not installed: the capture is not looked at")
		return
	}
	c := exec.Command(tshark, "-n", "-r", name, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment")
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	text := string(out)
	// A packet in flight when the proxy was interrupted is logged twice: as sent and as
	// dropped.
	late := strings.Count(text, "dropped\tdropped: nobody there, packet ")
	if got := strings.Count(text, "\n") - late; got != packets {
		t.Errorf("the capture has %d packets, want %d", got, packets)
	}
	if lost := strings.Count(text, "dropped\tdropped: loss, packet "); dropped < lost || dropped > lost+late {
		t.Errorf("the capture has %d packets lost and %d late, want %d dropped", lost, late, dropped)
	}
}

// TestLossyProxyNetem: tc's words, its tables among them, and a preset.
func TestLossyProxyNetem(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() { // an echo
		buf := make([]byte, 100)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			server.WriteTo(buf[:n], from)
		}
	}()
	specs := [][]string{
		{"-netem", "delay 1ms 100us distribution normal reorder 10%", "-rate", "1e9"},
		{"-preset", "lan", "-jitter", "1ms"},
	}
	if files, _ := filepath.Glob("/usr/lib/*/tc/experimental.dist"); len(files) > 0 {
		specs = append(specs, []string{"-netem", "delay 1ms 1ms distribution experimental"})
	}
	for _, spec := range specs {
		p := startProxy(t, append([]string{"-to", server.LocalAddr().String()}, spec...)...)
		conn, err := net.Dial("udp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			fmt.Fprint(conn, i)
			buf := make([]byte, 100)
			if n, err := conn.Read(buf); err != nil || string(buf[:n]) != fmt.Sprint(i) {
				t.Fatalf("%v: %q, %v", spec, buf[:n], err)
			}
		}
		conn.Close()
		if packets, dropped := p.interrupt(t); packets != 20 || dropped != 0 {
			t.Errorf("%v: %d packets, %d dropped", spec, packets, dropped)
		}
	}
}

func TestLossyProxyMistakes(t *testing.T) {
	ok := "-listen 127.0.0.1:0 -to 127.0.0.1:1 "
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"", 2, "want -listen and -to"},
		{"-listen 127.0.0.1:0", 2, "want -listen and -to"},
		{ok + "x", 2, "no arguments"},
		{ok + "-loss 1.5", 2, "want a probability from 0 to 1"},
		{ok + "-loss NaN", 2, "want a probability from 0 to 1"},
		{ok + "-delay -1s", 2, "want no negative times"},
		{ok + "-jitter -1s", 2, "want no negative times"},
		{ok + "-rate -1", 2, "want bits per second"},
		{ok + "-rate NaN", 2, "want bits per second"},
		{ok + "-netem dealy", 2, `-netem: netem: "dealy" is not understood`},
		{ok + "-preset moon", 2, `there is no preset "moon"`},
		{ok + "-pcap /nonsuch/file", 1, "open /nonsuch/file"},
		{"-listen 127.0.0.1:0 -to 127.0.0.1", 2, "want HOST:PORT"},
		{"-listen 127.0.0.1:0 -to :1", 2, "want HOST:PORT"},
		{"-listen 127.0.0.1 -to 127.0.0.1:1", 1, "missing port"},
	} {
		_, stderr, status := run(t, "lossyproxy", strings.Fields(tt.args)...)
		first, _, _ := strings.Cut(stderr, "\n")
		if status != tt.status || !strings.Contains(first, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("lossyproxy %s: status %d, %q; want %d, %q", tt.args, status, first, tt.status, tt.want)
		}
	}
	if _, stderr, status := run(t, "lossyproxy", strings.Fields(ok+"-pcap /dev/full")...); status != 1 || !strings.Contains(stderr, "no space left") {
		t.Errorf("a capture that cannot be written: status %d, %q", status, stderr)
	}
	_, stderr, status := run(t, "lossyproxy", "-h")
	if status != 0 || !strings.HasPrefix(stderr, "usage: lossyproxy") || !regexp.MustCompile(`(?s)-netem SPEC.*-pcap FILE.*-v\b`).MatchString(stderr) {
		t.Errorf("lossyproxy -h: status %d, %q", status, stderr)
	}
}
