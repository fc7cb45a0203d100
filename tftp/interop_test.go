package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

// These tests talk to other people's programs, where they are installed: the clients of
// tftp-hpa, atftp and curl, and the servers in.tftpd, atftpd and dnsmasq. The two
// packages tftpd-hpa and atftpd conflict; the environment variable FERRY_TFTP_TOOLS
// names directories with what cannot be installed, separated as in PATH.

// tool finds a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("FERRY_TFTP_TOOLS")) {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p
		}
	}
	for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p
		}
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// interopSizes are sizes of files at the edges of blocks.
var interopSizes = []int{0, 1, 511, 512, 513, 1428, 2856, 100_000}

// bigSize has more than 65535 blocks of 512 bytes.
const bigSize = 64 << 20

// bigNoise is the content of the big file.
var bigNoise = sync.OnceValue(func() []byte { return noise(bigSize, bigSize) })

// sizesOf adds the big file where the environment variable FERRY_TFTP_BIG asks for it:
// with it the tests take a minute.
func sizesOf() []int {
	if os.Getenv("FERRY_TFTP_BIG") == "" {
		return interopSizes
	}
	return append(interopSizes[:len(interopSizes):len(interopSizes)], bigSize)
}

// content is what is in the file of a size.
func content(n int) []byte {
	if n == bigSize {
		return bigNoise()
	}
	return noise(uint64(n), n)
}

// interopDir makes a directory with files that others may read, and write in.
func interopDir(t *testing.T) (dir string, root *os.Root) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range sizesOf() {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(n)), content(n), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return dir, root
}

// serveLoopback runs a server on 127.0.0.1 until the test is over.
func serveLoopback(t testing.TB, s *Server) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, conn) }()
	t.Cleanup(func() {
		stop(errEnd)
		if err := <-done; !errors.Is(err, errEnd) {
			t.Errorf("Serve: %v", err)
		}
		conn.Close()
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// command runs a program, with input, and fails the test if it fails.
func command(t *testing.T, dir, input, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Stdin = bytes.NewReader([]byte(input))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// sameFile fails the test unless the file is what noise makes for its size.
func sameFile(t *testing.T, name string, size int) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, content(size)) {
		t.Errorf("%s: %d bytes, not the %d that were sent, %v", filepath.Base(name), len(got), size, err)
	}
}

// A foreignClient gets and puts files with somebody else's program.
type foreignClient struct {
	name     string
	get, put func(t *testing.T, dir string, server netip.AddrPort, remote, local string)
	noEmpty  bool // fails with an empty file from any server
}

func host(a netip.AddrPort) (string, string) { return a.Addr().String(), strconv.Itoa(int(a.Port())) }

func tftpHPA(t *testing.T) foreignClient {
	bin := tool(t, "tftp")
	run := func(verb string) func(*testing.T, string, netip.AddrPort, string, string) {
		return func(t *testing.T, dir string, server netip.AddrPort, remote, local string) {
			a, p := host(server)
			if verb == "put" {
				remote, local = local, remote
			}
			command(t, dir, "", bin, "-m", "octet", a, p, "-c", verb, remote, local)
		}
	}
	return foreignClient{name: "tftp-hpa", get: run("get"), put: run("put")}
}

func curl(t *testing.T, blockSize int) foreignClient {
	bin := tool(t, "curl")
	run := func(t *testing.T, dir string, server netip.AddrPort, remote string, args ...string) {
		args = append([]string{"-sS", "--tftp-blksize", strconv.Itoa(blockSize), "tftp://" + server.String() + "/" + remote}, args...)
		command(t, dir, "", bin, args...)
	}
	return foreignClient{
		name: fmt.Sprintf("curl blksize=%d", blockSize),
		get: func(t *testing.T, dir string, server netip.AddrPort, remote, local string) {
			run(t, dir, server, remote, "-o", local)
		},
		put: func(t *testing.T, dir string, server netip.AddrPort, remote, local string) {
			run(t, dir, server, remote, "-T", local)
		},
		// curl 7.88 also ends with status 71 after an empty file from in.tftpd.
		noEmpty: true,
	}
}

func atftp(t *testing.T, blockSize, window int) foreignClient {
	bin := tool(t, "atftp")
	run := func(verb string) func(*testing.T, string, netip.AddrPort, string, string) {
		return func(t *testing.T, dir string, server netip.AddrPort, remote, local string) {
			a, p := host(server)
			args := []string{"--" + verb, "-r", remote, "-l", local, "--option", "blksize " + strconv.Itoa(blockSize)}
			if window > 0 {
				args = append(args, "--option", "windowsize "+strconv.Itoa(window))
			}
			command(t, dir, "", bin, append(args, a, p)...)
		}
	}
	return foreignClient{
		name: fmt.Sprintf("atftp blksize=%d windowsize=%d", blockSize, window),
		get:  run("get"), put: run("put"),
	}
}

// TestForeignClients: other people's clients read from our server, and write to it.
func TestForeignClients(t *testing.T) {
	clients := []func(t *testing.T) foreignClient{tftpHPA}
	for _, b := range []int{512, 1428, 8192, 65464} {
		clients = append(clients, func(t *testing.T) foreignClient { return curl(t, b) })
		for _, w := range []int{1, 4, 16, 64} {
			clients = append(clients, func(t *testing.T) foreignClient { return atftp(t, b, w) })
		}
	}
	for i, make := range clients {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			c := make(t)
			dir, root := interopDir(t)
			d := &ferry.Dir{Root: root, Subdirectories: true}
			s := &Server{Opener: d, Handler: d, MTU: 65535, Linger: -1}
			addr := serveLoopback(t, s)
			for _, n := range sizesOf() {
				name := strconv.Itoa(n)
				if n == 0 && c.noEmpty {
					continue
				}
				c.get(t, dir, addr, name, "got"+name)
				sameFile(t, filepath.Join(dir, "got"+name), n)
				c.put(t, dir, addr, "put"+name, name)
				sameFile(t, filepath.Join(dir, "put"+name), n)
				os.Remove(filepath.Join(dir, "got"+name))
				os.Remove(filepath.Join(dir, "put"+name))
				if t.Failed() {
					t.Fatalf("%s, %d bytes", c.name, n)
				}
			}
		})
	}
}

// A foreignServer is somebody else's server that runs.
type foreignServer struct {
	addr  netip.AddrPort
	dir   string
	write bool
}

// freePort is a port of 127.0.0.1 that was free a moment ago.
func freePort(t *testing.T) netip.AddrPort {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// startServer runs a program until the test is over, and waits until it answers.
func startServer(t *testing.T, s foreignServer, name string, args ...string) foreignServer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		c.Wait()
		if t.Failed() {
			t.Logf("%s %q said:\n%s", name, args, &out)
		}
	})
	// The first request is repeated until the server is there.
	if _, _, err := loopbackGet(t, Client{GiveUp: time.Minute}, s.addr, "1"); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, &out)
	}
	return s
}

func loopbackGet(t testing.TB, c Client, server netip.AddrPort, name string) ([]byte, Report, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c.GiveUp = orDefault(c.GiveUp, ample)
	var got bytes.Buffer
	r, err := c.Get(context.Background(), conn, server, name, ferry.To(&got))
	return got.Bytes(), r, err
}

func loopbackPut(t testing.TB, c Client, server netip.AddrPort, name string, data []byte) (Report, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c.GiveUp = orDefault(c.GiveUp, ample)
	return c.Put(context.Background(), conn, server, name, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
}

// foreignServers start other people's servers.
var foreignServers = map[string]func(t *testing.T) foreignServer{
	"tftpd-hpa": func(t *testing.T) foreignServer {
		bin, addr := tool(t, "in.tftpd"), freePort(t)
		dir, _ := interopDir(t)
		return startServer(t, foreignServer{addr, dir, true}, bin, "--foreground", "--address", addr.String(),
			"--user", "root", "--create", "--secure", dir)
	},
	"atftpd": func(t *testing.T) foreignServer {
		bin, addr := tool(t, "atftpd"), freePort(t)
		dir, _ := interopDir(t)
		_, port := host(addr)
		return startServer(t, foreignServer{addr, dir, true}, bin, "--daemon", "--no-fork", "--logfile", "-", "--user", "root.root",
			"--bind-address", "127.0.0.1", "--port", port, dir)
	},
	"dnsmasq": func(t *testing.T) foreignServer {
		bin := tool(t, "dnsmasq")
		// It serves on port 69 only, and only as root.
		addr := netip.MustParseAddrPort("127.0.0.69:69")
		c, err := net.ListenPacket("udp", addr.String())
		if err != nil {
			t.Skipf("port 69: %v", err)
		}
		c.Close()
		dir, _ := interopDir(t)
		return startServer(t, foreignServer{addr, dir, false}, bin, "--no-daemon", "--port=0", "--user=root", "--conf-file=/dev/null",
			"--enable-tftp", "--tftp-root="+dir, "--bind-interfaces", "--listen-address="+addr.Addr().String(), "--tftp-mtu=65535", "--pid-file=")
	},
}

// TestForeignServers: our client reads from other people's servers, and writes to them.
func TestForeignServers(t *testing.T) {
	for name, start := range foreignServers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			for _, block := range []int{512, 1428, 8192, 65464} {
				for _, window := range []int{1, 4, 16, 64} {
					for _, n := range sizesOf() {
						if n == bigSize && window != 1 && window != 16 {
							continue
						}
						s.exchange(t, Client{BlockSize: block, WindowSize: window, Linger: -1}, n)
						if t.Failed() {
							t.Fatalf("blksize %d, windowsize %d, %d bytes", block, window, n)
						}
					}
				}
			}
			_, _, err := loopbackGet(t, Client{}, s.addr, "nonsuch")
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file that is not there: %v", err)
			}
		})
	}
}

// exchange reads a file and writes one.
func (s foreignServer) exchange(t *testing.T, c Client, size int) {
	t.Helper()
	got, r, err := loopbackGet(t, c, s.addr, strconv.Itoa(size))
	if err != nil || !bytes.Equal(got, content(size)) {
		t.Errorf("Get: %d bytes of %d, %v, %+v", len(got), size, err, r)
	}
	if !s.write {
		return
	}
	name := "new" + strconv.Itoa(size)
	if r, err := loopbackPut(t, c, s.addr, name, content(size)); err != nil {
		t.Errorf("Put: %v, %+v", err, r)
	}
	// Some servers write the file after the last ACK: ask until they have.
	for try := 1; ; try++ {
		if got, err := os.ReadFile(filepath.Join(s.dir, name)); try == 1000 || err == nil && len(got) == size {
			break
		}
		loopbackGet(t, c, s.addr, "1")
	}
	sameFile(t, filepath.Join(s.dir, name), size)
	os.Remove(filepath.Join(s.dir, name))
}
