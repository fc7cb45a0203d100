//go:build linux

package bench

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/internal/datagram"
)

// announcers is how many peers there are.
const announcers = 10_000

// BenchmarkAnnounce is the CPU time that a server takes for one keep-alive:
// directoryd's, and that of opentracker for an announce of BEP 15, which is the same
// job. Each server has the same core for itself, and they take turns.
func BenchmarkAnnounce(b *testing.B) {
	tracker, err := exec.LookPath("opentracker")
	if err != nil {
		b.Skip("no opentracker: apt-get install opentracker")
	}
	bin := buildExamples(b, "directoryd")
	b.Setenv("GOMAXPROCS", "1")
	ours := startPinned(b, filepath.Join(bin, "directoryd"), "-listen", "127.0.0.1:17777")
	theirs := startPinned(b, tracker, "-i", "127.0.0.1", "-p", "16969", "-P", "16969")

	ferry := &load{b: b, to: netip.MustParseAddrPort("127.0.0.1:17777"), server: ours, request: func(buf []byte, i int) []byte {
		// Each is longer than the one before, nearly always: answers of one length to
		// one address could leave in one piece, and those to real peers cannot.
		name := fmt.Sprintf("file-%03d%s", i%1000, strings.Repeat("x", i%32))
		m := directory.Message{Type: directory.Update, Fields: []string{"127.0.0.1", strconv.Itoa(1024 + i), name}, Seq: 1, Total: 1}
		buf, err := m.AppendBinary(buf)
		if err != nil {
			b.Fatal(err)
		}
		return buf
	}}
	open := &load{b: b, to: netip.MustParseAddrPort("127.0.0.1:16969"), server: theirs}
	ferry.open()
	open.open()
	id := open.connect()
	open.request = func(buf []byte, i int) []byte { return appendAnnounce(buf, id, i) }

	const each = 20 * announcers
	ferry.run(2 * announcers) // everybody is known then
	open.run(2 * announcers)
	var x, y, rateX, rateY []float64
	for b.Loop() {
		cpu, rate := ferry.run(each)
		x, rateX = append(x, cpu), append(rateX, rate)
		cpu, rate = open.run(each)
		y, rateY = append(y, cpu), append(rateY, rate)
	}
	b.ReportMetric(median(x), "ferry-cpu-ns")
	b.ReportMetric(median(y), "opentracker-cpu-ns")
	b.ReportMetric(median(x)/median(y), "ferry/opentracker")
	b.ReportMetric(median(rateX), "ferry-announces/s")
	b.ReportMetric(median(rateY), "opentracker-announces/s")
	b.ReportMetric(0, "ns/op")
}

// startPinned starts a server on the first core.
func startPinned(b *testing.B, name string, args ...string) *exec.Cmd {
	b.Helper()
	return start(b, "taskset", append([]string{"-c", "0", name}, args...)...)
}

func start(b *testing.B, name string, args ...string) *exec.Cmd {
	b.Helper()
	c := exec.Command(name, args...)
	c.Stdin = nil
	if err := c.Start(); err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// buildExamples builds programs of the examples.
func buildExamples(b *testing.B, names ...string) (dir string) {
	b.Helper()
	dir = b.TempDir()
	args := []string{"build", "-C", "../examples", "-o", dir + "/"}
	for _, n := range names {
		args = append(args, "./"+n)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// cpu is the CPU time that a process has taken.
func cpu(b *testing.B, c *exec.Cmd) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	words := strings.Fields(rest)
	user, _ := strconv.Atoi(words[11])
	system, _ := strconv.Atoi(words[12])
	return time.Duration(user+system) * 10 * time.Millisecond // a tick is 1/100 s everywhere
}

// A load sends requests and waits for the answers, a window at a time.
type load struct {
	b       *testing.B
	to      netip.AddrPort
	server  *exec.Cmd
	request func(buf []byte, i int) []byte
	conn    *datagram.Conn
	next    int
}

func (l *load) open() {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		l.b.Fatal(err)
	}
	l.conn = datagram.Open(l.b.Context(), pc, datagram.Config{ReadSize: 2048, Batch: 64})
	l.b.Cleanup(func() {
		l.conn.Release()
		pc.Close()
	})
}

// run returns the server's CPU time for each of n requests in nanoseconds, and how many
// were answered in a second.
func (l *load) run(n int) (cpuTime, rate float64) {
	const window = 192 // what a socket holds at its default size
	bufs := make([][]byte, window)
	packets := make([]datagram.Packet, window)
	before, began := cpu(l.b, l.server), time.Now()
	answered := 0
	for sent := 0; sent < n; sent += window {
		for i := range packets {
			bufs[i] = l.request(bufs[i][:0], l.next%announcers)
			packets[i] = datagram.Packet{Data: bufs[i], Addr: l.to}
			l.next++
		}
		if _, err := l.conn.Write(packets); err != nil {
			l.b.Fatal(err)
		}
		answered += l.read(window)
	}
	took := time.Since(began)
	if answered < n*99/100 {
		l.b.Fatalf("%d of %d requests were answered", answered, n)
	}
	return float64(cpu(l.b, l.server)-before) / float64(answered), float64(answered) / took.Seconds()
}

// read takes up to n answers, as far as they arrive before the deadline.
func (l *load) read(n int) (got int) {
	for got < n {
		in, err := l.conn.Read(time.Now().Add(time.Second))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return got
		}
		if err != nil {
			l.b.Fatal(err)
		}
		got += len(in)
	}
	return got
}

// connect gets a connection id (BEP 15).
func (l *load) connect() uint64 {
	b := binary.BigEndian.AppendUint64(nil, 0x41727101980)
	b = binary.BigEndian.AppendUint32(b, 0) // connect
	b = binary.BigEndian.AppendUint32(b, 77)
	for range 50 {
		if _, err := l.conn.Write([]datagram.Packet{{Data: b, Addr: l.to}}); err != nil {
			l.b.Fatal(err)
		}
		in, err := l.conn.Read(time.Now().Add(100 * time.Millisecond))
		if err == nil && len(in[0].Data) >= 16 {
			return binary.BigEndian.Uint64(in[0].Data[8:])
		}
	}
	l.b.Fatal("opentracker does not answer")
	return 0
}

// appendAnnounce appends the announce of peer i. It has one of a thousand torrents and
// asks for no peers.
func appendAnnounce(b []byte, id uint64, i int) []byte {
	b = binary.BigEndian.AppendUint64(b, id)
	b = binary.BigEndian.AppendUint32(b, 1) // announce
	b = binary.BigEndian.AppendUint32(b, uint32(i))
	hash := sha256.Sum256([]byte{byte(i % 1000), byte(i % 1000 >> 8)})
	b = append(b, hash[:20]...)
	b = fmt.Appendf(b, "-FE0001-%012d", i)
	b = append(b, make([]byte, 24)...)    // downloaded, left, uploaded
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // event, address
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // key, no peers wanted
	return binary.BigEndian.AppendUint16(b, uint16(1024+i))
}

// BenchmarkFetch fetches a file of 1 GiB from three peers and verifies it: `peer -get`,
// and aria2 with the same three sources and the digest. It also measures the CPU time
// that the peers take for it.
func BenchmarkFetch(b *testing.B) {
	aria, err := exec.LookPath("aria2c")
	if err != nil {
		b.Skip("no aria2c: apt-get install aria2")
	}
	const size = 1 << 30
	bin := buildExamples(b, "directoryd", "peer")
	dir, err := os.MkdirTemp("/dev/shm", "ferry") // so that no disk is raced
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	sum := writeFile(b, filepath.Join(dir, "f"), size)
	const at = "127.0.0.1:17777"
	start(b, filepath.Join(bin, "directoryd"), "-listen", at)
	var peers []*exec.Cmd
	var urls []string
	for i := range 3 {
		addr := fmt.Sprintf("127.0.0.1:%d", 18080+i)
		peers = append(peers, startPeer(b, filepath.Join(bin, "peer"), "-directory", at, "-listen", addr, "-dir", dir, "f"))
		urls = append(urls, "http://"+addr+"/f")
	}
	served := func() time.Duration { return cpu(b, peers[0]) + cpu(b, peers[1]) + cpu(b, peers[2]) }
	get := func() (took, own float64) {
		defer os.Remove(filepath.Join(dir, "ours")) // or the next replaces it, which takes time
		return timedRun(b, filepath.Join(bin, "peer"), "-directory", at, "-get", "f", "-o", filepath.Join(dir, "ours"))
	}
	aria2 := func() (took, own float64) {
		defer os.Remove(filepath.Join(dir, "theirs"))
		return timedRun(b, aria, slices.Concat([]string{
			"-q", "-d", dir, "-o", "theirs", "-s3", "-x1", "-k1M", "--file-allocation=none", "--no-conf",
			"--checksum=sha-256=" + sum,
		}, urls)...)
	}
	get() // the peers' digests are computed then
	var ours, theirs, oursCPU, theirsCPU, serving []float64
	for b.Loop() {
		before := served()
		took, own := get()
		ours, oursCPU, serving = append(ours, took), append(oursCPU, own), append(serving, (served()-before).Seconds())
		took, own = aria2()
		theirs, theirsCPU = append(theirs, took), append(theirsCPU, own)
	}
	b.ReportMetric(median(ours), "ferry-s")
	b.ReportMetric(median(theirs), "aria2-s")
	b.ReportMetric(median(ours)/median(theirs), "ferry/aria2")
	b.ReportMetric(median(oursCPU), "ferry-cpu-s")
	b.ReportMetric(median(theirsCPU), "aria2-cpu-s")
	b.ReportMetric(median(serving), "serving-cpu-s/GiB")
	b.ReportMetric(0, "ns/op")
}

// startPeer starts a peer and waits until it shares its files.
func startPeer(b *testing.B, name string, args ...string) *exec.Cmd {
	b.Helper()
	c := exec.Command(name, args...)
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if line == "http server is running...\n" {
			break
		}
	}
	go io.Copy(io.Discard, r)
	for range 100 { // until the directory knows
		addr := args[3]
		list, _ := exec.Command(name, "-directory", args[1], "-find", "f").Output()
		if _, port, _ := strings.Cut(addr, ":"); strings.Contains(string(list), port) {
			return c
		}
	}
	b.Fatal("the directory does not know of the peer")
	return nil
}

// writeFile writes noise and returns its digest.
func writeFile(b *testing.B, name string, size int) string {
	b.Helper()
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	noise := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(io.MultiWriter(f, h), noise, int64(size)); err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// timedRun runs a program to its end, and returns how long that took, and the CPU time.
func timedRun(b *testing.B, name string, args ...string) (took, cpu float64) {
	b.Helper()
	began := time.Now()
	c := exec.Command(name, args...)
	if out, err := c.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
	}
	return time.Since(began).Seconds(), (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
}

// BenchmarkServe is the CPU time that `peer` takes to serve 1 GiB over one connection, beside
// that of a process that does nothing but sendfile.
func BenchmarkServe(b *testing.B) {
	const size = 1 << 30
	bin := buildExamples(b, "directoryd", "peer")
	dir := b.TempDir()
	writeFile(b, filepath.Join(dir, "f"), size)
	const at, oursAt = "127.0.0.1:17777", "127.0.0.1:18080"
	start(b, filepath.Join(bin, "directoryd"), "-listen", at)
	ours := startPeer(b, filepath.Join(bin, "peer"), "-directory", at, "-listen", oursAt, "-dir", dir, "f")
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	bareAt := freeAddr(b)
	bare := exec.Command(self, bareAt)
	bare.Env = append(os.Environ(), sendsFile+"="+filepath.Join(dir, "f"))
	process(b, bareAt, bare)
	drain(b, oursAt, "GET /f HTTP/1.0\r\n\r\n", size) // the digests are computed then

	var x, y []float64
	for b.Loop() {
		before := cpu(b, ours)
		drain(b, oursAt, "GET /f HTTP/1.0\r\n\r\n", size)
		x = append(x, (cpu(b, ours) - before).Seconds())
		before = cpu(b, bare)
		drain(b, bareAt, "", size)
		y = append(y, (cpu(b, bare) - before).Seconds())
	}
	b.ReportMetric(median(x), "ferry-cpu-s/GiB")
	b.ReportMetric(median(y), "sendfile-cpu-s/GiB")
	b.ReportMetric(median(x)/median(y), "ferry/sendfile")
	b.ReportMetric(0, "ns/op")
}

// drain reads what a server sends until it closes.
func drain(b *testing.B, addr, request string, least int) {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	total := 0
	for {
		n, err := c.Read(buf)
		total += n
		if err == io.EOF && total >= least {
			return
		}
		if err != nil {
			b.Fatalf("after %d bytes: %v", total, err)
		}
	}
}
