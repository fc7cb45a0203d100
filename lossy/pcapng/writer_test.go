package pcapng_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/lossy/pcapng"
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func openAt(t *testing.T, n *lossy.Network, a netip.AddrPort) *lossy.Conn {
	t.Helper()
	c, err := n.NewConn(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func listenUDP(t *testing.T, addr string, wrap ...lossy.Option) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return lossy.Wrap(pc, wrap...)
}

func send(t *testing.T, c net.PacketConn, to *lossy.Conn, payload string) {
	t.Helper()
	if n, err := c.WriteTo([]byte(payload), to.LocalAddr()); n != len(payload) || err != nil {
		t.Fatalf("WriteTo = %d, %v", n, err)
	}
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	buf := make([]byte, 100)
	n, _, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// captured runs a small network and returns its capture.
func captured(t *testing.T, seed uint64) []byte {
	t.Helper()
	var file bytes.Buffer
	c, err := pcapng.NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Seed(seed), lossy.WithTrace(c.Trace()),
			lossy.DropNth(2), lossy.Duplicate(0.1), lossy.Corrupt(0.1), lossy.Loss(0.1), lossy.Delay(1234567))
		a, b := openAt(t, n, addr("10.0.0.1:1000")), openAt(t, n, addr("10.0.0.2:69"))
		six, seven := openAt(t, n, addr("[fd00::6]:6")), openAt(t, n, addr("[fd00::7]:7"))
		group := netip.MustParseAddr("239.1.2.3")
		if err := b.JoinGroup(group); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			send(t, a, b, fmt.Sprint("to b ", strings.Repeat("x", i)))
			send(t, six, seven, fmt.Sprint("to seven ", i))
			time.Sleep(time.Millisecond)
		}
		a.WriteToUDPAddrPort([]byte("to all"), netip.AddrPortFrom(group, 69))
		b.Close()
		time.Sleep(time.Second)
		send(t, a, b, "too late")
		time.Sleep(time.Second)
		n.Stats()
	})
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	return file.Bytes()
}

// TestSame: the bytes depend on the seed only.
func TestSame(t *testing.T) {
	first := captured(t, 1)
	for range 20 {
		if !bytes.Equal(captured(t, 1), first) {
			t.Fatal("the same seed gives another file")
		}
	}
	if bytes.Equal(captured(t, 2), first) {
		t.Error("another seed gives the same file")
	}
}

// dissect lets tshark read a capture, and returns the fields of each packet.
func dissect(t *testing.T, file []byte, fields ...string) [][]string {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"-n", "-r", name, "-T", "fields", "-E", "separator=|", "-t", "e",
		"-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	c := exec.Command(tshark, args...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.Bytes())
	}
	var lines [][]string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.Split(strings.TrimSuffix(line, "\n"), "|"))
	}
	return lines
}

// TestTshark lets tshark say what is in a capture.
func TestTshark(t *testing.T) {
	lines := dissect(t, captured(t, 1),
		"frame.interface_name", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
		"udp.srcport", "udp.dstport", "udp.length", "ip.checksum.status", "udp.checksum.status",
		"ip.id", "frame.comment", "frame.packet_flags_direction", "_ws.malformed")
	count := make(map[string]int)
	for i, l := range lines {
		name, at, comment := l[0], l[1], l[12]
		if want := map[bool]string{true: "dropped", false: "passed"}[strings.HasPrefix(comment, "dropped")]; name != want {
			t.Errorf("packet %d is on %q, with the comment %q", i, name, comment)
		}
		if l[10] != "1" || l[9] != "1" && l[2] != "" || l[14] != "" { // 1: good
			t.Errorf("packet %d has a bad checksum or is malformed: %q", i, l)
		}
		if l[2] == "" && (l[4] != "fd00::6" || l[5] != "fd00::7" || l[6] != "6" || l[7] != "7") {
			t.Errorf("packet %d: %q", i, l)
		}
		if l[2] != "" && (l[2] != "10.0.0.1" || l[6] != "1000" || l[7] != "69") {
			t.Errorf("packet %d: %q", i, l)
		}
		if l[3] == "239.1.2.3" {
			count["group"]++
		}
		// The bubble's time begins with the year 2000, and a packet goes each ms.
		if !strings.HasPrefix(at, "9466848") || len(at) != len("946684800.000000000") {
			t.Errorf("packet %d is at %s", i, at)
		}
		for _, word := range []string{"dropped: script, packet 2", "dropped: loss", "delayed 1.234567ms, packet 1", "copy 1", "corrupted", "dropped: nobody there"} {
			if strings.Contains(comment, word) {
				count[word]++
			}
		}
	}
	if len(count) != 7 || len(lines) < 42 || count["dropped: script, packet 2"] != 2 {
		t.Errorf("%d packets, of which %v", len(lines), count)
	}
}

// TestTcpdump: tcpdump reads a capture.
func TestTcpdump(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(name, captured(t, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tcpdump, "-n", "-vv", "-tttt", "--nano", "-r", name).CombinedOutput()
	text := string(out)
	if err != nil || strings.Contains(text, "bad") || !strings.Contains(text, "10.0.0.1.1000 > 10.0.0.2.69") ||
		!strings.Contains(text, "fd00::6.6 > fd00::7.7") || !strings.Contains(text, "udp sum ok") {
		t.Errorf("tcpdump: %v\n%s", err, text)
	}
}

// TestWrapped has both directions of a wrapped socket, which does not
// know the address that it is written to.
func TestWrapped(t *testing.T) {
	if pc, err := net.ListenPacket("udp", "[::]:0"); err != nil {
		t.Skip("no IPv6: ", err)
	} else {
		pc.Close()
	}
	var file bytes.Buffer
	c, err := pcapng.NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	a, b := listenUDP(t, "[::]:0", lossy.WithTrace(c.Trace())), listenUDP(t, "127.0.0.1:0")
	defer a.Close()
	defer b.Close()
	if _, err := a.WriteTo([]byte("out"), b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	n, from, err := b.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.WriteTo(append([]byte("back "), buf[:n]...), from); err != nil {
		t.Fatal(err)
	}
	receive(t, a)
	got := dissect(t, file.Bytes(), "ip.src", "ip.dst", "udp.length", "frame.packet_flags_direction", "frame.comment")
	want := [][]string{
		{"0.0.0.0", "127.0.0.1", "11", "0x00000002", "passed, packet 1"},
		{"127.0.0.1", "0.0.0.0", "16", "0x00000001", "passed, packet 1"},
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("tshark reads %q, want %q", got, want)
	}
}

// A limited writer fails after a number of writes.
type limited struct {
	room int
	err  error
}

func (w *limited) Write(b []byte) (int, error) {
	if w.room--; w.room < 0 {
		return len(b) / 2, w.err
	}
	return len(b), nil
}

// TestErrors: a file that cannot be written is an error at once; one
// that cannot be written any more is one in the end, and harms nothing else.
func TestErrors(t *testing.T) {
	full := errors.New("the disk is full")
	if c, err := pcapng.NewWriter(&limited{0, full}); c != nil || !errors.Is(err, full) {
		t.Errorf("NewWriter = %v, %v", c, err)
	}
	if c, err := pcapng.NewWriter(&limited{0, nil}); c != nil || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("NewWriter = %v, %v", c, err)
	}
	w := &limited{2, full}
	c, err := pcapng.NewWriter(w)
	if err != nil || c.Err() != nil {
		t.Fatal(err, c.Err())
	}
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.WithTrace(c.Trace()))
		a, b := openAt(t, n, netip.AddrPort{}), openAt(t, n, netip.AddrPort{})
		for range 5 {
			send(t, a, b, "x")
			receive(t, b)
		}
	})
	if !errors.Is(c.Err(), full) || w.room != -1 {
		t.Errorf("the error is %v, after %d writes too many", c.Err(), -w.room)
	}
}
